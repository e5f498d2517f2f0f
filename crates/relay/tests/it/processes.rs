//! What a service of several processes needs in a test: sessions that are cut, processes that freeze, numbers that are read.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use metrics::{Counter, Gauge, Histogram, Key as Metric, KeyName, Metadata, SharedString};
use parking_lot::Mutex;
use switchboard_core::{Key, Position, Timestamp};
use switchboard_relay::planted::Planted;
use switchboard_relay::{Error, Options, Relay};
use switchboard_store::leases::LEASES;
use switchboard_store::{
    Checkpoint, CommitError, Committed, Gate, Inbox, Journal, MemoryStore, Outbox, Outgoing,
    Progress, Row, Rows, Select, Sequence, Sharing, StoreError, StoreIdentity, StoredEvent, Table,
    Timer, Timers, Unit, Waiting,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{PausedClock, Wire};

/// One process's connection to the shared store.
#[derive(Debug)]
pub(crate) struct Session {
    store: Arc<MemoryStore>,
    pub(crate) cut: AtomicBool,
    /// The most timers that were asked for at once.
    pub(crate) most_timers: AtomicUsize,
    /// How many units it has committed.
    pub(crate) commits: AtomicUsize,
}

/// A relay in a process of its own.
pub(crate) struct Process {
    pub(crate) session: Arc<Session>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
    freezer: Arc<Freezer>,
}

/// Stops a process in the middle of whatever it does, and lets it go on.
#[derive(Default)]
pub(crate) struct Freezer(Mutex<(bool, Option<Waker>)>);

/// Reads counters by name, whatever their labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<Mutex<HashMap<String, Arc<AtomicU64>>>>);

impl Process {
    pub(crate) fn start(
        name: &str,
        store: &Arc<MemoryStore>,
        wire: &Wire,
        clock: &Arc<PausedClock>,
    ) -> Self {
        let options = Options { longest_wait: Duration::from_secs(2), ..Options::default() };
        Self::with(name, store, wire, clock, options, Planted::Nothing)
    }

    pub(crate) fn with(
        name: &str,
        store: &Arc<MemoryStore>,
        wire: &Wire,
        clock: &Arc<PausedClock>,
        options: Options,
        planted: Planted,
    ) -> Self {
        let session = Arc::new(Session {
            store: store.clone(),
            cut: AtomicBool::new(false),
            most_timers: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
        });
        let options = Options { sharing: Sharing::leased(name), ..options };
        let relay = Relay::new(session.clone(), Arc::new(wire.clone()), clock.clone())
            .with_options(options)
            .with_planted_bug(planted);
        let shutdown = CancellationToken::new();
        let freezer = Arc::new(Freezer::default());
        let running = relay.run(shutdown.clone());
        let task = tokio::spawn(freezer.clone().around(running));
        Self { session, shutdown, task, freezer }
    }

    /// It ends in good order, and gives its leases up.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// It is gone, in the middle of whatever it does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(crate) fn freeze(&self) {
        self.freezer.0.lock().0 = true;
    }

    pub(crate) fn thaw(&self) {
        let mut state = self.freezer.0.lock();
        state.0 = false;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }
}

impl Freezer {
    async fn around<T>(self: Arc<Self>, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|context| {
            let mut state = self.0.lock();
            if state.0 {
                state.1 = Some(context.waker().clone());
                return Poll::Pending;
            }
            drop(state);
            work.as_mut().poll(context)
        })
        .await
    }
}

/// Who holds each slot range now, as the rows say.
pub(crate) async fn holders(store: &MemoryStore) -> BTreeMap<String, String> {
    let rows = store.select(Select::all(&LEASES)).await.unwrap();
    let ranges = rows.iter().filter(|row| row.key.starts_with("relay/"));
    ranges.map(|row| (row.key.clone(), row.text("holder").to_owned())).collect()
}

/// How many ranges each process holds.
pub(crate) async fn shares(store: &MemoryStore) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for holder in holders(store).await.into_values() {
        *shares.entry(holder).or_default() += 1;
    }
    shares
}

impl Meter {
    /// Counts what is created on this thread from now on, while the guard lives.
    pub(crate) fn install(&self) -> metrics::LocalRecorderGuard<'_> {
        metrics::set_default_local_recorder(self)
    }

    pub(crate) fn read(&self, name: &str) -> u64 {
        let all = self.0.lock();
        all.get(name).map_or(0, |value| value.load(Ordering::SeqCst))
    }

    fn cell(&self, key: &Metric) -> Arc<AtomicU64> {
        self.0.lock().entry(key.name().to_owned()).or_default().clone()
    }
}

impl metrics::Recorder for Meter {
    fn describe_counter(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Metric, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, _: &Metric, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Metric, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl Session {
    fn up(&self) -> Result<&MemoryStore, StoreError> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the session was ended".into()));
        }
        Ok(&self.store)
    }
}

#[async_trait]
impl Journal for Session {
    fn identity(&self) -> StoreIdentity {
        self.store.identity()
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.up().map_err(|error| CommitError::Unavailable(error.into()))?.commit(unit).await
    }

    async fn stream(
        &self,
        stream: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.up()?.stream(stream, after, limit).await
    }

    async fn events(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        self.up()?.events(after, limit).await
    }

    fn watch(&self) -> watch::Receiver<Position> {
        self.store.watch()
    }
}

#[async_trait]
impl Rows for Session {
    async fn row(&self, table: &'static Table, key: &str) -> Result<Option<Row>, StoreError> {
        self.up()?.row(table, key).await
    }

    async fn select(&self, select: Select) -> Result<Vec<Row>, StoreError> {
        self.up()?.select(select).await
    }
}

#[async_trait]
impl Inbox for Session {
    async fn progress(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<Progress>, StoreError> {
        self.up()?.progress(group, topic, partition).await
    }

    async fn reading(&self, name: &str) -> Result<Position, StoreError> {
        self.up()?.reading(name).await
    }

    async fn gate(&self, group: &str, key: &Key) -> Result<Option<Gate>, StoreError> {
        self.up()?.gate(group, key).await
    }

    async fn gates(&self, group: Option<&str>, limit: usize) -> Result<Vec<Gate>, StoreError> {
        self.up()?.gates(group, limit).await
    }

    async fn due_gates(
        &self,
        group: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Gate>, Option<Timestamp>), StoreError> {
        self.up()?.due_gates(group, now, limit).await
    }

    async fn waiting(
        &self,
        group: &str,
        key: &Key,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        self.up()?.waiting(group, key, limit).await
    }
}

#[async_trait]
impl Outbox for Session {
    async fn outgoing(&self, after: Position, limit: usize) -> Result<Vec<Outgoing>, StoreError> {
        self.up()?.outgoing(after, limit).await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        self.up()?.checkpoints().await
    }

    async fn sequences(&self) -> Result<Vec<Sequence>, StoreError> {
        self.up()?.sequences().await
    }

    async fn reincarnate(&self) -> Result<StoreIdentity, StoreError> {
        self.up()?.reincarnate().await
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.up()?.sweep(limit).await
    }
}

#[async_trait]
impl Timers for Session {
    async fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Timer>, Option<Timestamp>), StoreError> {
        self.most_timers.fetch_max(limit, Ordering::SeqCst);
        self.up()?.due_timers(now, limit).await
    }

    /// Other processes' timers are not heard of: only looking finds them.
    fn rescheduled(&self) -> watch::Receiver<u64> {
        let silent = watch::Sender::new(0);
        let receiver = silent.subscribe();
        // Kept for ever, as a store keeps its own.
        std::mem::forget(silent);
        receiver
    }
}
