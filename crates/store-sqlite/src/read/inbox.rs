//! Progress, readings, gates and what waits behind them.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Params, Result, Row, params};
use switchboard_core::{Key, Name, Position, Timestamp};
use switchboard_store::{Gate, Inbox, Progress, StoreError, Waiting, codec};

use super::limit_of;
use crate::SqliteStore;
use crate::error::read_error;

const GATES: &str = "SELECT grp, key, due, since, depth FROM sb_gates";

#[async_trait]
impl Inbox for SqliteStore {
    async fn progress(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<Progress>, StoreError> {
        self.read(|connection| progress(connection, group, topic, partition).map_err(read_error))
    }

    async fn reading(&self, name: &str) -> Result<Position, StoreError> {
        self.read(|connection| reading(connection, name).map_err(read_error))
    }

    async fn gate(&self, group: &str, key: &Key) -> Result<Option<Gate>, StoreError> {
        let sql = format!("{GATES} WHERE grp = ?1 AND key = ?2");
        let gates = self.read(|connection| {
            gates(connection, &sql, params![group, key.as_bytes()]).map_err(read_error)
        })?;
        Ok(gates.into_iter().next())
    }

    async fn gates(&self, group: Option<&str>, limit: usize) -> Result<Vec<Gate>, StoreError> {
        let sql = format!("{GATES} WHERE ?1 IS NULL OR grp = ?1 ORDER BY since, grp, key LIMIT ?2");
        self.read(|connection| {
            gates(connection, &sql, params![group, limit_of(limit)]).map_err(read_error)
        })
    }

    async fn due_gates(
        &self,
        group: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Gate>, Option<Timestamp>), StoreError> {
        let sql = format!("{GATES} WHERE grp = ?1 AND due IS NOT NULL ORDER BY due, key LIMIT ?2");
        // One more than is wanted tells when the next one is due.
        let limit_and_one = limit_of(limit.saturating_add(1));
        let mut gates = self.read(|connection| {
            gates(connection, &sql, params![group, limit_and_one]).map_err(read_error)
        })?;
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
        self.read(|connection| {
            let sql = "SELECT entry, since, failures, bytes FROM sb_waiting \
                       WHERE grp = ?1 AND key = ?2 ORDER BY entry LIMIT ?3";
            let mut statement = connection.prepare_cached(sql).map_err(read_error)?;
            let waiting = statement
                .query_map(params![group, key.as_bytes(), limit_of(limit)], waiting)
                .map_err(read_error)?;
            waiting.collect::<Result<_>>().map_err(read_error)
        })
    }
}

/// How far a group has come in a partition.
pub(crate) fn progress(
    connection: &Connection,
    group: &str,
    topic: &str,
    partition: u32,
) -> Result<Option<Progress>> {
    let sql = "SELECT epoch, position FROM sb_progress \
               WHERE grp = ?1 AND topic = ?2 AND partition = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row(params![group, topic, partition], |row| {
        Ok(Progress {
            group: group.into(),
            topic: topic.into(),
            partition,
            epoch: row.get::<_, i64>(0)?.cast_unsigned(),
            position: Position(row.get::<_, i64>(1)?.cast_unsigned()),
        })
    });
    row.optional()
}

/// How far a reading has come.
pub(crate) fn reading(connection: &Connection, name: &str) -> Result<Position> {
    let mut statement =
        connection.prepare_cached("SELECT position FROM sb_readings WHERE name = ?1")?;
    let position: Option<i64> = statement.query_row([name], |row| row.get(0)).optional()?;
    Ok(Position(position.unwrap_or(0).cast_unsigned()))
}

fn gates(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<Gate>> {
    let mut statement = connection.prepare_cached(sql)?;
    let gates = statement.query_map(params, |row| {
        Ok(Gate {
            group: Name::from(row.get_ref(0)?.as_str()?),
            key: Key::from(row.get::<_, Vec<u8>>(1)?),
            due: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_micros),
            since: Timestamp::from_micros(row.get(3)?),
            depth: row.get::<_, i64>(4)?.cast_unsigned(),
        })
    })?;
    gates.collect()
}

fn waiting(row: &Row<'_>) -> Result<Waiting> {
    let entry = row.get::<_, i64>(0)?.cast_unsigned();
    let failures: Vec<u8> = row.get(2)?;
    Ok(Waiting {
        entry,
        since: Timestamp::from_micros(row.get(1)?),
        // One record that cannot be read must not hide the message, nor those behind it.
        failures: codec::decode_failures(&failures, || format!("failures of entry {entry}"))
            .unwrap_or_default(),
        bytes: Bytes::from(row.get::<_, Vec<u8>>(3)?),
    })
}
