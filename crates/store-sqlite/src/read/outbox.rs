//! Messages on their way out, and timers.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_core::{Envelope, Name, Position, Slot, Timestamp};
use switchboard_store::{
    Checkpoint, Outbox, Outgoing, Sequence, StoreError, StoreIdentity, Timer, Timers,
};
use tokio::sync::watch;

use super::limit_of;
use crate::SqliteStore;
use crate::error::read_error;
use crate::queue::Job;
use crate::writer::{closed, hot};

#[async_trait]
impl Outbox for SqliteStore {
    async fn outgoing(&self, after: Position, limit: usize) -> Result<Vec<Outgoing>, StoreError> {
        self.read_page(limit, move |connection| outgoing(connection, after, limit)).await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let rows = self.read(|connection| hot::checkpoints(connection).map_err(read_error))?;
        Ok(rows.into_iter().map(|(slot, position)| Checkpoint { slot, position }).collect())
    }

    async fn sequences(&self) -> Result<Vec<Sequence>, StoreError> {
        let topics = self.read(|connection| hot::topics(connection).map_err(read_error))?;
        let slots = topics.into_iter().flat_map(|(_, topic, last)| {
            let topic = Name::from(topic);
            (0..=u8::MAX)
                .zip(last)
                .filter(|(_, last)| *last > 0)
                .map(move |(slot, last)| Sequence { topic: topic.clone(), slot: Slot(slot), last })
        });
        Ok(slots.collect())
    }

    async fn reincarnate(&self) -> Result<StoreIdentity, StoreError> {
        let answer = self.ask(Job::Reincarnate).await;
        answer.unwrap_or_else(|| Err(StoreError::Unavailable(closed())))
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        let answer = self.ask(|reply| Job::Sweep(limit, reply)).await;
        answer.unwrap_or_else(|| Err(StoreError::Unavailable(closed())))
    }
}

#[async_trait]
impl Timers for SqliteStore {
    async fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Timer>, Option<Timestamp>), StoreError> {
        // One more than is wanted tells when the next one is due.
        let mut timers = self
            .read(|connection| timers(connection, limit.saturating_add(1)).map_err(read_error))?;
        let due = timers.iter().take(limit).take_while(|timer| timer.due <= now).count();
        let next = timers.get(due).map(|timer| timer.due);
        timers.truncate(due);
        Ok((timers, next))
    }

    fn rescheduled(&self) -> watch::Receiver<u64> {
        self.signals().rescheduled.subscribe()
    }
}

fn outgoing(
    connection: &Connection,
    after: Position,
    limit: usize,
) -> Result<Vec<Outgoing>, StoreError> {
    let sql = "SELECT position, slot, envelope FROM sb_messages \
               WHERE position > ?1 ORDER BY position LIMIT ?2";
    let after = i64::try_from(after.0).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql).map_err(read_error)?;
    let mut rows = statement.query(params![after, limit_of(limit)]).map_err(read_error)?;
    let mut outgoing = Vec::new();
    while let Some(row) = rows.next().map_err(read_error)? {
        let position: i64 = row.get(0).map_err(read_error)?;
        let bytes = row.get_ref(2).map_err(read_error)?;
        let bytes = bytes.as_blob().map_err(|error| read_error(error.into()))?;
        let envelope = Envelope::decode(bytes).map_err(|error| StoreError::Undecodable {
            what: format!("message at {position}"),
            source: error.into(),
        })?;
        let slot = Slot(row.get(1).map_err(read_error)?);
        outgoing.push(Outgoing { position: Position(position.cast_unsigned()), slot, envelope });
    }
    Ok(outgoing)
}

fn timers(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Timer>> {
    let mut statement =
        connection.prepare_cached("SELECT id, due FROM sb_timers ORDER BY due, id LIMIT ?1")?;
    let timers = statement.query_map([limit_of(limit)], |row| {
        let id = Name::from(row.get_ref(0)?.as_str()?);
        Ok(Timer { id, due: Timestamp::from_micros(row.get(1)?) })
    })?;
    timers.collect()
}
