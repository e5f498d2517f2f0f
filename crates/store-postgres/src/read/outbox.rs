//! Messages on their way out, and timers.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;
use switchboard_core::{Envelope, Name, Position, Slot, Timestamp};
use switchboard_store::{
    Checkpoint, Outbox, Outgoing, Sequence, StoreError, StoreIdentity, Timer, Timers,
};
use tokio::sync::watch;

use super::{after, limit_of, unsigned};
use crate::PostgresStore;
use crate::error::read_error;

/// Messages that are looked at in one sweep, for each that may be deleted; what a stuck slot keeps
/// is passed over in later sweeps.
const LOOKED_AT: usize = 16;

#[async_trait]
impl Outbox for PostgresStore {
    async fn outgoing(
        &self,
        position: Position,
        limit: usize,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let (outgoing, is_staged) = self.page(position, limit).await?;
        // What teams have enqueued comes into the log behind everything that is there, so a full
        // page need not wait for it.
        if !is_staged || outgoing.len() >= limit {
            return Ok(outgoing);
        }
        self.move_staged().await?;
        Ok(self.page(position, limit).await?.0)
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let sql = "SELECT slot, position FROM @sb_checkpoints ORDER BY slot";
        let rows = sqlx::query(self.sql(sql)).fetch_all(self.pool()).await.map_err(read_error)?;
        let checkpoints = rows.iter().map(|row| {
            Ok(Checkpoint { slot: slot(row, 0)?, position: Position(unsigned(row, 1)?) })
        });
        checkpoints.collect::<Result<_, _>>().map_err(read_error)
    }

    async fn sequences(&self) -> Result<Vec<Sequence>, StoreError> {
        let sql = "SELECT topic, slot, last FROM @sb_sequences ORDER BY topic, slot";
        let rows = sqlx::query(self.sql(sql)).fetch_all(self.pool()).await.map_err(read_error)?;
        let sequences = rows.iter().map(|row| {
            let topic = Name::from(row.try_get::<&str, _>(0)?);
            Ok(Sequence { topic, slot: slot(row, 1)?, last: unsigned(row, 2)? })
        });
        sequences.collect::<Result<_, _>>().map_err(read_error)
    }

    async fn reincarnate(&self) -> Result<StoreIdentity, StoreError> {
        self.reincarnate_now().await
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.sweep_foreign(limit).await.map_err(read_error)?;
        let from = *self.sweep_from().lock();
        let (mut swept, mut to) = self.step(from, limit).await.map_err(read_error)?;
        if swept == 0 && from > Position::START {
            // Once more from the beginning: slots that were stuck may have moved.
            (swept, to) = self.step(Position::START, limit).await.map_err(read_error)?;
        }
        *self.sweep_from().lock() = to;
        Ok(swept)
    }
}

impl PostgresStore {
    /// Messages after a position, and whether anything is staged. In one statement: between two,
    /// what is staged might move from where the second looks to where the first has looked.
    async fn page(
        &self,
        position: Position,
        limit: usize,
    ) -> Result<(Vec<Outgoing>, bool), StoreError> {
        let sql = "SELECT m.position, m.slot, m.envelope, s.is_staged \
                   FROM (SELECT EXISTS (SELECT FROM @sb_staged) AS is_staged) s \
                   LEFT JOIN (SELECT position, slot, envelope FROM @sb_messages \
                       WHERE position > $1 ORDER BY position LIMIT $2) m ON true \
                   ORDER BY m.position";
        let query = sqlx::query(self.sql(sql)).bind(after(position.0)).bind(limit_of(limit));
        let rows = query.fetch_all(self.pool()).await.map_err(read_error)?;
        let is_staged = rows.first().map_or(Ok(false), |row| row.try_get(3)).map_err(read_error)?;
        let is_message = |row: &&PgRow| !matches!(row.try_get::<Option<i64>, _>(0), Ok(None));
        let outgoing = rows.iter().filter(is_message).map(outgoing);
        Ok((outgoing.collect::<Result<_, _>>()?, is_staged))
    }

    /// Expired marks of strangers. Those that somebody is about to renew are left alone.
    async fn sweep_foreign(&self, limit: usize) -> Result<(), sqlx::Error> {
        let sql = "DELETE FROM @sb_foreign WHERE (grp, id) IN (SELECT grp, id FROM @sb_foreign \
                   WHERE until <= $1 ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)";
        let query = sqlx::query(self.sql(sql)).bind(self.clock().now().as_micros());
        query.bind(limit_of(limit)).execute(self.pool()).await.map(drop)
    }

    /// Deletes passed messages after a position; tells how many, and how far was looked. Messages
    /// that another process is deleting are skipped: to wait for it would gain nothing.
    async fn step(&self, from: Position, limit: usize) -> Result<(usize, Position), sqlx::Error> {
        let sql = "WITH seen AS (SELECT position FROM @sb_messages WHERE position > $1 \
                       AND position <= (SELECT max(position) FROM @sb_checkpoints) \
                       ORDER BY position LIMIT $2), \
                   passed AS (SELECT m.position FROM @sb_messages m \
                       JOIN @sb_checkpoints c ON c.slot = m.slot AND c.position >= m.position \
                       WHERE m.position > $1 AND m.position <= (SELECT max(position) FROM seen) \
                       ORDER BY m.position LIMIT $3 FOR UPDATE OF m SKIP LOCKED), \
                   gone AS (DELETE FROM @sb_messages m USING passed p \
                       WHERE m.position = p.position RETURNING m.position) \
                   SELECT count(*), max(position), (SELECT max(position) FROM seen) FROM gone";
        let row = sqlx::query(self.sql(sql))
            .bind(after(from.0))
            .bind(limit_of(limit.saturating_mul(LOOKED_AT)))
            .bind(limit_of(limit))
            .fetch_one(self.pool())
            .await?;
        let swept = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0);
        let place: Option<i64> = row.try_get(if swept >= limit { 1 } else { 2 })?;
        Ok((swept, place.map_or(from, |place| Position(place.cast_unsigned()))))
    }
}

#[async_trait]
impl Timers for PostgresStore {
    async fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Timer>, Option<Timestamp>), StoreError> {
        let sql = "SELECT id, due FROM @sb_timers ORDER BY due, id LIMIT $1";
        // One more than is wanted tells when the next one is due.
        let query = sqlx::query(self.sql(sql)).bind(limit_of(limit.saturating_add(1)));
        let rows = query.fetch_all(self.pool()).await.map_err(read_error)?;
        let timers = rows.iter().map(|row| {
            let id = Name::from(row.try_get::<&str, _>(0)?);
            Ok(Timer { id, due: Timestamp::from_micros(row.try_get(1)?) })
        });
        let mut timers: Vec<Timer> = timers.collect::<Result<_, _>>().map_err(read_error)?;
        let due = timers.iter().take(limit).take_while(|timer| timer.due <= now).count();
        let next = timers.get(due).map(|timer| timer.due);
        timers.truncate(due);
        Ok((timers, next))
    }

    fn rescheduled(&self) -> watch::Receiver<u64> {
        self.signals().rescheduled().subscribe()
    }
}

fn slot(row: &PgRow, index: usize) -> Result<Slot, sqlx::Error> {
    Ok(Slot(u8::try_from(row.try_get::<i16, _>(index)?).unwrap_or_default()))
}

fn outgoing(row: &PgRow) -> Result<Outgoing, StoreError> {
    let position = unsigned(row, 0).map_err(read_error)?;
    let slot = slot(row, 1).map_err(read_error)?;
    let bytes: &[u8] = row.try_get(2).map_err(read_error)?;
    let envelope = Envelope::decode(bytes).map_err(|error| StoreError::Undecodable {
        what: format!("message at {position}"),
        source: error.into(),
    })?;
    Ok(Outgoing { position: Position(position), slot, envelope })
}
