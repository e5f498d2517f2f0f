//! One member as pure state: what it holds, what was fetched, what is handed out, what is to be told.

use std::collections::{BTreeSet, HashMap, VecDeque};

use switchboard_core::{BoxError, Name, Position};
use switchboard_message::{Assignment, ConsumeError, Receipt};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::held::Held;
use crate::EPOCH;
use crate::client::{Committed, Raw};
use crate::window::Stage;

/// A topic, by its place in the subscription, and a partition.
pub(crate) type Tp = (usize, u32);

/// The most records that one call of `next` hands out.
const MAX_BATCH: usize = 1_024;
/// Bytes of fetched records that wait to be handed out, at most.
const BUFFER_BYTES: usize = 16 << 20;
/// Fetched records that wait to be handed out: twice what may be in flight, within these.
const BUFFER: (usize, usize) = (1_024, 16_384);

/// What one member knows.
#[derive(Debug)]
pub(super) struct State {
    topics: Vec<Name>,
    max_in_flight: usize,
    /// Set once nothing more will come.
    pub(super) end: Option<End>,
    /// Told once each.
    failures: VecDeque<ConsumeError>,
    revoked: Vec<Assignment>,
    /// Partitions whose beginning is not known yet.
    pub(super) places: Vec<Place>,
    held: HashMap<Tp, Held>,
    buffer: VecDeque<(Tp, Raw)>,
    buffer_bytes: usize,
    in_flight: usize,
    /// What is to be delivered again, soonest first.
    waiting: BTreeSet<(Instant, Tp, u64)>,
    /// Records that are on their way to the dead letters.
    pub(super) burying: usize,
    /// What the thread is asked to do.
    pub(super) orders: Vec<Order>,
    /// There is progress that was not committed.
    pub(super) dirty: bool,
    /// Something is to be given up once nothing of it is in hand.
    pub(super) draining: bool,
}

/// Why nothing more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The broker was closed.
    Closed,
    /// The client is broken.
    Broken,
}

/// A partition that was assigned and has not begun.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) tp: Tp,
    pub(super) generation: u64,
    /// The oldest position kept.
    pub(super) first: u64,
    /// The newest position.
    pub(super) last: u64,
    pub(super) committed: Committed,
    /// Where an operator has put the group.
    pub(super) at: Option<u64>,
}

/// What the thread of a member is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Read on after this position.
    Begin { tp: Tp, generation: u64, after: u64 },
    /// Move the group in a partition that this member holds.
    Move { tp: Tp, position: u64, answer: oneshot::Sender<Result<(), BoxError>> },
    /// Commit now.
    Flush(oneshot::Sender<()>),
    /// Leave the group.
    Leave,
}

/// What the consumer does next.
#[derive(Debug)]
pub(super) enum Step {
    End(End),
    Fail(ConsumeError),
    Revoked(Vec<Assignment>),
    Place(Vec<Place>),
    Deliver(Vec<HandedOut>),
    Wait(Option<Instant>),
}

/// A record on its way to the consumer.
#[derive(Debug)]
pub(super) struct HandedOut {
    pub(super) tp: Tp,
    pub(super) generation: u64,
    pub(super) redelivered: u32,
    pub(super) raw: Raw,
}

/// What settling changed.
#[derive(Debug)]
pub(super) enum Settled {
    /// Nothing: it was not in hand.
    Stale,
    /// It is done, or waits.
    Taken,
    /// It is to become a dead letter.
    Bury(HandedOut),
}

/// What became of a delivery, with times that can be waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    Done,
    Again(Instant),
    Bury,
}

// === impl State: what the consumer does ===

impl State {
    pub(super) fn new(topics: Vec<Name>, max_in_flight: usize) -> Self {
        Self {
            topics,
            max_in_flight,
            end: None,
            failures: VecDeque::new(),
            revoked: Vec::new(),
            places: Vec::new(),
            held: HashMap::new(),
            buffer: VecDeque::new(),
            buffer_bytes: 0,
            in_flight: 0,
            waiting: BTreeSet::new(),
            burying: 0,
            orders: Vec::new(),
            dirty: false,
            draining: false,
        }
    }

    /// What comes next; what it hands out counts as handed out.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        if let Some(end) = self.end {
            return Step::End(end);
        }
        if !self.revoked.is_empty() {
            return Step::Revoked(std::mem::take(&mut self.revoked));
        }
        if let Some(failure) = self.failures.pop_front() {
            return Step::Fail(failure);
        }
        if !self.places.is_empty() {
            return Step::Place(self.places.clone());
        }
        let handed_out = self.hand_out(now);
        if !handed_out.is_empty() {
            return Step::Deliver(handed_out);
        }
        Step::Wait(self.waiting.first().map(|(due, ..)| *due))
    }

    /// Begins a partition, unless its assignment ended meanwhile. Returns whether it began.
    pub(super) fn begin(&mut self, place: &Place, after: u64) -> bool {
        let same = |other: &Place| other.tp == place.tp && other.generation == place.generation;
        let Some(index) = self.places.iter().position(same) else { return false };
        self.places.swap_remove(index);
        let held = Held::new(place.generation, after, &place.committed);
        self.held.insert(place.tp, held);
        let (tp, generation) = (place.tp, place.generation);
        self.orders.push(Order::Begin { tp, generation, after });
        // The beginning is remembered even if nothing is ever delivered.
        self.dirty = true;
        true
    }

    fn hand_out(&mut self, now: Instant) -> Vec<HandedOut> {
        let mut all = Vec::new();
        while let Some(&(due, tp, position)) = self.waiting.first() {
            if due > now || all.len() >= MAX_BATCH {
                break;
            }
            self.waiting.pop_first();
            let Some(held) = self.held.get_mut(&tp).filter(|held| !held.draining) else { continue };
            let Some(entry) = held.window.get(position) else { continue };
            let Some(raw) = entry.raw.clone() else { continue };
            entry.stage = Stage::InHand;
            entry.redelivered += 1;
            let (generation, redelivered) = (held.generation, entry.redelivered);
            all.push(HandedOut { tp, generation, redelivered, raw });
        }
        while self.in_flight < self.max_in_flight && all.len() < MAX_BATCH {
            let Some((tp, raw)) = self.buffer.pop_front() else { break };
            self.buffer_bytes -= raw.bytes().min(self.buffer_bytes);
            let Some(held) = self.held.get_mut(&tp) else { continue };
            let generation = held.generation;
            match held.hand_out(raw) {
                Some((redelivered, raw)) => {
                    self.in_flight += 1;
                    all.push(HandedOut { tp, generation, redelivered, raw });
                }
                // It was done already; that is progress.
                None => self.dirty = true,
            }
        }
        all
    }

    /// Settles a delivery.
    pub(super) fn settle(&mut self, receipt: &Receipt, verdict: Verdict) -> Settled {
        let Some(topic) = self.topics.iter().position(|topic| *topic == receipt.topic) else {
            return Settled::Stale;
        };
        let (tp, position) = ((topic, receipt.partition), receipt.position.0);
        let held = self.held.get_mut(&tp).filter(|held| held.generation == receipt.generation);
        let Some(held) = held else { return Settled::Stale };
        let Some(entry) = held.window.get(position) else { return Settled::Stale };
        if entry.stage != Stage::InHand {
            return Settled::Stale;
        }
        match verdict {
            Verdict::Done => {
                held.window.finish(position);
                self.in_flight -= 1;
                self.dirty = true;
                Settled::Taken
            }
            Verdict::Again(due) => {
                entry.stage = Stage::Waiting;
                self.waiting.insert((due, tp, position));
                Settled::Taken
            }
            Verdict::Bury => {
                entry.stage = Stage::Waiting;
                let redelivered = entry.redelivered;
                let Some(raw) = entry.raw.clone() else { return Settled::Stale };
                self.burying += 1;
                let generation = held.generation;
                Settled::Bury(HandedOut { tp, generation, redelivered, raw })
            }
        }
    }

    /// A dead letter was acknowledged, or will not be written any more.
    pub(super) fn buried(&mut self, tp: Tp, generation: u64, position: u64, done: bool) {
        self.burying -= 1;
        let held = self.held.get_mut(&tp).filter(|held| held.generation == generation);
        if let (true, Some(held)) = (done, held)
            && held.window.finish(position)
        {
            self.in_flight -= 1;
            self.dirty = true;
        }
    }
}

// === impl State: what the thread does ===

impl State {
    /// Takes a fetched record in, unless it is none that is expected.
    pub(super) fn accept(&mut self, tp: Tp, raw: Raw) {
        if let Some(held) = self.held.get_mut(&tp)
            && held.accept(raw.position)
        {
            self.buffer_bytes += raw.bytes();
            self.buffer.push_back((tp, raw));
        }
    }

    /// Records that may be fetched now.
    pub(super) fn room(&self) -> usize {
        if self.buffer_bytes >= BUFFER_BYTES {
            return 0;
        }
        self.capacity() - self.buffer.len().min(self.capacity())
    }

    /// Half of what was fetched is handed out.
    pub(super) fn is_half_empty(&self) -> bool {
        self.buffer_bytes <= BUFFER_BYTES / 2 && self.buffer.len() <= self.capacity() / 2
    }

    fn capacity(&self) -> usize {
        self.max_in_flight.saturating_mul(2).clamp(BUFFER.0, BUFFER.1)
    }

    pub(super) fn fail(&mut self, failure: ConsumeError) {
        self.failures.push_back(failure);
    }

    /// Hands nothing more of these partitions out. What is in hand can still be settled.
    pub(super) fn drain(&mut self, tps: &[Tp]) {
        self.draining = true;
        self.places.retain(|place| !tps.contains(&place.tp));
        for tp in tps {
            if let Some(held) = self.held.get_mut(tp) {
                held.draining = true;
            }
        }
        self.forget_fetched(tps);
    }

    fn forget_fetched(&mut self, tps: &[Tp]) {
        self.buffer.retain(|(tp, _)| !tps.contains(tp));
        self.buffer_bytes = self.buffer.iter().map(|(_, raw)| raw.bytes()).sum();
    }

    /// Deliveries of these partitions that are in hand.
    pub(super) fn in_hand(&self, tps: &[Tp]) -> usize {
        tps.iter().filter_map(|tp| self.held.get(tp)).map(|held| held.window.in_hand()).sum()
    }

    /// Ends the assignment of partitions: from now on their receipts are stale. Returns the
    /// progress that is to be committed.
    pub(super) fn revoke(&mut self, tps: &[Tp]) -> Vec<(Tp, u64, String)> {
        self.drain(tps);
        self.draining = false;
        let mut progress = Vec::new();
        for tp in tps {
            let Some(held) = self.held.remove(tp) else { continue };
            self.in_flight -= held.window.outstanding().min(self.in_flight);
            self.revoked.push(Assignment {
                topic: self.topics[tp.0].clone(),
                partition: tp.1,
                epoch: EPOCH,
                position: Position(held.window.done()),
            });
            let (position, note) = held.progress();
            progress.push((*tp, position, note));
        }
        self.waiting.retain(|(_, tp, _)| !tps.contains(tp));
        progress
    }

    /// Progress to be committed: what has changed since the last time, or all of it.
    pub(super) fn progress(&mut self, all: bool) -> Vec<(Tp, u64, String)> {
        self.dirty = false;
        let mut progress = Vec::new();
        for (tp, held) in &mut self.held {
            let now = held.progress();
            if all || held.committed.as_ref() != Some(&now) {
                progress.push((*tp, now.0, now.1.clone()));
                held.committed = Some(now);
            }
        }
        progress
    }

    /// What was committed last may not have reached Kafka: it is committed again.
    pub(super) fn commit_again(&mut self) {
        self.dirty = true;
        self.held.values_mut().for_each(|held| held.committed = None);
    }

    /// Nothing more can be handed out or settled. Returns the last progress.
    pub(super) fn finish(&mut self, end: End) -> Vec<(Tp, u64, String)> {
        let progress = self.progress(true);
        self.end.get_or_insert(end);
        self.held.clear();
        self.buffer.clear();
        self.waiting.clear();
        progress
    }

    /// Whether this is the present assignment of a partition.
    pub(super) fn is_held(&self, tp: Tp, generation: u64) -> bool {
        self.held.get(&tp).is_some_and(|held| held.generation == generation && !held.draining)
    }

    /// Partitions that are read now, with the last position that was fetched of each.
    pub(super) fn reading(&self) -> Vec<(Tp, u64)> {
        let reading = self.held.iter().filter(|(_, held)| !held.draining);
        reading.map(|(tp, held)| (*tp, held.fetched)).collect()
    }

    /// The partitions that this member holds, begun or not.
    pub(super) fn holds(&self, tp: Tp) -> bool {
        self.held.contains_key(&tp) || self.places.iter().any(|place| place.tp == tp)
    }
}
