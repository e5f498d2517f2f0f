//! Events, and commits.

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::Row;
use sqlx::postgres::PgRow;
use switchboard_core::{Name, Position, Timestamp};
use switchboard_store::{
    CommitError, Committed, Journal, StoreError, StoreIdentity, StoredEvent, Unit, codec,
};
use tokio::sync::watch;

use super::{after, limit_of, unsigned};
use crate::PostgresStore;
use crate::error::read_error;

const COLUMNS: &str = "SELECT position, version, schema, time, stream, kind, head, data \
                       FROM @sb_events";

#[async_trait]
impl Journal for PostgresStore {
    fn identity(&self) -> StoreIdentity {
        self.signals().identity()
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError> {
        self.commit_unit(unit).await
    }

    async fn stream(
        &self,
        stream: &str,
        version: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let sql = format!("{COLUMNS} WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3");
        let query = sqlx::query(self.sql(&sql)).bind(stream);
        let query = query.bind(after(version)).bind(limit_of(limit));
        let rows = query.fetch_all(self.pool()).await.map_err(read_error)?;
        rows.iter().map(event).collect()
    }

    async fn events(
        &self,
        position: Position,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let sql = format!("{COLUMNS} WHERE position > $1 ORDER BY position LIMIT $2");
        let query = sqlx::query(self.sql(&sql)).bind(after(position.0)).bind(limit_of(limit));
        let rows = query.fetch_all(self.pool()).await.map_err(read_error)?;
        rows.iter().map(event).collect()
    }

    fn watch(&self) -> watch::Receiver<Position> {
        self.signals().position().subscribe()
    }
}

fn event(row: &PgRow) -> Result<StoredEvent, StoreError> {
    let (mut event, head) = columns(row).map_err(read_error)?;
    let (version, stream) = (event.version, &event.stream);
    let head = codec::Head::decode(head, || format!("event {version} of stream `{stream}`"))?;
    event.context = head.context.map(Cow::into_owned);
    event.tags = head.tags.into_owned();
    Ok(event)
}

fn columns(row: &PgRow) -> Result<(StoredEvent, &[u8]), sqlx::Error> {
    let event = StoredEvent {
        position: Position(unsigned(row, 0)?),
        version: unsigned(row, 1)?,
        schema: u16::try_from(row.try_get::<i32, _>(2)?).unwrap_or_default(),
        time: Timestamp::from_micros(row.try_get(3)?),
        stream: Name::from(row.try_get::<&str, _>(4)?),
        kind: Name::from(row.try_get::<&str, _>(5)?),
        context: None,
        tags: Vec::new(),
        data: Bytes::copy_from_slice(row.try_get(7)?),
    };
    Ok((event, row.try_get(6)?))
}
