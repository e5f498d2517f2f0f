//! Moving what teams have enqueued in their own transactions into the log, with positions and
//! sequences, once it is committed.
//!
//! There is no cursor, so nothing can be passed over: whatever is staged and visible is taken away.
//! Per key the ids of staged rows are in commit order, because whoever draws one holds the key's
//! lock until its commit.

use sqlx::{PgConnection, Row};
use switchboard_core::{Id, Timestamp, chain};
use switchboard_store::{StoreError, codec};

use super::append::Append;
use super::marks::Changed;
use super::needs::{self, Needs};
use super::truth::Truth;
use super::{Pending, Trouble, Writer};

/// So many messages are moved in one transaction.
const STEP: i64 = 1_000;
/// Attempts after a lost connection or a rival.
const AGAIN: usize = 5;

// === impl Writer ===

impl Writer {
    /// Moves everything that is staged now.
    pub(super) async fn move_staged(&mut self) -> Result<(), StoreError> {
        let mut troubles = 0;
        loop {
            let mut connection = self.take().await.map_err(Trouble::into_store_error)?;
            let deadline = self.deadline;
            let step = match tokio::time::timeout(deadline, self.step(&mut connection)).await {
                Ok(step) => step,
                Err(late) => Err(self.late(late)),
            };
            match step {
                Ok(moved) => {
                    self.session.give_back(connection);
                    if let Some(pending) = self.pending.take() {
                        self.finish(pending);
                    }
                    if moved < STEP {
                        return Ok(());
                    }
                }
                Err(Trouble::Unsure(error)) => {
                    drop(connection);
                    if let Some(pending) =
                        self.resolve(error).await.map_err(Trouble::into_store_error)?
                    {
                        self.finish(pending);
                    }
                }
                Err(trouble) => {
                    self.session.roll_back(connection).await;
                    troubles += 1;
                    if troubles >= AGAIN {
                        return Err(trouble.into_store_error());
                    }
                }
            }
        }
    }

    async fn step(&mut self, connection: &mut PgConnection) -> Result<i64, Trouble> {
        self.pending = None;
        sqlx::raw_sql(self.sql.begin.clone()).execute(&mut *connection).await?;
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(self.lock);
        lock.execute(&mut *connection).await?;
        let staged = sqlx::query(self.sql.staged.clone()).bind(STEP);
        let staged = staged.fetch_all(&mut *connection).await?;
        let (messages, is_stuck) = decode(&staged)?;
        if messages.is_empty() {
            sqlx::raw_sql("ROLLBACK").execute(connection).await?;
            return Ok(0);
        }
        let mut truth = Truth::default();
        Needs::default().ask(connection, &self.sql, &mut truth).await?;
        let mut topics: Vec<&str> = messages.iter().map(|m| &*m.message.topic).collect();
        topics.sort_unstable();
        topics.dedup();
        needs::more_sequences(connection, &self.sql, topics, &mut truth).await?;
        self.be(truth.incarnation);
        let ids: Vec<i64> = messages.iter().map(|message| message.staged).collect();
        let mut append = Append::new(truth.position);
        let moved = i64::try_from(messages.len()).unwrap_or(STEP);
        for Staged { message, id, time, .. } in messages {
            append.send(message, None, &mut truth, &mut self.sealer, time, Some(id));
        }
        let ticket = self.next_ticket();
        append.write(connection, &self.sql, ticket, 0).await?;
        let unstage = sqlx::query(self.sql.unstage.clone()).bind(ids);
        unstage.execute(&mut *connection).await?;
        let (position, reschedules) = (append.position, truth.reschedules);
        let (answers, marks) = (Vec::new(), Changed::new());
        self.end(connection, Pending { answers, marks, position, reschedules }).await?;
        // What could not be read stays where it is, and nothing behind it was taken.
        Ok(if is_stuck { 0 } else { moved })
    }
}

struct Staged {
    staged: i64,
    id: Id,
    time: Timestamp,
    message: switchboard_store::NewMessage,
}

/// Messages up to the first one that cannot be read: a newer version has staged it, and will move
/// it. To pass it over would break the order of its key.
fn decode(rows: &[sqlx::postgres::PgRow]) -> Result<(Vec<Staged>, bool), sqlx::Error> {
    let mut messages = Vec::with_capacity(rows.len());
    for row in rows {
        let (staged, bytes): (i64, &[u8]) = (row.try_get(0)?, row.try_get(3)?);
        let id: [u8; 16] = row.try_get(1)?;
        let time = Timestamp::from_micros(row.try_get(2)?);
        match codec::decode_message(bytes, || format!("staged message {staged}")) {
            Ok(message) => {
                messages.push(Staged { staged, id: Id::from_bytes(id), time, message });
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "nothing behind it is moved");
                return Ok((messages, true));
            }
        }
    }
    Ok((messages, false))
}
