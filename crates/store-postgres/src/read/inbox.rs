//! Progress, readings, gates and what waits behind them.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::Row;
use sqlx::postgres::PgRow;
use switchboard_core::{Key, Name, Position, Timestamp};
use switchboard_store::{Gate, Inbox, Progress, StoreError, Waiting, codec};

use super::{limit_of, unsigned};
use crate::PostgresStore;
use crate::error::read_error;

const GATES: &str = "SELECT grp, key, due, since, depth FROM @sb_gates";

#[async_trait]
impl Inbox for PostgresStore {
    async fn progress(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<Progress>, StoreError> {
        let sql = "SELECT epoch, position FROM @sb_progress \
                   WHERE grp = $1 AND topic = $2 AND partition = $3";
        let query = sqlx::query(self.sql(sql)).bind(group).bind(topic).bind(i64::from(partition));
        let row = query.fetch_optional(self.pool()).await.map_err(read_error)?;
        let progress = row.map(|row| {
            Ok(Progress {
                group: group.into(),
                topic: topic.into(),
                partition,
                epoch: unsigned(&row, 0)?,
                position: Position(unsigned(&row, 1)?),
            })
        });
        progress.transpose().map_err(read_error)
    }

    async fn reading(&self, name: &str) -> Result<Position, StoreError> {
        let sql = "SELECT position FROM @sb_readings WHERE name = $1";
        let query = sqlx::query_scalar::<_, i64>(self.sql(sql)).bind(name);
        let position = query.fetch_optional(self.pool()).await.map_err(read_error)?;
        Ok(Position(position.unwrap_or(0).cast_unsigned()))
    }

    async fn gate(&self, group: &str, key: &Key) -> Result<Option<Gate>, StoreError> {
        let sql = format!("{GATES} WHERE grp = $1 AND key = $2");
        let query = sqlx::query(self.sql(&sql)).bind(group).bind(key.as_bytes());
        let row = query.fetch_optional(self.pool()).await.map_err(read_error)?;
        row.as_ref().map(gate).transpose().map_err(read_error)
    }

    async fn gates(&self, group: Option<&str>, limit: usize) -> Result<Vec<Gate>, StoreError> {
        let sql = format!(
            "{GATES} WHERE $1::text IS NULL OR grp = $1 \
                           ORDER BY since, grp, key LIMIT $2"
        );
        let query = sqlx::query(self.sql(&sql)).bind(group).bind(limit_of(limit));
        let rows = query.fetch_all(self.pool()).await.map_err(read_error)?;
        rows.iter().map(gate).collect::<Result<_, _>>().map_err(read_error)
    }

    async fn due_gates(
        &self,
        group: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Gate>, Option<Timestamp>), StoreError> {
        let sql = format!("{GATES} WHERE grp = $1 AND due IS NOT NULL ORDER BY due, key LIMIT $2");
        // One more than is wanted tells when the next one is due.
        let query = sqlx::query(self.sql(&sql)).bind(group).bind(limit_of(limit.saturating_add(1)));
        let rows = query.fetch_all(self.pool()).await.map_err(read_error)?;
        let gates: Result<Vec<Gate>, _> = rows.iter().map(gate).collect();
        let mut gates = gates.map_err(read_error)?;
        let due = gates.iter().take(limit).take_while(|gate| gate.due <= Some(now)).count();
        let next = gates.get(due).and_then(|gate| gate.due);
        gates.truncate(due);
        Ok((gates, next))
    }

    async fn waiting(
        &self,
        group: &str,
        key: &Key,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        let sql = "SELECT entry, since, failures, bytes FROM @sb_waiting \
                   WHERE grp = $1 AND key = $2 ORDER BY entry LIMIT $3";
        let query = sqlx::query(self.sql(sql)).bind(group).bind(key.as_bytes());
        let rows = query.bind(limit_of(limit)).fetch_all(self.pool()).await.map_err(read_error)?;
        rows.iter().map(waiting).collect::<Result<_, _>>().map_err(read_error)
    }
}

fn gate(row: &PgRow) -> Result<Gate, sqlx::Error> {
    Ok(Gate {
        group: Name::from(row.try_get::<&str, _>(0)?),
        key: Key::from(row.try_get::<Vec<u8>, _>(1)?),
        due: row.try_get::<Option<i64>, _>(2)?.map(Timestamp::from_micros),
        since: Timestamp::from_micros(row.try_get(3)?),
        depth: unsigned(row, 4)?,
    })
}

fn waiting(row: &PgRow) -> Result<Waiting, sqlx::Error> {
    let entry = unsigned(row, 0)?;
    Ok(Waiting {
        entry,
        since: Timestamp::from_micros(row.try_get(1)?),
        // One record that cannot be read must not hide the message, nor those behind it.
        failures: codec::decode_failures(row.try_get(2)?, || format!("failures of entry {entry}"))
            .unwrap_or_default(),
        bytes: Bytes::from(row.try_get::<Vec<u8>, _>(3)?),
    })
}
