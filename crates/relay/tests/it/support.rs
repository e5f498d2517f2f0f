//! What the tests of this crate share: a clock that follows paused time, and a broker whose wire is watched.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use switchboard_core::{Clock, Envelope, Key, Rng, Timestamp};
use switchboard_message::{
    Ack, Broker, Capabilities, Consumer, Inspect, MemoryBroker, PublishError, SubscribeError,
    Subscription, Topic, Topology, TopologyError,
};
use switchboard_relay::{Error, Options, Relay};
use switchboard_store::{Journal, MemoryStore, NewMessage, Unit};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const TOPIC: &str = "orders.events";

/// Time that moves as tokio's does.
#[derive(Debug)]
pub(crate) struct PausedClock(Instant, AtomicU64);

/// Decides what becomes of a message; `None` lets it through.
type Script = Box<dyn FnMut(&Envelope) -> Option<PublishError> + Send>;

/// A broker in memory that fails as it is told and remembers what it took, in order.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) inner: MemoryBroker,
    script: Arc<Mutex<Script>>,
    taken: Arc<Mutex<Vec<Envelope>>>,
    /// What was taken at least once, by name.
    seen: Arc<Mutex<HashSet<String>>>,
}

/// A relay that runs.
pub(crate) struct Running {
    pub(crate) shutdown: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl PausedClock {
    /// How often somebody has looked at it: whoever ticks does.
    pub(crate) fn looks(&self) -> u64 {
        self.1.load(Ordering::SeqCst)
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        self.1.fetch_add(1, Ordering::SeqCst);
        Timestamp::from_micros(1_700_000_000_000_000).plus(self.0.elapsed())
    }
}

impl Wire {
    pub(crate) async fn new(clock: Arc<dyn Clock>) -> Self {
        let inner = MemoryBroker::new(clock);
        inner.declare(&Topology::of([Topic::new(TOPIC)])).await.unwrap();
        let script: Script = Box::new(|_| None);
        let (taken, seen) = Default::default();
        Self { inner, script: Arc::new(Mutex::new(script)), taken, seen }
    }

    pub(crate) fn script(
        &self,
        script: impl FnMut(&Envelope) -> Option<PublishError> + Send + 'static,
    ) {
        *self.script.lock() = Box::new(script);
    }

    /// What was taken, as `key:payload`, duplicates included.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().iter().map(name).collect()
    }

    /// The ids of what was taken.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.taken.lock().iter().map(|envelope| envelope.id.to_string()).collect()
    }

    /// How many different messages were taken.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().len()
    }

    /// Whether this one was taken, as `key:payload`.
    pub(crate) fn has(&self, wanted: &str) -> bool {
        self.seen.lock().contains(wanted)
    }

    /// The same without repeats.
    pub(crate) fn first_occurrences(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.taken().into_iter().filter(|name| seen.insert(name.clone())).collect()
    }

    /// Payloads by key, first occurrences in wire order.
    pub(crate) fn by_key(&self) -> HashMap<String, Vec<u64>> {
        let mut keys: HashMap<String, Vec<u64>> = HashMap::new();
        for name in self.first_occurrences() {
            let (key, number) = name.split_once(':').unwrap();
            keys.entry(key.to_owned()).or_default().push(number.parse().unwrap());
        }
        keys
    }

    /// Waits until the broker has taken this many different messages.
    pub(crate) async fn until(&self, count: usize) {
        until("messages on the wire", || self.count() >= count).await;
    }
}

fn name(envelope: &Envelope) -> String {
    let key = envelope.key.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{key}:{}", String::from_utf8_lossy(&envelope.payload))
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

#[async_trait]
impl Broker for Wire {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        self.inner.declare(topology).await
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        let mut answers = Vec::new();
        for envelope in batch {
            let refused = (self.script.lock())(&envelope);
            answers.push(match refused {
                Some(error) => Err(error),
                None => {
                    let copy = envelope.clone();
                    let mut answer = self.inner.publish(vec![envelope]).await;
                    let answer = answer.pop().unwrap();
                    if answer.is_ok() {
                        self.seen.lock().insert(name(&copy));
                        self.taken.lock().push(copy);
                    }
                    answer
                }
            });
        }
        // A call to a broker takes time, so that tasks meet.
        tokio::time::sleep(Duration::from_millis(1)).await;
        answers
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError> {
        self.inner.subscribe(subscription).await
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.inner.inspect()
    }
}

impl Running {
    pub(crate) fn of(relay: Relay) -> Self {
        let shutdown = CancellationToken::new();
        Self { task: tokio::spawn(relay.run(shutdown.clone())), shutdown }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub(crate) fn clock() -> Arc<PausedClock> {
    Arc::new(PausedClock(Instant::now(), AtomicU64::new(0)))
}

pub(crate) fn store(clock: &Arc<PausedClock>) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new("orders", &[], clock.clone(), Rng::from_seed(1)))
}

pub(crate) fn relay(store: &Arc<MemoryStore>, wire: &Wire, clock: &Arc<PausedClock>) -> Relay {
    let options = Options { longest_wait: Duration::from_secs(2), ..Options::default() };
    Relay::new(store.clone(), Arc::new(wire.clone()), clock.clone()).with_options(options)
}

pub(crate) fn message(key: &str, number: u64) -> NewMessage {
    NewMessage {
        topic: TOPIC.into(),
        kind: "orders.noted".into(),
        version: 1,
        key: (!key.is_empty()).then(|| Key::from(key)),
        payload: number.to_string().into(),
        context: None,
        headers: Default::default(),
    }
}

pub(crate) async fn commit(store: &MemoryStore, key: &str, number: u64) {
    store.commit(Unit::new().send(message(key, number))).await.unwrap();
}

/// Waits for a condition, for at most ten minutes of paused time.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(600);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) fn unavailable() -> PublishError {
    PublishError::Unavailable("no connection".into())
}

pub(crate) fn refused() -> PublishError {
    PublishError::Refused("never this one".into())
}
