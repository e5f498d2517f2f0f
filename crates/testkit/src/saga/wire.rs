//! A broker between a saga and its participants that repeats, refuses or loses exactly what a trial asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use switchboard_core::{Clock, Envelope, Id, Identity, Key, Message, Name, Position, Rng};
use switchboard_message::{
    Ack, Broker, Capabilities, Consumer, Durability, Inspect, MemoryBroker, PublishError,
    SubscribeError, Subscription, Topic, Topology, TopologyError,
};
use switchboard_saga::{Action, Outcome, Reply};
use tokio::sync::watch;

/// Repeats come from a life of the store that it never had: no inbox knows them, so only the
/// memory of the question can.
const ANOTHER_LIFE: u32 = 1_000;

/// The broker in memory, with exact faults.
#[derive(Debug)]
pub(super) struct Wire {
    inner: MemoryBroker,
    clock: Arc<dyn Clock>,
    plan: Mutex<Plan>,
    /// How many records it was asked to publish.
    asked: watch::Sender<usize>,
}

#[derive(Debug)]
struct Plan {
    repeats: Repeats,
    refuse: BTreeSet<(String, Action)>,
    /// Commands that were refused: a relay may publish one again, and it stays refused.
    refused: BTreeSet<Id>,
    lose: BTreeSet<(String, Action)>,
    declared: BTreeSet<Name>,
    commands: Vec<Envelope>,
    rng: Rng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    Nothing,
    Undos,
    Everything,
}

/// What becomes of a record on its way.
enum Fate {
    Publish(Vec<Envelope>),
    Lose,
}

/// What a record is to a saga.
enum Part {
    Command(String, Action),
    Answer(String, Action),
    Other,
}

// === impl Wire ===

impl Wire {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let plan = Plan {
            repeats: Repeats::Nothing,
            refuse: BTreeSet::new(),
            refused: BTreeSet::new(),
            lose: BTreeSet::new(),
            declared: BTreeSet::new(),
            commands: Vec::new(),
            rng: Rng::from_seed(11),
        };
        let inner = MemoryBroker::new(clock.clone());
        Self { inner, clock, plan: Mutex::new(plan), asked: watch::Sender::new(0) }
    }

    /// How many records it was asked to publish so far.
    pub(super) fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    /// Waits until it was asked to publish this many records.
    pub(super) async fn until_asked(&self, count: usize) {
        let mut asked = self.asked.subscribe();
        asked.wait_for(|asked| *asked >= count).await.expect("the wire outlives whoever waits");
    }

    pub(super) fn repeat_everything(&self) {
        self.plan.lock().repeats = Repeats::Everything;
    }

    pub(super) fn repeat_undos(&self) {
        self.plan.lock().repeats = Repeats::Undos;
    }

    /// The next such command does not reach its participant; it is answered that it has failed.
    pub(super) fn refuse(&self, step: &str, action: Action) {
        self.plan.lock().refuse.insert((step.to_owned(), action));
    }

    /// The next answer to such a command is lost.
    pub(super) fn lose_answer(&self, step: &str, action: Action) {
        self.plan.lock().lose.insert((step.to_owned(), action));
    }

    /// A step and its undo go the same way, so that the undo never overtakes.
    pub(super) fn check_pairs(&self) {
        let mut ways: BTreeMap<String, (Name, Option<Key>)> = BTreeMap::new();
        for command in &self.plan.lock().commands {
            let Part::Command(step, _) = part(command) else { continue };
            let way = (command.topic.clone(), command.key.clone());
            let first = ways.entry(step.clone()).or_insert_with(|| way.clone());
            assert_eq!(*first, way, "`{step}` and its undo do not share topic and key");
        }
    }

    /// Publishes every command of the play once more, as other messages.
    pub(super) async fn send_all_again(&self) {
        let again: Vec<_> = {
            let mut plan = self.plan.lock();
            let commands = plan.commands.clone();
            commands.iter().map(|command| another(command, &*self.clock, &mut plan.rng)).collect()
        };
        for answer in self.inner.publish(again).await {
            answer.expect("the topics of the commands are declared");
        }
    }

    async fn declare_if_new(&self, topics: Vec<Name>) {
        for topic in topics {
            if self.plan.lock().declared.insert(topic.clone()) {
                let topology = Topology::of([Topic::new(topic)]);
                self.inner.declare(&topology).await.expect("a topic that is declared once");
            }
        }
    }

    fn fate(&self, envelope: Envelope) -> Fate {
        let mut plan = self.plan.lock();
        let plan = &mut *plan;
        let repeats = match part(&envelope) {
            Part::Command(step, action) => {
                let is_next = plan.refuse.remove(&(step.clone(), action));
                if is_next || plan.refused.contains(&envelope.id) {
                    plan.refused.insert(envelope.id);
                    return Fate::Publish(vec![self.refusal(&envelope, step, action, plan)]);
                }
                plan.commands.push(envelope.clone());
                plan.repeats == Repeats::Everything
                    || plan.repeats == Repeats::Undos && action == Action::Undo
            }
            Part::Answer(step, action) => {
                if plan.lose.remove(&(step, action)) {
                    return Fate::Lose;
                }
                plan.repeats == Repeats::Everything
            }
            Part::Other => false,
        };
        let again = repeats.then(|| another(&envelope, &*self.clock, &mut plan.rng));
        Fate::Publish([envelope].into_iter().chain(again).collect())
    }

    /// What the participant would answer if it had failed for good.
    fn refusal(
        &self,
        command: &Envelope,
        step: String,
        action: Action,
        plan: &mut Plan,
    ) -> Envelope {
        let reply = Reply {
            saga: header(command, "saga"),
            instance: header(command, "saga-instance"),
            step,
            epoch: header(command, "saga-epoch").parse().expect("an epoch is a number"),
            action,
            outcome: Outcome::Failed,
            reason: Some("the trial says no".to_owned()),
            data: serde_json::Value::Null,
        };
        let topic = header(command, "reply-to");
        let payload = serde_json::to_vec(&reply).expect("a reply is JSON");
        let envelope = Envelope::new(topic, Reply::KIND, "trial", &*self.clock, &mut plan.rng);
        Envelope { key: reply.key(), ..envelope }.with_payload(payload)
    }
}

fn header(envelope: &Envelope, name: &str) -> String {
    envelope.headers.get(name).map(ToString::to_string).unwrap_or_default()
}

fn part(envelope: &Envelope) -> Part {
    if envelope.kind == Reply::KIND {
        let reply: Reply = envelope.message().expect("a reply");
        return Part::Answer(reply.step, reply.action);
    }
    let step = header(envelope, "saga-step");
    match &*header(envelope, "saga-action") {
        "do" => Part::Command(step, Action::Do),
        "undo" => Part::Command(step, Action::Undo),
        _ => Part::Other,
    }
}

/// The same content as another message.
fn another(envelope: &Envelope, clock: &dyn Clock, rng: &mut Rng) -> Envelope {
    let life = ANOTHER_LIFE + u32::try_from(rng.below(1 << 30)).unwrap_or(0);
    let identity = envelope.identity.clone();
    let identity = identity.map(|identity| Identity { incarnation: life, ..identity });
    Envelope { id: Id::new(clock, rng), identity, ..envelope.clone() }
}

#[async_trait]
impl Broker for Wire {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        self.plan.lock().declared.extend(topology.topics.iter().map(|topic| topic.name.clone()));
        self.inner.declare(topology).await
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        let mut answers = Vec::with_capacity(batch.len());
        for envelope in batch {
            self.asked.send_modify(|asked| *asked += 1);
            let answer = match self.fate(envelope) {
                Fate::Publish(envelopes) => {
                    let topics: Vec<_> = envelopes.iter().map(|it| it.topic.clone()).collect();
                    self.declare_if_new(topics).await;
                    let mut answers = self.inner.publish(envelopes).await;
                    // The publisher asked for one record, and hears of that one.
                    answers.swap_remove(0)
                }
                Fate::Lose => Ok(Ack {
                    partition: 0,
                    position: Position::START,
                    epoch: 1,
                    durability: Durability::Memory,
                }),
            };
            answers.push(answer);
        }
        // Whoever waits for a count may end this process before it has its answers.
        tokio::task::yield_now().await;
        answers
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError> {
        self.declare_if_new(subscription.topics.clone()).await;
        self.inner.subscribe(subscription).await
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.inner.inspect()
    }
}
