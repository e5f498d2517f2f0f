//! What the tests of this crate share: a world with one store and one broker, and messages whose effects can be counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use switchboard_core::{Clock, Envelope, Identity, Key, Message, Name, Rng, Slot, Timestamp};
use switchboard_handler::{Error, Failure, Group, Options};
use switchboard_message::{Broker, MemoryBroker, Topic, Topology};
use switchboard_store::{Gate, Inbox, Journal, MemoryStore, NewEvent, Unit};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const GROUP: &str = "readers";

/// A note about something, with a number that tells it from others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) about: String,
    pub(crate) number: u64,
}

impl Message for Note {
    const TOPIC: &'static str = "notes";
    const KIND: &'static str = "note";
    fn key(&self) -> Option<Key> {
        (!self.about.is_empty()).then(|| Key::from(self.about.as_str()))
    }
}

/// Time that moves as tokio's does.
#[derive(Debug)]
pub(crate) struct PausedClock(Instant, AtomicU64);

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

/// One store, one broker, one clock, and a sender with dense identities.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Arc<PausedClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) broker: MemoryBroker,
    sent: Arc<Mutex<HashMap<Slot, u64>>>,
    seed: Arc<AtomicU64>,
}

/// A group that runs.
pub(crate) struct Running {
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), Error>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(PausedClock(Instant::now(), AtomicU64::new(0)));
        let broker = MemoryBroker::new(clock.clone());
        let topics = [Topic::new("notes"), Topic::new("others")];
        broker.declare(&Topology::of(topics)).await.unwrap();
        let store = MemoryStore::new("reader", &[], clock.clone(), Rng::from_seed(1));
        Self {
            clock,
            store: Arc::new(store),
            broker,
            sent: Arc::default(),
            seed: Arc::new(AtomicU64::new(10)),
        }
    }

    /// A group of this world without handlers.
    pub(crate) fn group(&self, name: &str) -> Group {
        let rng = Rng::from_seed(self.seed.fetch_add(1, Ordering::SeqCst));
        let broker = Arc::new(self.broker.clone());
        Group::new(name, self.store.clone(), broker, self.clock.clone(), rng)
    }

    /// A group that handles notes with this function.
    pub(crate) fn notes<F>(&self, decide: F) -> Group
    where
        F: Fn(&Note) -> Result<Unit, Failure> + Send + Sync + 'static,
    {
        self.group(GROUP).on(move |note: Note, _| std::future::ready(decide(&note)))
    }

    pub(crate) fn envelope(&self, about: &str, number: u64) -> Envelope {
        let note = Note { about: about.to_owned(), number };
        let mut rng = Rng::from_seed(1_000_000 + self.seed.fetch_add(1, Ordering::SeqCst));
        let mut envelope = Envelope::new("notes", "note", "writer", &*self.clock, &mut rng)
            .with_payload(serde_json::to_vec(&note).unwrap());
        envelope.key = note.key();
        let slot = envelope.key.as_ref().map_or(Slot(7), Slot::of);
        let mut sent = self.sent.lock();
        let sequence = sent.entry(slot).or_default();
        *sequence += 1;
        let (source, sequence) = (Name::from("writer"), *sequence);
        envelope.identity = Some(Identity { source, incarnation: 1, sequence, slot });
        envelope
    }

    pub(crate) async fn publish(&self, envelope: &Envelope) {
        for answer in self.broker.publish(vec![envelope.clone()]).await {
            answer.unwrap();
        }
    }

    pub(crate) async fn send(&self, about: &str, number: u64) {
        self.publish(&self.envelope(about, number)).await;
    }

    /// The numbers whose effects a stream holds, in order, repeats included.
    pub(crate) async fn effects(&self, about: &str) -> Vec<u64> {
        let events = self.store.stream(about, 0, 10_000).await.unwrap();
        events.iter().map(|event| String::from_utf8_lossy(&event.data).parse().unwrap()).collect()
    }

    pub(crate) async fn gate(&self, about: &str) -> Option<Gate> {
        self.store.gate(GROUP, &Key::from(about)).await.unwrap()
    }

    pub(crate) async fn gates(&self) -> Vec<Gate> {
        self.store.gates(Some(GROUP), 1_000).await.unwrap()
    }

    /// Waits until a stream has this many effects.
    pub(crate) async fn until(&self, about: &str, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(3_600);
        while self.effects(about).await.len() < count {
            let effects = self.effects(about).await;
            assert!(Instant::now() < deadline, "`{about}` has only {effects:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Running {
    pub(crate) fn of(group: Group) -> Self {
        let shutdown = CancellationToken::new();
        Self { task: tokio::spawn(group.run(shutdown.clone())), shutdown }
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

/// The effect of a note: one event, so that repeats and order show.
pub(crate) fn effect(note: &Note) -> Unit {
    let mut unit = Unit::new();
    let stream = if note.about.is_empty() { "keyless" } else { &note.about };
    unit.events.push(NewEvent {
        stream: stream.into(),
        kind: "Noted".into(),
        schema: 1,
        tags: Vec::new(),
        data: note.number.to_string().into(),
    });
    unit
}

/// Options with short delays and no immediate tries.
pub(crate) fn delays(seconds: &[u64]) -> Options {
    let delays = seconds.iter().copied().map(Duration::from_secs).collect();
    Options { immediate: 0, delays, ..Options::default() }
}

pub(crate) async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}
