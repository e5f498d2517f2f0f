//! A saga alone with its store: the test is the broker, the participants and the passing of time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use switchboard_core::{Clock, Envelope, Key, Message, Position, Rng, Timestamp};
use switchboard_handler::Group;
use switchboard_message::{Broker, MemoryBroker, Topic, Topology};
use switchboard_saga::{Action, Definition, Orchestrator, Outcome, Phase, Reply, SAGAS, Shown};
use switchboard_store::memory::Image;
use switchboard_store::{
    CommitError, Committed, Inbox, Journal, MemoryStore, Outbox, Rows, Table, TimerOp, Timers, Unit,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::trip::{REPLIES, TRIPS, Trip, trip};

const GROUP: &str = "trips.saga";
static TABLES: &[&Table] = &[&SAGAS, &TRIPS];

/// Time that moves as tokio's does.
#[derive(Debug)]
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus(self.0.elapsed())
    }
}

pub(crate) struct World {
    clock: Arc<dyn Clock>,
    pub(crate) store: Arc<MemoryStore>,
    broker: MemoryBroker,
    pub(crate) saga: Orchestrator<Trip>,
    seen: Position,
    rng: Rng,
    group: JoinHandle<()>,
}

/// An answer as a participant would send it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) step: &'a str,
    pub(crate) action: Action,
    pub(crate) epoch: u32,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<&'a str>,
}

/// It is done.
pub(crate) fn done(step: &str) -> Told<'_> {
    Told { step, action: Action::Do, epoch: 1, outcome: Outcome::Done, reason: None }
}

/// It is refused, for this reason.
pub(crate) fn refused<'a>(step: &'a str, reason: &'a str) -> Told<'a> {
    Told { outcome: Outcome::Rejected, reason: Some(reason), ..done(step) }
}

/// The same about the undo.
pub(crate) fn undo(told: Told<'_>) -> Told<'_> {
    Told { action: Action::Undo, ..told }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(trip()).await
    }

    pub(crate) async fn of(definition: Arc<Definition<Trip>>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Virtual(tokio::time::Instant::now()));
        let broker = MemoryBroker::new(clock.clone());
        let topics = [Topic::new(REPLIES), Topic::new("agency")];
        broker.declare(&Topology::of(topics)).await.unwrap();
        let store = MemoryStore::new("trips", TABLES, clock.clone(), Rng::from_seed(1));
        Self::over(definition, clock, broker, store, Position::START)
    }

    fn over(
        definition: Arc<Definition<Trip>>,
        clock: Arc<dyn Clock>,
        broker: MemoryBroker,
        store: MemoryStore,
        seen: Position,
    ) -> Self {
        let store = Arc::new(store);
        let saga = Orchestrator::new(definition, store.clone(), clock.clone());
        let seam: Arc<dyn Broker> = Arc::new(broker.clone());
        let group = Group::new(GROUP, store.clone(), seam, clock.clone(), Rng::from_seed(2));
        let group = saga.register(group);
        let group = tokio::spawn(async move {
            group.run(CancellationToken::new()).await.expect("nobody ends the group");
        });
        Self { clock, store, broker, saga, seen, rng: Rng::from_seed(3), group }
    }

    /// Everything in the process is gone; what the store had committed is there again.
    pub(crate) async fn crash(self) -> Self {
        let (image, clock, broker, seen): (Image, _, _, _) =
            (self.store.image(), self.clock.clone(), self.broker.clone(), self.seen);
        self.group.abort();
        quiet().await;
        let store = MemoryStore::from_image(image, TABLES, clock.clone(), Rng::from_seed(4));
        Self::over(trip(), clock, broker, store, seen)
    }

    pub(crate) async fn commit(&self, unit: Unit) -> Result<Committed, CommitError> {
        self.store.commit(unit).await
    }

    pub(crate) async fn start(&self, id: &str) {
        let unit = self.saga.start(id, &Trip { id: id.to_owned() });
        self.commit(unit).await.unwrap();
    }

    /// A participant answers; returns once the answer is handled.
    pub(crate) async fn told(&mut self, id: &str, told: Told<'_>) {
        let reply = Reply {
            saga: "trip".to_owned(),
            instance: id.to_owned(),
            step: told.step.to_owned(),
            epoch: told.epoch,
            action: told.action,
            outcome: told.outcome,
            reason: told.reason.map(str::to_owned),
            data: Json::Null,
        };
        let envelope = Envelope::new(REPLIES, Reply::KIND, "agency", &*self.clock, &mut self.rng)
            .with_key(Key::from(id))
            .with_payload(serde_json::to_vec(&reply).unwrap());
        self.publish(envelope).await;
    }

    async fn publish(&self, envelope: Envelope) {
        for answer in self.broker.publish(vec![envelope]).await {
            answer.unwrap();
        }
        quiet().await;
    }

    /// What was asked for since the last look: `do room #1`.
    pub(crate) async fn asked(&mut self) -> Vec<String> {
        let outgoing = self.store.outgoing(self.seen, 1_000).await.unwrap();
        let mut asked = Vec::new();
        for outgoing in outgoing {
            self.seen = outgoing.position;
            let header = |name: &str| outgoing.envelope.headers.get(name).cloned();
            if let Some(step) = header("saga-step") {
                let (action, epoch) = (header("saga-action"), header("saga-epoch"));
                asked.push(format!("{} {step} #{}", action.unwrap(), epoch.unwrap()));
            }
        }
        asked
    }

    /// Time passes, and timers that are due by then fire, as the relay would have it.
    pub(crate) async fn pass(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
        let (due, _) = self.store.due_timers(self.clock.now(), 100).await.unwrap();
        for timer in due {
            let fired = self.commit(Unit::new().timer(TimerOp::Fire { id: timer.id })).await;
            let position = fired.unwrap().position;
            let message = self.store.outgoing(Position(position.0 - 1), 1).await.unwrap();
            self.publish(message.into_iter().next().unwrap().envelope).await;
        }
    }

    /// How many timers are set.
    pub(crate) async fn timers(&self) -> usize {
        let end = Timestamp::from_micros(i64::MAX);
        self.store.due_timers(end, 100).await.unwrap().0.len()
    }

    pub(crate) async fn shown(&self, id: &str) -> Shown {
        self.saga.load(id).await.unwrap().unwrap()
    }

    pub(crate) async fn phase(&self, id: &str) -> Phase {
        self.shown(id).await.run.state.phase
    }

    /// The types of a run's events.
    pub(crate) async fn trail(&self, id: &str) -> Vec<String> {
        self.shown(id).await.events.iter().map(|event| event.kind.to_string()).collect()
    }

    /// What the service's own row shows.
    pub(crate) async fn shows(&self, id: &str) -> String {
        let row = self.store.row(&TRIPS, id).await.unwrap();
        row.map(|row| row.text("shows").to_owned()).unwrap_or_default()
    }

    /// Keys that are parked.
    pub(crate) async fn parked(&self) -> Vec<String> {
        let gates = self.store.gates(Some(GROUP), 100).await.unwrap();
        gates.iter().map(|gate| gate.key.to_string()).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.group.abort();
    }
}

/// On paused time everything that can happen has happened after this.
pub(crate) async fn quiet() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}
