//! Two processes of one service: their relays share the slots, their timers fire once, and one of them dies.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use switchboard_core::{Clock, Envelope, Key, Rng, SystemClock};
use switchboard_message::{
    Ack, Broker, Capabilities, Consumer, Inspect, MemoryBroker, PublishError, SubscribeError,
    Subscription, Topic, Topology, TopologyError,
};
use switchboard_relay::{Error, Options, Relay};
use switchboard_store::leases::LEASES;
use switchboard_store::{Journal, NewMessage, Rows, Select, Sharing, TimerOp, Unit};
use switchboard_store_postgres::{Options as StoreOptions, PostgresStore};
use switchboard_testkit::store::TABLES;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::{TestSchema, eventually};

/// A broker that remembers what it took, in order.
#[derive(Clone, Debug)]
struct Wire(MemoryBroker, Arc<Mutex<Vec<Envelope>>>);

/// One process: its own store, its own relay.
struct Process {
    store: PostgresStore,
    shutdown: CancellationToken,
    relay: JoinHandle<Result<(), Error>>,
}

const TTL: Duration = Duration::from_secs(3);

#[async_trait]
impl Broker for Wire {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        self.0.declare(topology).await
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        self.1.lock().extend(batch.iter().cloned());
        self.0.publish(batch).await
    }

    async fn subscribe(&self, it: Subscription) -> Result<Box<dyn Consumer>, SubscribeError> {
        self.0.subscribe(it).await
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.0.inspect()
    }
}

impl Wire {
    /// Payloads by key, first occurrences in the order of the wire.
    fn by_key(&self) -> BTreeMap<String, Vec<u64>> {
        let (mut seen, mut keys) = (HashSet::new(), BTreeMap::<_, Vec<u64>>::new());
        for envelope in self.1.lock().iter().filter(|envelope| seen.insert(envelope.id)) {
            let key = envelope.key.as_ref().unwrap().to_string();
            let number = String::from_utf8_lossy(&envelope.payload).parse().unwrap();
            keys.entry(key).or_default().push(number);
        }
        keys
    }

    fn different(&self) -> usize {
        self.by_key().values().map(Vec::len).sum()
    }
}

impl Process {
    async fn start(name: &str, schema: &TestSchema, wire: &Wire) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store =
            StoreOptions::new(&schema.url, "suite", TABLES, clock.clone(), Rng::from_entropy());
        let store = PostgresStore::open(store.with_schema(&schema.name)).await.unwrap();
        let sharing = Sharing::Leased { holder: name.into(), ttl: TTL };
        let options = Options { sharing, ..Options::default() };
        let seam = Arc::new(store.clone());
        let relay = Relay::new(seam, Arc::new(wire.clone()), clock).with_options(options);
        let shutdown = CancellationToken::new();
        let relay = tokio::spawn(relay.run(shutdown.clone()));
        Self { store, shutdown, relay }
    }

    async fn send(&self, key: &str, number: u64) {
        self.store.commit(Unit::new().send(message(key, number))).await.unwrap();
    }

    async fn shares(&self) -> HashMap<String, usize> {
        let mut shares = HashMap::new();
        for row in self.store.select(Select::all(&LEASES)).await.unwrap() {
            if row.key.starts_with("relay/") {
                *shares.entry(row.text("holder").to_owned()).or_default() += 1;
            }
        }
        shares
    }
}

fn message(key: &str, number: u64) -> NewMessage {
    NewMessage {
        topic: "orders.events".into(),
        kind: "orders.noted".into(),
        version: 1,
        key: Some(Key::from(key)),
        payload: number.to_string().into(),
        context: None,
        headers: BTreeMap::new(),
    }
}

/// Acceptance tests 2 and 5 of the outbox, with real sessions: each key in order, nothing lost,
/// each timer once, whatever becomes of one process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_their_relay_and_one_survives_the_other() {
    let schema = TestSchema::new();
    let broker = MemoryBroker::new(Arc::new(SystemClock));
    broker.declare(&Topology::of([Topic::new("orders.events")])).await.unwrap();
    let wire = Wire(broker, Arc::default());
    let a = Process::start("a", &schema, &wire).await;
    let mut b = Process::start("b", &schema, &wire).await;
    let even = HashMap::from([("a".to_owned(), 8), ("b".to_owned(), 8)]);
    eventually(async || b.shares().await == even).await;
    // Units of both processes reach the wire through whoever holds their slots, once.
    for number in 0..200 {
        let process = if number % 2 == 0 { &a } else { &b };
        process.send(&format!("k{}", number % 20), number).await;
    }
    eventually(async || wire.different() == 200).await;
    assert_eq!(wire.1.lock().len(), 200, "nothing leaves twice");
    let now = SystemClock.now();
    for number in 0..100_u64 {
        let due = now.plus(Duration::from_millis(number * 50));
        let message = Box::new(message(&format!("t{}", number % 5), number));
        let set = TimerOp::Set { id: format!("timer-{number}").into(), due, message };
        b.store.commit(Unit::new().timer(set)).await.unwrap();
    }
    for number in 200..400 {
        b.send(&format!("k{}", number % 20), number).await;
        if number == 240 {
            a.relay.abort();
        }
    }
    eventually(async || wire.different() == 500).await;
    let by_key = wire.by_key();
    assert_eq!(by_key.len(), 25);
    for (key, numbers) in &by_key {
        assert_eq!(numbers.len(), 20, "{key}");
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
    assert_eq!(b.shares().await, HashMap::from([("b".to_owned(), 16)]));
    b.shutdown.cancel();
    (&mut b.relay).await.unwrap().unwrap();
    assert_eq!(b.shares().await, HashMap::from([(String::new(), 16)]), "given up");
}
