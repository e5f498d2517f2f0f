//! Messages from a team's own transactions.

use sqlx::PgConnection;
use switchboard_core::{Context, Id, Retryable, Verdict};
use switchboard_store::limits::UNIT_MESSAGES;
use switchboard_store::{CommitError, NewMessage, Unit, codec};

use crate::herald::{STAGED, channel};
use crate::{PostgresStore, guard, lock};

/// Messages were not enqueued. The team's transaction has failed with it, if the server was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// They can never be enqueued: a limit exceeded.
    #[error("{0}")]
    Invalid(String),
    /// The server did not take them. Roll back, and run the whole transaction again.
    #[error("the messages were not enqueued: run the transaction again")]
    Server(#[source] sqlx::Error),
}

impl Retryable for EnqueueError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Invalid(_) => Verdict::Terminal,
            Self::Server(_) => Verdict::Retry,
        }
    }
}

impl PostgresStore {
    /// Publishes messages with a team's own transaction: they leave if and when it is committed,
    /// and never otherwise. Returns their ids.
    ///
    /// Per key their order is the order of the commits, so two transactions that enqueue for one
    /// key wait for each other: enqueue late, and all messages of a transaction in one call (the
    /// keys' locks are taken in order, and only a second call can make a deadlock). They appear in
    /// the store's log a moment after the commit, with a position and a sequence. A topic is fed
    /// by units or by `enqueue`, not by both. At most 1 000 messages a call.
    ///
    /// `connection` is to the store's own database: a `&mut *transaction` does.
    ///
    /// # Errors
    /// [`EnqueueError`]; after one of the server's the transaction can only be rolled back.
    pub async fn enqueue(
        &self,
        connection: &mut PgConnection,
        messages: Vec<NewMessage>,
    ) -> Result<Vec<Id>, EnqueueError> {
        let invalid = |problem: String| EnqueueError::Invalid(problem);
        if messages.len() > UNIT_MESSAGES {
            let count = messages.len();
            let problem = format!("{count} messages are enqueued at once; {UNIT_MESSAGES} may be");
            return Err(invalid(problem));
        }
        let mut unit = Unit::new();
        unit.messages = messages;
        match self.declared().check(&unit) {
            Ok(()) => {}
            Err(CommitError::Invalid(problem)) => return Err(invalid(problem)),
            Err(other) => return Err(invalid(other.to_string())),
        }
        unit.messages.iter().try_for_each(guard::message).map_err(invalid)?;
        if unit.messages.is_empty() {
            return Ok(Vec::new());
        }
        self.stage(connection, unit.messages).await.map_err(EnqueueError::Server)
    }

    async fn stage(
        &self,
        connection: &mut PgConnection,
        mut messages: Vec<NewMessage>,
    ) -> Result<Vec<Id>, sqlx::Error> {
        let mut keys: Vec<i64> = messages
            .iter()
            .filter_map(|message| message.key.as_ref())
            .map(|key| lock::of_key(self.schema(), key))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        if !keys.is_empty() {
            // One after the other in this order. Ids are drawn by the next statement: whoever has
            // drawn a lower one of this key has committed.
            let sql = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::int8[]) AS u (k)";
            sqlx::query(sql).bind(keys).execute(&mut *connection).await?;
        }
        let ids: Vec<Id> = {
            let mut rng = self.rng().lock();
            messages.iter().map(|_| Id::new(self.clock(), &mut rng)).collect()
        };
        for (message, id) in messages.iter_mut().zip(&ids) {
            message.context.get_or_insert_with(|| Context::of(*id));
        }
        let encoded: Vec<Vec<u8>> = messages.iter().map(codec::encode_message).collect();
        let sql = "INSERT INTO @sb_staged (message_id, time, message) \
                   SELECT u.id, $1, u.message FROM unnest($2::bytea[], $3::bytea[]) \
                   WITH ORDINALITY AS u (id, message, n) ORDER BY u.n";
        sqlx::query(self.sql(sql))
            .bind(self.clock().now().as_micros())
            .bind(ids.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
            .bind(encoded)
            .execute(&mut *connection)
            .await?;
        // Sent with the team's commit; the server sends equal ones of a transaction once.
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(channel(self.schema()))
            .bind(STAGED)
            .execute(connection)
            .await?;
        Ok(ids)
    }
}
