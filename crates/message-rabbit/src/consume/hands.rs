//! What a member has in its hands: deliveries that have come, and those that it has not settled.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use switchboard_core::{Clock, Id, Name, Position, Rng, Timestamp};
use switchboard_message::{Assignment, Contiguous, Delivery, Incoming, Receipt};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::EPOCH;
use super::tags::How;
use crate::wire::{self, Raw};

/// A partition of a topic.
pub(crate) type Place = (Name, u32);

/// Deliveries handed out by one call, at most.
const AT_ONCE: usize = 128;

/// One member's hands, shared with the tasks that fill them.
#[derive(Debug)]
pub(crate) struct Hands {
    state: Mutex<State>,
    bell: Notify,
    limit: usize,
    clock: Arc<dyn Clock>,
    numbers: Arc<Numbers>,
}

/// Positions and generations that this process gives away: RabbitMQ has neither.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    position: AtomicU64,
    generation: AtomicU64,
}

/// What was settled and is to be told to the server by the task that owns the channel.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    list: Mutex<Vec<(u64, u64, How)>>,
    pub(crate) bell: Notify,
}

/// A message that has come and was not handed out.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) tag: u64,
    pub(crate) raw: Raw,
    pub(crate) redelivered: u32,
}

#[derive(Debug)]
struct State {
    /// Assignments and revocations that the member was not told yet.
    news: VecDeque<Incoming>,
    flows: HashMap<Place, Flow>,
    /// Partitions with something to hand out, each in its turn.
    turns: VecDeque<Place>,
    /// Handed out and not settled, those that wait for their moment included.
    in_flight: usize,
    waiting: BTreeSet<(Instant, Place, u64)>,
    closed: bool,
    rng: Rng,
}

/// The traffic of one partition.
#[derive(Debug)]
struct Flow {
    /// Which life of which channel it is; `None` while there is no channel.
    generation: Option<u64>,
    arrived: VecDeque<Arrived>,
    unsettled: HashMap<u64, Unsettled>,
    progress: Contiguous,
    settled: Arc<Settled>,
}

#[derive(Debug)]
struct Unsettled {
    tag: u64,
    raw: Raw,
    /// The id, should the message have none of its own.
    id: Id,
    /// When it was published, as far as it says.
    time: Timestamp,
    redelivered: u32,
    in_hand: bool,
}

/// What a member is to do next.
pub(super) enum Step {
    Take(Incoming),
    Wait(Option<Instant>),
    Closed,
}

/// What a partition of a member looks like from outside.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    pub(crate) position: Position,
    pub(crate) unsettled: u64,
    pub(crate) oldest: Option<Timestamp>,
}

// === impl Numbers ===

impl Numbers {
    /// The position before the next one. Positions of a partition rise over assignments, processes
    /// and restarts, because they begin with the time and no queue is faster than one message in
    /// a microsecond: progress that is stored with them never seems to fall.
    fn begin(&self, now: Timestamp) -> Position {
        let now = u64::try_from(now.as_micros()).unwrap_or(0);
        Position(self.position.fetch_max(now, Ordering::Relaxed).max(now))
    }

    fn position(&self) -> Position {
        Position(self.position.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed) + 1
    }
}

// === impl Settled ===

impl Settled {
    fn push(&self, generation: u64, tag: u64, how: How) {
        self.list.lock().push((generation, tag, how));
        self.bell.notify_one();
    }

    /// What was settled in this life of the channel. An ack of an older one must never reach the
    /// server: its number means another message now.
    pub(crate) fn take(&self, generation: u64) -> (Vec<(u64, How)>, usize) {
        let list = std::mem::take(&mut *self.list.lock());
        let all = list.len();
        let own: Vec<(u64, How)> = list
            .into_iter()
            .filter(|(of, ..)| *of == generation)
            .map(|(_, tag, how)| (tag, how))
            .collect();
        let stale = all - own.len();
        (own, stale)
    }
}

// === impl Hands ===

impl Hands {
    pub(super) fn new(limit: usize, clock: Arc<dyn Clock>, numbers: Arc<Numbers>) -> Self {
        let state = State {
            news: VecDeque::new(),
            flows: HashMap::new(),
            turns: VecDeque::new(),
            in_flight: 0,
            waiting: BTreeSet::new(),
            closed: false,
            rng: Rng::from_entropy(),
        };
        Self { state: Mutex::new(state), bell: Notify::new(), limit, clock, numbers }
    }

    /// These partitions are the member's now. The generations are those of the first channels.
    pub(super) fn assign(&self, places: Vec<(Place, Arc<Settled>, u64)>) {
        let mut state = self.state.lock();
        let mut list = Vec::with_capacity(places.len());
        for (place, settled, generation) in places {
            let position = self.numbers.begin(self.clock.now());
            list.push(assignment(&place, position));
            state.flows.insert(place, Flow::new(generation, position, settled));
        }
        state.news.push_back(Incoming::Assigned(list));
        drop(state);
        self.bell.notify_one();
    }

    /// These are not any more.
    pub(super) fn revoke(&self, places: &[Place]) {
        let mut state = self.state.lock();
        let mut list = Vec::with_capacity(places.len());
        for place in places {
            // One whose channel is lost was revoked when that happened.
            if let Some(position) = state.end(place) {
                list.push(assignment(place, position));
            }
            state.flows.remove(place);
        }
        if !list.is_empty() {
            state.news.push_back(Incoming::Revoked(list));
        }
        drop(state);
        self.bell.notify_one();
    }

    /// The channel of a partition is lost: all of it comes again.
    pub(super) fn lost(&self, place: &Place, settled: &Arc<Settled>) {
        let mut state = self.state.lock();
        if !state.is_of(place, settled) {
            return;
        }
        if let Some(position) = state.end(place) {
            let list = vec![assignment(place, position)];
            state.news.push_back(Incoming::Revoked(list));
        }
        drop(state);
        self.bell.notify_one();
    }

    /// A partition has a channel again.
    pub(super) fn found(&self, place: &Place, settled: &Arc<Settled>, generation: u64) {
        let mut state = self.state.lock();
        if !state.is_of(place, settled) {
            return;
        }
        let position = self.numbers.begin(self.clock.now());
        let Some(flow) = state.flows.get_mut(place) else { return };
        *flow = Flow::new(generation, position, Arc::clone(&flow.settled));
        state.news.push_back(Incoming::Assigned(vec![assignment(place, position)]));
        drop(state);
        self.bell.notify_one();
    }

    /// Messages have come, in the order of the queue.
    pub(super) fn arrived(&self, place: &Place, generation: u64, messages: Vec<Arrived>) {
        let mut state = self.state.lock();
        let Some(flow) = state.flows.get_mut(place) else { return };
        if flow.generation != Some(generation) || messages.is_empty() {
            return;
        }
        let was_empty = flow.arrived.is_empty();
        flow.arrived.extend(messages);
        if was_empty {
            state.turns.push_back(place.clone());
        }
        drop(state);
        self.bell.notify_one();
    }

    /// There will be nothing more.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.bell.notify_one();
    }

    pub(super) fn look(&self) -> Step {
        let mut state = self.state.lock();
        if state.closed {
            return Step::Closed;
        }
        if let Some(news) = state.news.pop_front() {
            return Step::Take(news);
        }
        let mut deliveries = state.due(Instant::now(), self.clock.now());
        state.hand_out(&mut deliveries, self);
        if deliveries.is_empty() {
            Step::Wait(state.waiting.first().map(|(due, ..)| *due))
        } else {
            Step::Take(Incoming::Deliveries(deliveries))
        }
    }

    pub(super) async fn wait(&self, until: Option<Instant>) {
        match until {
            None => self.bell.notified().await,
            Some(due) => {
                let _either = tokio::time::timeout_at(due, self.bell.notified()).await;
            }
        }
    }

    /// Settles a delivery that is in the member's hands. `again` keeps it here until then.
    pub(super) fn settle(&self, receipt: &Receipt, how: How, again: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        let place = (receipt.topic.clone(), receipt.partition);
        let position = receipt.position.0;
        let flow = state.flows.get_mut(&place);
        let Some(flow) = flow.filter(|flow| flow.generation == Some(receipt.generation)) else {
            return false;
        };
        let entry = flow.unsettled.get_mut(&position).filter(|entry| entry.in_hand);
        let Some(entry) = entry else { return false };
        if let Some(due) = again {
            entry.in_hand = false;
            state.waiting.insert((due, place, position));
            drop(state);
            self.bell.notify_one();
            return true;
        }
        let tag = entry.tag;
        flow.unsettled.remove(&position);
        flow.progress.finish(receipt.position);
        flow.settled.push(receipt.generation, tag, how);
        // Whoever settles asks for more: nobody waits at the bell meanwhile.
        state.in_flight -= 1;
        true
    }

    /// What can be seen of a partition here.
    pub(crate) fn sight(&self, place: &Place) -> Option<Sight> {
        let state = self.state.lock();
        let flow = state.flows.get(place)?;
        let unsettled = u64::try_from(flow.unsettled.len() + flow.arrived.len()).unwrap_or(0);
        let oldest = flow.unsettled.values().map(|entry| entry.time).min();
        let next = || flow.arrived.front().map(|next| published_at(&next.raw));
        Some(Sight {
            position: flow.progress.done(),
            unsettled,
            oldest: oldest.or_else(|| next().flatten()),
        })
    }
}

// === impl State ===

impl State {
    /// Whether the partition is fed by the task with these settlements, and not by a later one.
    fn is_of(&self, place: &Place, settled: &Arc<Settled>) -> bool {
        self.flows.get(place).is_some_and(|flow| Arc::ptr_eq(&flow.settled, settled))
    }

    /// Ends the life of a partition's channel. Returns the position that is done, if it lived.
    fn end(&mut self, place: &Place) -> Option<Position> {
        let flow = self.flows.get_mut(place)?;
        flow.generation.take()?;
        self.in_flight -= flow.unsettled.len();
        flow.unsettled.clear();
        flow.arrived.clear();
        let position = flow.progress.done();
        self.turns.retain(|other| other != place);
        self.waiting.retain(|(_, other, _)| other != place);
        Some(position)
    }

    /// Deliveries whose moment has come again.
    fn due(&mut self, now: Instant, today: Timestamp) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        while let Some((due, ..)) = self.waiting.first()
            && *due <= now
            && let Some((_, place, position)) = self.waiting.pop_first()
        {
            let Some(flow) = self.flows.get_mut(&place) else { continue };
            let Some(generation) = flow.generation else { continue };
            let Some(entry) = flow.unsettled.get_mut(&position) else { continue };
            entry.in_hand = true;
            entry.redelivered += 1;
            let id = entry.id;
            deliveries.push(Delivery {
                receipt: receipt(&place, generation, Position(position)),
                message: wire::decode(&entry.raw, &place.0, false, || id, today),
                redelivered: entry.redelivered,
            });
        }
        deliveries
    }

    /// Takes from each partition in its turn while there is room.
    fn hand_out(&mut self, deliveries: &mut Vec<Delivery>, hands: &Hands) {
        let today = hands.clock.now();
        while self.in_flight < hands.limit && deliveries.len() < AT_ONCE {
            let Some(place) = self.turns.pop_front() else { return };
            let room = (hands.limit - self.in_flight).min(AT_ONCE - deliveries.len());
            let Some(flow) = self.flows.get_mut(&place) else { continue };
            let Some(generation) = flow.generation else { continue };
            let count = flow.arrived.len().min(room);
            for arrived in flow.arrived.drain(..count) {
                let Arrived { tag, raw, redelivered } = arrived;
                let position = hands.numbers.position();
                let rng = &mut self.rng;
                let message =
                    wire::decode(&raw, &place.0, false, || Id::new(&*hands.clock, rng), today);
                let (id, time) = match &message {
                    Ok(envelope) => (envelope.id, envelope.time),
                    Err(_) => (Id::from_bytes([0; 16]), today),
                };
                let entry = Unsettled { tag, raw, id, time, redelivered, in_hand: true };
                flow.unsettled.insert(position.0, entry);
                flow.progress.start(position);
                let receipt = receipt(&place, generation, position);
                deliveries.push(Delivery { receipt, message, redelivered });
            }
            self.in_flight += count;
            if !flow.arrived.is_empty() {
                self.turns.push_back(place);
            }
        }
    }
}

// === impl Flow ===

impl Flow {
    fn new(generation: u64, position: Position, settled: Arc<Settled>) -> Self {
        Self {
            generation: Some(generation),
            arrived: VecDeque::new(),
            unsettled: HashMap::new(),
            progress: Contiguous::after(position),
            settled,
        }
    }
}

fn published_at(raw: &Raw) -> Option<Timestamp> {
    let seconds = (*raw.properties.timestamp())?;
    Some(Timestamp::from_micros(i64::try_from(seconds).ok()?.saturating_mul(1_000_000)))
}

fn assignment((topic, partition): &Place, position: Position) -> Assignment {
    Assignment { topic: topic.clone(), partition: *partition, epoch: EPOCH, position }
}

fn receipt((topic, partition): &Place, generation: u64, position: Position) -> Receipt {
    Receipt { topic: topic.clone(), partition: *partition, position, epoch: EPOCH, generation }
}
