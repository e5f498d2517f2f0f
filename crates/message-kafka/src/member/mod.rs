//! One member of a group: a thread that polls Kafka, and the consumer that is fed from it.
//!
//! ```text
//!  librdkafka ──poll──▶ thread ──accept──▶ buffer ──next──▶ in hand ──settle──▶ done
//!       ▲                  │  ▲                                                   │
//!       └── pause, commit ─┘  └──────────────── bell: orders, room, progress ─────┘
//! ```
//!
//! - `state` what both sides share, without any client
//! - `held` one partition: window, note, what was fetched
//! - `pump` the thread
//! - `bell` what wakes it

mod bell;
mod held;
mod pump;
mod state;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use switchboard_core::{BoxError, Name, Position};
use switchboard_message::{
    Assignment, ConsumeError, Consumer, Delivery, Incoming, Outcome, Receipt, Start, Subscription,
    metrics as common,
};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::client::{Fault, GroupConsumer};
use crate::graves::Graves;
use crate::options::DeadLetters;
use crate::{EPOCH, Options, record};
use bell::Bell;
use pump::Pump;
use state::{End, HandedOut, Order, Place, Settled, State, Step, Tp, Verdict};

/// Rises with every assignment in this process, so that the receipts of one are never taken for
/// those of another, not even of another member.
static GENERATION: AtomicU64 = AtomicU64::new(1);

/// What the consumer, its thread and the broker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) group: Name,
    topics: Vec<Source>,
    /// Whether the truth about its progress lies in its own store.
    own_progress: bool,
    state: Mutex<State>,
    /// Wakes the consumer.
    ready: Notify,
    bell: Arc<Bell>,
}

/// A topic that the group reads.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: Name,
    /// Its name on Kafka.
    pub(crate) place: String,
    pub(crate) partitions: u32,
}

/// The members of this process.
#[derive(Debug)]
pub(crate) struct Members {
    all: Mutex<HashMap<u64, Registered>>,
    next: AtomicU64,
    /// How many have left.
    left: watch::Sender<u64>,
}

#[derive(Debug)]
struct Registered {
    shared: Arc<Shared>,
    leaving: bool,
}

/// The consumer of one member; it leaves when it is dropped.
pub(crate) struct Member {
    id: u64,
    subscription: Subscription,
    shared: Arc<Shared>,
    members: Arc<Members>,
    graves: Arc<Graves>,
    runtime: tokio::runtime::Handle,
    options: Options,
}

// === impl Members ===

impl Members {
    pub(crate) fn new() -> Arc<Self> {
        let (left, _) = watch::channel(0);
        Arc::new(Self { all: Mutex::default(), next: AtomicU64::new(1), left })
    }

    /// Joins a group with one more member.
    pub(crate) fn join(
        self: &Arc<Self>,
        options: &Options,
        subscription: Subscription,
        topics: Vec<Source>,
        graves: Arc<Graves>,
    ) -> Result<Member, Fault> {
        let names = topics.iter().map(|topic| topic.name.clone()).collect();
        let places = topics.iter().map(|topic| topic.place.clone()).collect();
        let bell = Arc::new(Bell::default());
        let wake = Arc::clone(&bell);
        let group = format!("{}{}", options.prefix, subscription.group);
        let consumer = GroupConsumer::join(options, &group, places, move || wake.ring())?;
        let shared = Arc::new(Shared {
            group: subscription.group.clone(),
            topics,
            own_progress: subscription.resume.is_some(),
            state: Mutex::new(State::new(names, subscription.max_in_flight)),
            ready: Notify::new(),
            bell,
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let registered = Registered { shared: Arc::clone(&shared), leaving: false };
        self.all.lock().insert(id, registered);
        let (members, runtime) = (Arc::clone(self), tokio::runtime::Handle::current());
        let member =
            Member { id, subscription, shared, members, graves, runtime, options: options.clone() };
        Pump::spawn(consumer, options, Arc::clone(&member.shared), id, Arc::clone(self))?;
        metrics::counter!(common::REBALANCES, "group" => member.shared.group.to_string())
            .increment(1);
        Ok(member)
    }

    /// The members of a group that have not begun to leave.
    pub(crate) fn of(&self, group: &str) -> Vec<Arc<Shared>> {
        let all = self.all.lock();
        let present =
            all.values().filter(|member| !member.leaving && *member.shared.group == *group);
        present.map(|member| Arc::clone(&member.shared)).collect()
    }

    /// All members.
    pub(crate) fn all(&self) -> Vec<Arc<Shared>> {
        self.all.lock().values().map(|member| Arc::clone(&member.shared)).collect()
    }

    /// Waits for the members that have begun to leave: of one group, or of all.
    pub(crate) async fn left(&self, group: Option<&str>) {
        let mut left = self.left.subscribe();
        let leaving = || {
            let all = self.all.lock();
            let of =
                |member: &&Registered| group.is_none_or(|group| *member.shared.group == *group);
            all.values().filter(of).any(|member| member.leaving)
        };
        while leaving() {
            // The sender lives as long as we do.
            let _ = left.changed().await;
        }
    }

    /// Every member leaves; waits until they have.
    pub(crate) async fn close(&self) {
        let all: Vec<u64> = self.all.lock().keys().copied().collect();
        for id in all {
            self.leave(id, true);
        }
        self.left(None).await;
    }

    fn leave(&self, id: u64, closed: bool) {
        let mut all = self.all.lock();
        let Some(member) = all.get_mut(&id) else { return };
        member.leaving = true;
        let shared = Arc::clone(&member.shared);
        drop(all);
        let mut state = shared.state.lock();
        if closed {
            state.end.get_or_insert(End::Closed);
        }
        state.orders.push(Order::Leave);
        drop(state);
        shared.ready.notify_one();
        shared.bell.ring();
    }

    fn gone(&self, id: u64) {
        self.all.lock().remove(&id);
        self.left.send_modify(|count| *count += 1);
    }
}

// === impl Shared ===

impl Shared {
    fn place(&self, (topic, partition): Tp) -> (String, u32) {
        (self.topics[topic].place.clone(), partition)
    }

    fn tp(&self, place: &str, partition: u32) -> Option<Tp> {
        Some((self.topics.iter().position(|topic| topic.place == place)?, partition))
    }

    /// Whether this member, by its own account, holds a partition.
    pub(crate) fn holds(&self, topic: &str, partition: u32) -> bool {
        let topic = self.topics.iter().position(|source| source.name == *topic);
        topic.is_some_and(|topic| self.state.lock().holds((topic, partition)))
    }

    /// Whether the group's progress is its own store's affair.
    pub(crate) fn keeps_progress(&self) -> bool {
        self.own_progress
    }

    /// Commits what is done, and waits for Kafka's answer.
    pub(crate) async fn flush(&self) {
        let (answer, done) = oneshot::channel();
        self.order(Order::Flush(answer));
        // A member that has left has committed.
        let _ = done.await;
    }

    /// Moves the group in a partition that this member holds.
    pub(crate) async fn move_to(
        &self,
        topic: &str,
        partition: u32,
        position: u64,
    ) -> Result<(), BoxError> {
        let topic = self.topics.iter().position(|source| source.name == *topic);
        let topic = topic.ok_or("the group does not read this topic")?;
        let (answer, moved) = oneshot::channel();
        self.order(Order::Move { tp: (topic, partition), position, answer });
        moved.await.unwrap_or_else(|_| Err("the group has just been left".into()))
    }

    fn order(&self, order: Order) {
        let mut state = self.state.lock();
        state.orders.push(order);
        drop(state);
        self.bell.ring();
    }

    /// A dead letter was acknowledged, or was given up with its member.
    fn buried(&self, tp: Tp, generation: u64, position: u64, done: bool) {
        self.state.lock().buried(tp, generation, position, done);
        self.bell.ring();
        self.ready.notify_one();
    }
}

// === impl Member ===

impl Member {
    /// Asks where each partition begins, and begins those that are still this member's.
    async fn begin(&self, places: Vec<Place>) -> Result<Vec<Assignment>, ConsumeError> {
        let mut begins = Vec::with_capacity(places.len());
        for place in places {
            let source = &self.shared.topics[place.tp.0];
            let known = match (place.at, &self.subscription.resume) {
                (Some(at), _) => Some(at),
                (None, Some(resume)) => {
                    let known = resume.resume(&source.name, place.tp.1).await;
                    known.map_err(ConsumeError::Unavailable)?.map(|known| {
                        // Another epoch is another log: its positions say nothing about this one.
                        if known.epoch == EPOCH { known.position.0 } else { 0 }
                    })
                }
                (None, None) => place.committed.position,
            };
            let after = self.beginning(&place, known)?;
            begins.push((place, after));
        }
        let mut state = self.shared.state.lock();
        let mut assigned = Vec::with_capacity(begins.len());
        for (place, after) in begins {
            if state.begin(&place, after) {
                assigned.push(Assignment {
                    topic: self.shared.topics[place.tp.0].name.clone(),
                    partition: place.tp.1,
                    epoch: EPOCH,
                    position: Position(after),
                });
            }
        }
        drop(state);
        self.shared.bell.ring();
        assigned.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(assigned)
    }

    /// The position after which an assignment begins.
    fn beginning(&self, place: &Place, known: Option<u64>) -> Result<u64, ConsumeError> {
        let &Place { tp: (topic, partition), first, last, .. } = place;
        let Some(position) = known else {
            return Ok(match self.subscription.start {
                Start::Beginning => first.saturating_sub(1),
                Start::End => last,
            });
        };
        let (group, topic) = (&self.subscription.group, &self.shared.topics[topic].name);
        if position + 1 < first {
            let (group, topic) = (group.clone(), topic.clone());
            return Err(ConsumeError::BelowRetention {
                group,
                topic,
                partition,
                position,
                oldest: first,
            });
        }
        if position > last {
            tracing::warn!(%group, %topic, partition, position, last, "position beyond the end");
            // These records are not those that the position counts: the topic was made anew. What
            // was handled is recognised; what was not must not be passed.
            return Ok(first.saturating_sub(1));
        }
        Ok(position)
    }

    fn delivery(&self, handed_out: HandedOut) -> Delivery {
        let HandedOut { tp: (topic, partition), generation, redelivered, raw } = handed_out;
        let source = &self.shared.topics[topic];
        Delivery {
            receipt: Receipt {
                topic: source.name.clone(),
                partition,
                position: Position(raw.position),
                epoch: EPOCH,
                generation,
            },
            message: record::envelope(&raw, &source.name, &source.place, partition),
            redelivered,
        }
    }

    /// Writes a dead letter, and settles the record once it is acknowledged.
    fn bury(&self, letter: HandedOut) {
        let (shared, graves) = (Arc::clone(&self.shared), Arc::clone(&self.graves));
        self.runtime.spawn(async move {
            let HandedOut { tp, generation, redelivered, raw } = letter;
            let source = &shared.topics[tp.0];
            let still = || shared.state.lock().is_held(tp, generation);
            let done = graves.bury(&shared.group, source, tp.1, &raw, redelivered, still).await;
            shared.buried(tp, generation, raw.position, done);
        });
    }

    fn count(&self, name: &'static str) {
        metrics::counter!(name, "group" => self.shared.group.to_string()).increment(1);
    }

    async fn wait(&self, until: Option<Instant>) {
        match until {
            None => self.shared.ready.notified().await,
            Some(due) => {
                let _either = tokio::time::timeout_at(due, self.shared.ready.notified()).await;
            }
        }
    }
}

#[async_trait]
impl Consumer for Member {
    async fn next(&mut self) -> Result<Incoming, ConsumeError> {
        // Nothing is awaited after a step has handed something out, so that dropping this future
        // loses nothing.
        loop {
            let (step, roomy) = {
                let mut state = self.shared.state.lock();
                let step = state.step(Instant::now());
                (step, state.is_half_empty())
            };
            match step {
                Step::End(End::Closed) => return Err(ConsumeError::Closed),
                Step::End(End::Broken) => {
                    return Err(ConsumeError::Unavailable("the Kafka client is broken".into()));
                }
                Step::Fail(failure) => return Err(failure),
                Step::Revoked(revoked) => return Ok(Incoming::Revoked(revoked)),
                Step::Place(places) => {
                    let assigned = self.begin(places).await?;
                    if !assigned.is_empty() {
                        return Ok(Incoming::Assigned(assigned));
                    }
                }
                Step::Deliver(handed_out) => {
                    if roomy {
                        self.shared.bell.ring();
                    }
                    let deliveries = handed_out.into_iter().map(|one| self.delivery(one));
                    return Ok(Incoming::Deliveries(deliveries.collect()));
                }
                Step::Wait(until) => self.wait(until).await,
            }
        }
    }

    fn settle(&mut self, receipt: &Receipt, outcome: Outcome) -> bool {
        let verdict = match outcome {
            Outcome::Done => Verdict::Done,
            Outcome::Retry(at) => {
                Verdict::Again(Instant::now() + at.since(self.options.clock.now()))
            }
            Outcome::Reject => {
                tracing::warn!(?receipt, "a delivery was given up");
                self.count(common::REJECTED);
                match self.options.dead_letters {
                    DeadLetters::Off => Verdict::Done,
                    DeadLetters::To(_) => Verdict::Bury,
                }
            }
        };
        let mut state = self.shared.state.lock();
        let clean = !state.dirty;
        let settled = state.settle(receipt, verdict);
        let news = (clean && state.dirty) || state.draining;
        drop(state);
        if news {
            // The thread is told once that there is something to commit, and of each delivery that
            // it waits for.
            self.shared.bell.ring();
        }
        match settled {
            Settled::Stale => {
                self.count(common::STALE_RECEIPTS);
                false
            }
            Settled::Taken => true,
            Settled::Bury(letter) => {
                self.bury(letter);
                true
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Its thread does what blocks.
        self.members.leave(self.id, false);
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("group", &self.subscription.group).finish_non_exhaustive()
    }
}
