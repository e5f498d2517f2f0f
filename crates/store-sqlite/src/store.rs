//! The store as its users hold it.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use switchboard_core::Position;
use switchboard_store::limits::Declared;
use switchboard_store::seal::Sealer;
use switchboard_store::{CommitError, Committed, Inbox, Reading, StoreIdentity, Unit};
use tokio::sync::{oneshot, watch};

use crate::lock::Lock;
use crate::queue::{Job, Queue};
use crate::read::Pool;
use crate::schema::{self, Role};
use crate::writer::answers::Asked;
use crate::writer::hot::Hot;
use crate::writer::{Start, closed};
use crate::{OpenError, Options, checkpoint, writer};

/// SQLite 3.7.0 to 3.51.2 may lose commits of a WAL database with more than one connection.
const OLDEST_LIBRARY: i32 = 3_051_003;

/// A store in one SQLite file. A handle: clones share it, and the last one to go closes it.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    declared: Declared,
    queue: Arc<Queue>,
    signals: Arc<Signals>,
    turns: Arc<checkpoint::Shared>,
    pool: Arc<Pool>,
    threads: Mutex<Threads>,
    /// The last to go: until then nobody else opens the file.
    _lock: Lock,
}

#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    checkpointer: Option<JoinHandle<()>>,
}

/// What the writer tells the rest of the store.
#[derive(Debug)]
pub(crate) struct Signals {
    pub(crate) identity: RwLock<StoreIdentity>,
    pub(crate) position: watch::Sender<Position>,
    pub(crate) rescheduled: watch::Sender<u64>,
    /// Whether the last units could be written.
    pub(crate) writes: AtomicBool,
}

/// The reading that moves when a store is tried again.
const TRIED: &str = "tried-again";

// === impl SqliteStore ===

impl SqliteStore {
    /// Opens a store, or creates it with its folder. Blocks for some milliseconds of disk work.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        if rusqlite::version_number() < OLDEST_LIBRARY {
            return Err(OpenError::OldLibrary { found: rusqlite::version() });
        }
        let declared = Declared::new(&options.tables)?;
        let path = options.path.clone();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| OpenError::io(&path, error))?;
        }
        let lock = Lock::take(&path)?;
        let failed = |error| OpenError::sqlite(&path, error);
        let mut connection = schema::connect(&options, Role::Writer).map_err(failed)?;
        schema::prepare(&mut connection, &options, &declared)?;
        grow(&path, options.wal_bytes).map_err(|error| OpenError::io(&path, error))?;
        let identity = StoreIdentity {
            source: options.source.clone(),
            incarnation: connection
                .query_row("SELECT value FROM sb_meta WHERE name = 'incarnation'", [], |row| {
                    row.get(0)
                })
                .map_err(failed)?,
        };
        let checkpoints = schema::connect(&options, Role::Checkpointer).map_err(failed)?;
        let signals = Arc::new(Signals::new(identity.clone()));
        let sealer = Sealer::new(identity, options.clock.clone(), options.rng.clone());
        let turns = checkpoint::Shared::new(options.wal_bytes);
        let queue = Arc::new(Queue::new(options.batch_units, options.lazy_wait));
        let pool = Arc::new(Pool::new(options.clone()));
        let threads = Mutex::default();
        let inner = Inner { path, declared, queue, signals, turns, pool, threads, _lock: lock };
        inner.start(connection, checkpoints, sealer, &options)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.inner.signals
    }

    pub(crate) fn declared(&self) -> &Declared {
        &self.inner.declared
    }

    pub(crate) fn turns(&self) -> &Arc<checkpoint::Shared> {
        &self.inner.turns
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.inner.pool
    }

    /// Whether units can be committed now, as far as anybody knows. After units that could not be
    /// written a small one is tried, so that nobody has to lose one to learn that it works again.
    pub async fn can_write(&self) -> bool {
        if self.inner.signals.writes.load(Ordering::Acquire) {
            return true;
        }
        let Ok(from) = self.reading(TRIED).await else { return false };
        let step = Reading { name: TRIED.into(), from, to: from.next() };
        self.commit_unit(Unit { readings: vec![step], ..Unit::new() }).await.is_ok()
    }

    pub(crate) async fn commit_unit(&self, unit: Unit) -> Result<Committed, CommitError> {
        self.inner.declared.check(&unit)?;
        let unit = Box::new(unit);
        match self.ask(|reply| Job::Commit(Asked { unit, reply })).await {
            Some(answered) => answered.answer,
            None => Err(CommitError::Unavailable(closed())),
        }
    }

    /// Hands a job to the writer and waits for its answer; `None` when the store is closed.
    pub(crate) async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        if !self.inner.queue.push(job(reply)).await {
            return None;
        }
        answer.await.ok()
    }
}

/// The end of the writer, orderly or by a panic: nobody waits for it in vain.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Grows the write-ahead file once, with zeros that SQLite overwrites: a commit that does not
/// change the file's size costs half as much. What lies after the newest frame is never read.
fn grow(database: &Path, bytes: u64) -> io::Result<()> {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let mut missing = bytes.saturating_sub(file.metadata()?.len());
    let zeros = vec![0; 256 << 10];
    while missing > 0 {
        let step = usize::try_from(missing).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all(&zeros[..step])?;
        missing -= step as u64;
    }
    file.sync_data()
}

// === impl Signals ===

impl Signals {
    fn new(identity: StoreIdentity) -> Self {
        Self {
            identity: RwLock::new(identity),
            position: watch::Sender::new(Position::START),
            rescheduled: watch::Sender::new(0),
            writes: AtomicBool::new(true),
        }
    }

    /// After a commit: the newest position, and whether timers or gates have moved.
    pub(crate) fn publish(&self, position: u64, rescheduled: bool) {
        self.position.send_if_modified(|present| {
            let moved = position > present.0;
            if moved {
                *present = Position(position);
            }
            moved
        });
        if rescheduled {
            self.rescheduled.send_modify(|count| *count += 1);
        }
    }

    pub(crate) fn set_identity(&self, identity: StoreIdentity) {
        *self.identity.write() = identity;
    }
}

// === impl Inner ===

impl Inner {
    /// Starts the threads. Those that run already end with `self` if another cannot be started.
    fn start(
        &self,
        connection: Connection,
        checkpoints: Connection,
        sealer: Sealer,
        options: &Options,
    ) -> Result<(), OpenError> {
        let not_started = |error| OpenError::io(&self.path, error);
        let hot = Hot::load(&connection).map_err(|error| OpenError::sqlite(&self.path, error))?;
        self.signals.publish(hot.position, false);
        let start = Start {
            sealer,
            signals: self.signals.clone(),
            turns: self.turns.clone(),
            planted: options.planted,
        };
        let queue = self.queue.clone();
        let thread = std::thread::Builder::new().name(format!("{}-store", options.source));
        let writer = thread.spawn(move || {
            let _end = End(&queue);
            writer::run(&connection, start, &queue);
        });
        let mut threads = self.threads.lock();
        threads.writer = Some(writer.map_err(not_started)?);
        let (turns, source) = (self.turns.clone(), options.source.clone());
        let checkpointer = checkpoint::spawn(checkpoints, turns, source);
        threads.checkpointer = Some(checkpointer.map_err(not_started)?);
        Ok(())
    }

    fn end(&self, thread: Option<JoinHandle<()>>) {
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(store = %self.path.display(), "a thread of the store has panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut threads = self.threads.lock();
        // The writer goes last: it checkpoints what is left, and whoever closes the file as the
        // last one deletes the write-ahead file unless it was told not to.
        self.turns.stop();
        self.end(threads.checkpointer.take());
        self.pool.close();
        self.queue.close();
        self.end(threads.writer.take());
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.inner.path)
            .field("position", &*self.inner.signals.position.borrow())
            .finish_non_exhaustive()
    }
}
