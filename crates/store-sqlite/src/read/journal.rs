//! Events, and commits.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Params, params};
use switchboard_core::{Name, Position, Timestamp};
use switchboard_store::{
    CommitError, Committed, Journal, StoreError, StoreIdentity, StoredEvent, Unit, codec,
};
use tokio::sync::watch;

use super::limit_of;
use crate::SqliteStore;
use crate::error::read_error;

const COLUMNS: &str = "SELECT position, version, schema, time, stream, kind, head, data \
                       FROM sb_events";

#[async_trait]
impl Journal for SqliteStore {
    fn identity(&self) -> StoreIdentity {
        self.signals().identity.read().clone()
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError> {
        self.commit_unit(unit).await
    }

    async fn stream(
        &self,
        stream: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let sql = format!("{COLUMNS} WHERE stream = ?1 AND version > ?2 ORDER BY version LIMIT ?3");
        let stream = stream.to_owned();
        self.read_page(limit, move |connection| {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            events(connection, &sql, params![stream, after, limit_of(limit)])
        })
        .await
    }

    async fn events(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let sql = format!("{COLUMNS} WHERE position > ?1 ORDER BY position LIMIT ?2");
        self.read_page(limit, move |connection| {
            let after = i64::try_from(after.0).unwrap_or(i64::MAX);
            events(connection, &sql, params![after, limit_of(limit)])
        })
        .await
    }

    fn watch(&self) -> watch::Receiver<Position> {
        self.signals().position.subscribe()
    }
}

fn events(
    connection: &rusqlite::Connection,
    sql: &str,
    params: impl Params,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(read_error)?;
    let mut rows = statement.query(params).map_err(read_error)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next().map_err(read_error)? {
        let (event, head) = event(row).map_err(read_error)?;
        let (version, stream) = (event.version, event.stream.clone());
        let head = codec::Head::decode(&head, || format!("event {version} of stream `{stream}`"))?;
        let context = head.context.map(std::borrow::Cow::into_owned);
        events.push(StoredEvent { context, tags: head.tags.into_owned(), ..event });
    }
    Ok(events)
}

fn event(row: &rusqlite::Row<'_>) -> rusqlite::Result<(StoredEvent, Vec<u8>)> {
    let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
    let name = |index| Ok::<_, rusqlite::Error>(Name::from(row.get_ref(index)?.as_str()?));
    let event = StoredEvent {
        position: Position(number(0)?),
        version: number(1)?,
        schema: row.get(2)?,
        time: Timestamp::from_micros(row.get(3)?),
        stream: name(4)?,
        kind: name(5)?,
        context: None,
        tags: Vec::new(),
        data: Bytes::copy_from_slice(row.get_ref(7)?.as_blob()?),
    };
    Ok((event, row.get(6)?))
}
