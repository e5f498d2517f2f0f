//! News between the processes of one store.
//!
//! After a commit the others are told by a `NOTIFY`, at most one at a time: what is committed while
//! one is under way goes with the next. It is sent after the commit and not inside it, because a
//! transaction that notifies holds a lock of the whole cluster while it commits. It is only a hint.
//! The truth is the store's own row of counters, which is read whenever the listening connection is
//! a new one, and every few seconds in case it is half dead.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgNotification};
use sqlx::{PgPool, Row, SqlStr};
use switchboard_core::{Name, chain};
use switchboard_store::StoreIdentity;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::queue::{Job, Queue};
use crate::sql::Schema;
use crate::store::Signals;
use crate::{Options, lock};

/// What `enqueue` says: something is staged.
pub(crate) const STAGED: &str = "staged";

pub(crate) struct Herald {
    pool: PgPool,
    signals: Arc<Signals>,
    queue: Arc<Queue>,
    source: Name,
    channel: String,
    counters: SqlStr,
    poll: Duration,
    listens: bool,
    /// What the others have been told.
    told: (u64, i64),
}

/// The channel of a store: of fixed length, as a schema's name may be as long as a channel's.
pub(crate) fn channel(schema: &str) -> String {
    format!("switchboard_{:016x}", lock::of_store(schema))
}

// === impl Herald ===

impl Herald {
    pub(crate) fn new(
        options: &Options,
        pool: PgPool,
        signals: Arc<Signals>,
        queue: Arc<Queue>,
    ) -> Self {
        let counters = "SELECT position, reschedules, incarnation, \
                        EXISTS (SELECT FROM @sb_staged) FROM @sb_meta";
        Self {
            told: signals.known(),
            pool,
            signals,
            queue,
            source: options.source.clone(),
            channel: channel(&options.schema),
            counters: Schema::new(&options.schema).sql(counters),
            poll: options.poll,
            listens: !options.pooler,
        }
    }

    /// Works until it is aborted.
    pub(crate) async fn run(mut self) {
        loop {
            let mut listener = None;
            if self.listens {
                match self.listen().await {
                    Ok(new) => listener = Some(new),
                    Err(error) => {
                        tracing::debug!(error = chain(&error), "cannot listen: polling");
                    }
                }
            }
            // Whatever was committed before there was anybody to listen.
            self.look().await;
            match listener {
                Some(listener) => self.attend(listener).await,
                None => self.wait().await,
            }
        }
    }

    async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        // A lost connection ends the listener: then counters are read before it goes on.
        listener.eager_reconnect(false);
        listener.listen(&self.channel).await?;
        Ok(listener)
    }

    /// Listens until the connection is lost.
    async fn attend(&mut self, mut listener: PgListener) {
        let mut next = Instant::now() + self.poll;
        loop {
            let signals = self.signals.clone();
            tokio::select! {
                heard = listener.try_recv() => match heard {
                    Ok(Some(hint)) => self.hear(&hint).await,
                    Ok(None) | Err(_) => return,
                },
                () = signals.news.notified() => self.tell().await,
                // At its time, however much else there is: the listener may be half dead.
                () = tokio::time::sleep_until(next) => {
                    self.look().await;
                    next = Instant::now() + self.poll;
                }
            }
        }
    }

    /// Without anybody who listens there is only the clock.
    async fn wait(&mut self) {
        let signals = self.signals.clone();
        tokio::select! {
            () = signals.news.notified() => self.tell().await,
            () = tokio::time::sleep(self.poll) => {}
        }
    }

    async fn hear(&mut self, hint: &PgNotification) {
        if hint.payload() == STAGED {
            return self.move_staged().await;
        }
        let mut words = hint.payload().split(' ');
        let position = words.next().and_then(|word| word.parse().ok());
        let reschedules = words.next().and_then(|word| word.parse().ok());
        if let (Some(position), Some(reschedules)) = (position, reschedules) {
            self.signals.seen(position, reschedules);
        }
    }

    async fn tell(&mut self) {
        let (position, reschedules) = self.signals.known();
        if (position, reschedules) == self.told {
            return;
        }
        let notify = sqlx::query("SELECT pg_notify($1, $2)")
            .bind(&self.channel)
            .bind(format!("{position} {reschedules}"));
        // Whoever misses it finds out by looking.
        if notify.execute(&self.pool).await.is_ok() {
            self.told = (position, reschedules);
        }
    }

    /// Reads the counters.
    async fn look(&mut self) {
        let row = match sqlx::query(self.counters.clone()).fetch_one(&self.pool).await {
            Ok(row) => row,
            Err(error) => {
                tracing::debug!(error = chain(&error), "cannot look for commits of others");
                return;
            }
        };
        let counters = (row.try_get::<i64, _>(0), row.try_get(1), row.try_get::<i64, _>(2));
        let (Ok(position), Ok(reschedules), Ok(incarnation)) = counters else { return };
        let incarnation = u32::try_from(incarnation).unwrap_or(u32::MAX);
        if incarnation > self.signals.identity().incarnation {
            let identity = StoreIdentity { source: self.source.clone(), incarnation };
            self.signals.set_identity(identity);
        }
        self.signals.seen(position.cast_unsigned(), reschedules);
        if row.try_get(3).unwrap_or(false) {
            self.move_staged().await;
        }
    }

    async fn move_staged(&self) {
        let (reply, _answer) = oneshot::channel();
        // The writer does it when it comes to it, and tells its watchers.
        self.queue.push(Job::Move(reply)).await;
    }
}
