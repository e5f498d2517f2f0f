//! The store as its users hold it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use switchboard_core::{Clock, Position, Rng};
use switchboard_store::limits::Declared;
use switchboard_store::{CommitError, Committed, StoreError, StoreIdentity, Unit};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use crate::connect::Connector;
use crate::herald::Herald;
use crate::queue::{Asked, Job, Queue};
use crate::sql::{Schema, Sql};
use crate::writer::{Writer, closed, session::Session};
use crate::{OpenError, Options, guard, schema};

/// How long a read waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);

/// A store in one schema of a PostgreSQL database. A handle: clones share it, and the last one to
/// go closes it. Other processes may have the same schema open.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    declared: Declared,
    name: String,
    schema: Schema,
    pool: PgPool,
    queue: Arc<Queue>,
    signals: Arc<Signals>,
    clock: Arc<dyn Clock>,
    rng: Mutex<Rng>,
    sweep_from: Mutex<Position>,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    writer: Option<JoinHandle<()>>,
    herald: Option<JoinHandle<()>>,
}

/// What commits tell the rest of the store, whoever has made them.
#[derive(Debug)]
pub(crate) struct Signals {
    identity: RwLock<StoreIdentity>,
    position: watch::Sender<Position>,
    rescheduled: watch::Sender<u64>,
    /// How often anybody has set or moved timers and gates, as far as is known.
    reschedules: Mutex<i64>,
    /// Something was committed here that other processes do not know yet.
    pub(crate) news: Notify,
}

// === impl PostgresStore ===

impl PostgresStore {
    /// Opens a store, or creates it with its schema.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let declared = Declared::new(options.tables)?;
        let connector = Connector::new(&options)?;
        let (mut connection, system) = connector.connect().await?;
        schema::prepare(&mut connection, &options).await?;
        let schema = Schema::new(&options.schema);
        let settled = system.settle(&mut connection, &schema, &options.schema).await;
        let settled = settled.map_err(OpenError::Server)?;
        // The writer has the one connection that is not from here.
        let pool = PgPoolOptions::new()
            .max_connections(options.connections - 1)
            .acquire_timeout(ACQUIRE)
            .connect_lazy_with(connector.options.clone());
        let identity =
            StoreIdentity { source: options.source.clone(), incarnation: settled.incarnation };
        let signals = Arc::new(Signals::new(identity));
        signals.seen(settled.position, settled.reschedules);
        let queue = Arc::new(Queue::new(options.batch_units, options.lazy_wait));
        let sql = Sql::new(&options.schema, options.lock_wait.as_millis(), options.pooler);
        let session = Session::new(connector, connection, &options);
        let writer = Writer::new(&options, session, &settled, sql, signals.clone(), queue.clone());
        let herald = Herald::new(&options, pool.clone(), signals.clone(), queue.clone());
        let tasks = Tasks {
            writer: Some(tokio::spawn(End(queue.clone()).after(writer.run()))),
            herald: Some(tokio::spawn(herald.run())),
        };
        let inner = Inner {
            declared,
            name: options.schema,
            schema,
            pool,
            queue,
            signals,
            clock: options.clock,
            rng: Mutex::new(options.rng),
            sweep_from: Mutex::default(),
            tasks: Mutex::new(tasks),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Finishes what was handed over and gives all connections back. Other handles answer with
    /// errors from now on. Dropping the last handle does the same without waiting for it.
    pub async fn close(self) {
        self.inner.queue.close();
        let writer = self.inner.tasks.lock().writer.take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(schema = self.inner.name, %error, "the writer has panicked");
        }
        let herald = self.inner.tasks.lock().herald.take();
        if let Some(herald) = herald {
            herald.abort();
            let _ = herald.await;
        }
        self.inner.pool.close().await;
    }

    /// The schema that holds the store.
    pub fn schema(&self) -> &str {
        &self.inner.name
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.inner.signals
    }

    pub(crate) fn declared(&self) -> &Declared {
        &self.inner.declared
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    pub(crate) fn schema_of(&self) -> &Schema {
        &self.inner.schema
    }

    pub(crate) fn sql(&self, text: &str) -> sqlx::SqlStr {
        self.inner.schema.sql(text)
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    pub(crate) fn rng(&self) -> &Mutex<Rng> {
        &self.inner.rng
    }

    pub(crate) fn sweep_from(&self) -> &Mutex<Position> {
        &self.inner.sweep_from
    }

    pub(crate) async fn commit_unit(&self, unit: Unit) -> Result<Committed, CommitError> {
        self.inner.declared.check(&unit)?;
        guard::storable(&unit).map_err(CommitError::Invalid)?;
        let unit = Box::new(unit);
        match self.ask(|reply| Job::Commit(Asked { unit, reply })).await {
            Some(answer) => answer,
            None => Err(CommitError::Unavailable(closed())),
        }
    }

    pub(crate) async fn reincarnate_now(&self) -> Result<StoreIdentity, StoreError> {
        let answer = self.ask(Job::Reincarnate).await;
        answer.unwrap_or_else(|| Err(StoreError::Unavailable(closed())))
    }

    /// Moves what is staged into the log.
    pub(crate) async fn move_staged(&self) -> Result<(), StoreError> {
        let answer = self.ask(Job::Move).await;
        answer.unwrap_or_else(|| Err(StoreError::Unavailable(closed())))
    }

    /// Hands a job to the writer and waits for its answer; `None` when the store is closed.
    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        if !self.inner.queue.push(job(reply)).await {
            return None;
        }
        answer.await.ok()
    }
}

/// The end of the writer, orderly or by a panic: nobody waits for it in vain.
struct End(Arc<Queue>);

impl End {
    async fn after(self, work: impl Future<Output = ()>) {
        work.await;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

// === impl Signals ===

impl Signals {
    fn new(identity: StoreIdentity) -> Self {
        Self {
            identity: RwLock::new(identity),
            position: watch::Sender::new(Position::START),
            rescheduled: watch::Sender::new(0),
            reschedules: Mutex::new(0),
            news: Notify::new(),
        }
    }

    pub(crate) fn identity(&self) -> StoreIdentity {
        self.identity.read().clone()
    }

    pub(crate) fn set_identity(&self, identity: StoreIdentity) {
        *self.identity.write() = identity;
    }

    pub(crate) fn position(&self) -> &watch::Sender<Position> {
        &self.position
    }

    pub(crate) fn rescheduled(&self) -> &watch::Sender<u64> {
        &self.rescheduled
    }

    /// What is known now of position and reschedules.
    pub(crate) fn known(&self) -> (u64, i64) {
        (self.position.borrow().0, *self.reschedules.lock())
    }

    /// Somebody has committed up to here. Hints and polls may overtake each other: it only rises.
    /// False when it was known.
    pub(crate) fn seen(&self, position: u64, reschedules: i64) -> bool {
        let moved = self.position.send_if_modified(|present| {
            let moved = position > present.0;
            if moved {
                *present = Position(position);
            }
            moved
        });
        let mut known = self.reschedules.lock();
        let rescheduled = reschedules > *known;
        if rescheduled {
            *known = reschedules;
            self.rescheduled.send_modify(|count| *count += 1);
        }
        moved || rescheduled
    }

    /// This process has committed up to here, and others should hear of it.
    pub(crate) fn committed(&self, position: u64, reschedules: i64) {
        if self.seen(position, reschedules) {
            self.news.notify_one();
        }
    }

    /// The server is another one: what was known of positions is void.
    pub(crate) fn reborn(&self, position: u64, reschedules: i64) {
        self.position.send_replace(Position(position));
        *self.reschedules.lock() = reschedules;
        self.rescheduled.send_modify(|count| *count += 1);
    }
}

// === impl Inner ===

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer finishes what was handed over, and then its connection closes.
        self.queue.close();
        if let Some(herald) = self.tasks.lock().herald.take() {
            herald.abort();
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("schema", &self.inner.name)
            .field("position", &*self.inner.signals.position.borrow())
            .finish_non_exhaustive()
    }
}
