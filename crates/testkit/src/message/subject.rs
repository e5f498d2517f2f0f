//! The broker under test, and what the tests say to it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::{Clock, Envelope, Key, Name, Rng, SystemClock};
use switchboard_message::{
    Ack, Assignment, Broker, Capability, Consumer, Delivery, Incoming, Outcome, Subscription,
    Topic, Topology,
};

use crate::capabilities;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long a test watches for what must not happen.
pub const A_WHILE: Duration = Duration::from_millis(60);

/// A broker under test, with whatever must live as long as it does.
pub struct Subject {
    broker: Arc<dyn Broker>,
    lacked: Mutex<Option<Capability>>,
    _held: Option<Box<dyn Any + Send + Sync>>,
}

/// A consumer with an easier voice: deliveries without assignments, and patience.
pub struct Reader {
    consumer: Box<dyn Consumer>,
    /// Every assignment so far.
    pub assigned: Vec<Assignment>,
    /// Every revocation so far.
    pub revoked: Vec<Assignment>,
}

/// A message whose payload is a number.
pub fn envelope(topic: &str, key: Option<&str>, body: u64) -> Envelope {
    let clock: &dyn Clock = &SystemClock;
    let envelope = Envelope::new(topic, "test.counted", "suite", clock, &mut Rng::from_seed(body))
        .with_payload(body.to_string().into_bytes());
    match key {
        Some(key) => envelope.with_key(Key::from(key)),
        None => envelope,
    }
}

/// Messages with the numbers of a range and one key.
pub fn envelopes(topic: &str, key: &str, bodies: std::ops::Range<u64>) -> Vec<Envelope> {
    bodies.map(|body| envelope(topic, Some(key), body)).collect()
}

/// The number in a delivery.
///
/// # Panics
/// When the record cannot be decoded or is none of ours.
pub fn body(delivery: &Delivery) -> u64 {
    let message = delivery.message.as_ref().expect("a record that can be decoded");
    let text = std::str::from_utf8(&message.payload).expect("a number as text");
    text.parse().expect("a number")
}

// === impl Subject ===

impl Subject {
    /// A broker that needs nothing else.
    pub fn new(broker: impl Broker + 'static) -> Self {
        Self { broker: Arc::new(broker), lacked: Mutex::default(), _held: None }
    }

    /// The same, and this is dropped with it: a temporary folder.
    #[must_use]
    pub fn holding(mut self, held: impl Any + Send + Sync) -> Self {
        self._held = Some(Box::new(held));
        self
    }

    /// The broker.
    pub fn broker(&self) -> &dyn Broker {
        &*self.broker
    }

    /// The broker as other parts take it.
    pub fn shared(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.broker)
    }

    /// Whether the broker cannot do this. A promise that rests on it ends then, and the table of
    /// promises says so.
    pub fn lacks(&self, capability: Capability) -> bool {
        let lacks = !self.has(capability);
        if lacks {
            *self.lacked.lock() = Some(capability);
        }
        lacks
    }

    /// Compares what a promise came to with the table of promises.
    ///
    /// # Panics
    /// When the table says something else.
    pub fn compare_with_table(&self, section: &str, promise: &str) {
        let backend = self.broker.capabilities().backend;
        let lacked = self.lacked.lock().map(|capability| capability.to_string());
        capabilities::compare(section, promise, backend, lacked.as_deref());
    }

    /// Whether the broker can do this.
    pub fn has(&self, capability: Capability) -> bool {
        self.broker.capabilities().has.contains(&capability)
    }

    /// Declares one topic, and `g` as its group: what has no history gives a group only what is
    /// published after that.
    pub async fn declare(&self, topic: &str, partitions: u32) {
        self.declare_with(topic, partitions, &["g"]).await;
    }

    /// Declares one topic with these groups.
    pub async fn declare_with(&self, topic: &str, partitions: u32, groups: &[&str]) {
        let topics = [Topic::new(topic).with_partitions(partitions)];
        let with = |topology: Topology, group: &&str| topology.with_group(*group, [topic.into()]);
        let topology = groups.iter().fold(Topology::of(topics), with);
        self.broker.declare(&topology).await.expect("a declared topic");
    }

    /// Publishes what must be accepted.
    pub async fn publish(&self, batch: Vec<Envelope>) -> Vec<Ack> {
        let answers = self.broker.publish(batch).await;
        answers.into_iter().map(|answer| answer.expect("a published record")).collect()
    }

    /// A member of a group with these settings.
    pub async fn join(&self, subscription: Subscription) -> Reader {
        let consumer = self.broker.subscribe(subscription).await.expect("a consumer");
        Reader { consumer, assigned: Vec::new(), revoked: Vec::new() }
    }

    /// A member of `group` on one topic.
    pub async fn reader(&self, group: &str, topic: &str) -> Reader {
        self.join(Subscription::new(group, [Name::from(topic)])).await
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("broker", &self.broker).finish_non_exhaustive()
    }
}

// === impl Reader ===

impl Reader {
    /// The consumer itself.
    pub fn consumer(&mut self) -> &mut dyn Consumer {
        &mut *self.consumer
    }

    /// Waits for the next incoming of any kind, and remembers assignments.
    pub async fn next(&mut self) -> Incoming {
        let next = tokio::time::timeout(PATIENCE, self.consumer.next()).await;
        let incoming = next.expect("an incoming in time").expect("a working consumer");
        match &incoming {
            Incoming::Assigned(list) => self.assigned.extend(list.iter().cloned()),
            Incoming::Revoked(list) => self.revoked.extend(list.iter().cloned()),
            Incoming::Deliveries(list) => assert!(!list.is_empty(), "deliveries are never empty"),
        }
        incoming
    }

    /// Waits until at least one delivery is there.
    pub async fn deliveries(&mut self) -> Vec<Delivery> {
        loop {
            if let Incoming::Deliveries(deliveries) = self.next().await {
                return deliveries;
            }
        }
    }

    /// Takes `count` deliveries without settling them; more is a failure.
    pub async fn take(&mut self, count: usize) -> Vec<Delivery> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.extend(self.deliveries().await);
        }
        assert_eq!(taken.len(), count, "more deliveries than expected");
        taken
    }

    /// Takes and settles `count` deliveries, and gives their numbers.
    pub async fn work_off(&mut self, count: usize) -> Vec<u64> {
        let mut bodies = Vec::with_capacity(count);
        while bodies.len() < count {
            for delivery in self.deliveries().await {
                assert!(self.done(&delivery), "a receipt in hand is valid");
                bodies.push(body(&delivery));
            }
        }
        bodies
    }

    /// Settles a delivery as done.
    pub fn done(&mut self, delivery: &Delivery) -> bool {
        self.consumer.settle(&delivery.receipt, Outcome::Done)
    }

    /// Waits for an assignment and takes nothing else.
    pub async fn assignment(&mut self) -> Vec<Assignment> {
        match self.next().await {
            Incoming::Assigned(assigned) => assigned,
            other => panic!("expected an assignment, got {other:?}"),
        }
    }

    /// Nothing reaches the consumer for a while.
    pub async fn stays_silent(&mut self) {
        let next = tokio::time::timeout(A_WHILE, self.consumer.next()).await;
        assert!(next.is_err(), "nothing should have come, but {next:?} did");
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("assigned", &self.assigned)
            .field("revoked", &self.revoked)
            .finish_non_exhaustive()
    }
}
