//! One queue as pure state: what waits, what is in whose hands, what is on its way out.
//!
//! ```text
//!        settled but for holes           cursor              end
//!   ──┬───────────▒──────▒▒────────────────┬──────────────────┬──▶ positions of a queue
//!     dropped     │      │                 │ never handed out │
//!                 a hole is in a worker's hands, or came back and waits, or is doomed
//! ```
//!
//! What waits is what came back (`back`, and `later` until its moment comes) in the order of coming
//! back, then what was taken and never handed out (`again`), then what lies behind the cursor. Only
//! the holes take memory. Notes know positions and no order, so after a restart what came back
//! stands as it first came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchboard_core::Timestamp;
use tokio::sync::Notify;

use super::ranges::Ranges;
use super::returned::Returned;
use super::store::{Back, Note, State};
use crate::Outcome;
use crate::exchange::{Queue, Reason};

/// The most jobs that one call of `next` hands out.
const MAX_BATCH: u64 = 1_024;
/// The most messages that are dead-lettered at once.
const MAX_BURIED: usize = 64;

/// A queue of one broker.
#[derive(Debug)]
pub(super) struct Line {
    delivery_limit: u32,
    max_length: Option<u64>,
    single: bool,
    expires: bool,
    /// The newest position there is.
    end: u64,
    /// The newest position that was handed out or doomed.
    cursor: u64,
    /// Up to here a message may have been handed out by a life that crashed.
    careful_to: u64,
    settled: Ranges,
    /// Came back and wait, with their counts.
    back: Returned,
    /// Taken for a worker and not handed out.
    again: BTreeSet<u64>,
    /// Came back and wait for a moment.
    later: BTreeMap<(Timestamp, u64), u32>,
    /// The same by position.
    later_at: BTreeMap<u64, Timestamp>,
    /// To be dead-lettered.
    doomed: BTreeMap<u64, Reason>,
    /// Being dead-lettered.
    leaving: BTreeMap<u64, Reason>,
    seats: BTreeMap<u64, Seat>,
    last_number: u64,
    /// Whether somebody sees to what is doomed and what expires.
    pub(super) tended: bool,
    /// The message for whose expiry that somebody waits.
    pub(super) watched: Option<u64>,
}

/// A worker's place at a queue.
#[derive(Debug)]
struct Seat {
    prefetch: usize,
    held: BTreeMap<u64, Held>,
    bell: Arc<Notify>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    position: u64,
    count: u32,
    /// Its turn among those that came back; `None` if it was never handed out.
    turn: Option<u64>,
}

/// A message that a worker is about to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) number: u64,
    pub(super) position: u64,
    /// How often it came back.
    pub(super) count: u32,
    /// Whether a life that crashed may have handed it out.
    pub(super) suspect: bool,
}

/// What a worker does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Read these and hand them out.
    Take(Vec<Claim>),
    /// Wait for the bell, or until this moment.
    Wait(Option<Timestamp>),
}

/// What became of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The tag is not good any more.
    Stale,
    /// The message is out of the queue.
    Done(u64),
    /// It waits again.
    Back(u64, Back),
    /// It is to be dead-lettered.
    Doomed,
}

/// What there is to do beside the workers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// Dead-letter these.
    Bury(Vec<(u64, Reason)>),
    /// Look whether this one has expired: it is the first that waits.
    Expire(u64),
    /// Nothing.
    None,
}

// === impl Line: its life ===

impl Line {
    /// A queue as an earlier life left it.
    pub(super) fn new(queue: &Queue, state: State) -> Self {
        let State { settled, back, handed, end, clean } = state;
        let handed = back.keys().next_back().copied().unwrap_or(0).max(handed).min(end);
        let mut line = Self {
            delivery_limit: queue.delivery_limit,
            max_length: queue.max_length,
            single: queue.single_active_consumer,
            expires: queue.ttl.is_some(),
            end,
            cursor: handed,
            careful_to: if clean { 0 } else { end },
            settled,
            back: Returned::default(),
            again: BTreeSet::new(),
            later: BTreeMap::new(),
            later_at: BTreeMap::new(),
            doomed: BTreeMap::new(),
            leaving: BTreeMap::new(),
            seats: BTreeMap::new(),
            last_number: 0,
            tended: false,
            watched: None,
        };
        for position in line.settled.gaps_to(handed) {
            // A life that crashed had these in its hands, as far as anybody knows.
            let unknown = Back { count: u32::from(!clean), due: None };
            line.put_back(position, back.get(&position).copied().unwrap_or(unknown));
        }
        line.limit_length();
        line
    }

    /// Everything about the queue that outlives a crash.
    pub(super) fn note(&self, queue: usize) -> Note {
        let came_back = self.back.iter().map(|(p, count)| (p, Back { count, due: None }));
        let later = self
            .later
            .iter()
            .map(|((due, position), count)| (*position, Back { count: *count, due: Some(*due) }));
        let settled = self.settled.to_vec();
        let again = self.again.iter().map(|position| (*position, Back { count: 0, due: None }));
        let back = came_back.chain(later).chain(again).chain(self.in_hands()).collect();
        Note { queue, handed: self.cursor, settled, back }
    }

    /// What is in workers' hands, counted as if it had come back: should this life end now, it
    /// has.
    pub(super) fn in_hands(&self) -> impl Iterator<Item = (u64, Back)> {
        let held = self.seats.values().flat_map(|seat| seat.held.values());
        held.map(|held| (held.position, Back { count: held.count.saturating_add(1), due: None }))
    }

    /// The position up to which everything is settled.
    pub(super) fn floor(&self) -> u64 {
        self.settled.floor()
    }

    pub(super) const fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Notes the newest position, drops what is too much, and wakes workers.
    pub(super) fn published(&mut self, last: u64) {
        self.end = self.end.max(last);
        self.limit_length();
        self.wake();
    }

    /// Messages that wait, those for later included.
    pub(super) fn ready(&self) -> u64 {
        (self.back.len() + self.later.len()) as u64 + self.fresh()
    }

    pub(super) fn unsettled(&self) -> u64 {
        self.seats.values().map(|seat| seat.held.len() as u64).sum()
    }

    pub(super) fn workers(&self) -> u64 {
        self.seats.len() as u64
    }

    /// Messages that were never handed out.
    fn fresh(&self) -> u64 {
        let behind = self.end - self.cursor - self.settled.count_above(self.cursor);
        self.again.len() as u64 + behind
    }

    fn limit_length(&mut self) {
        let Some(limit) = self.max_length else { return };
        while self.ready() > limit {
            let Some(position) = self.head() else { return };
            self.doom(position, Reason::MaxLen);
        }
    }
}

// === impl Line: workers ===

impl Line {
    pub(super) fn join(&mut self, worker: u64, prefetch: usize, bell: Arc<Notify>) {
        self.seats.insert(worker, Seat { prefetch, held: BTreeMap::new(), bell });
    }

    /// Takes back what a worker had. Returns what waits again.
    pub(super) fn leave(&mut self, worker: u64, now: Timestamp) -> Vec<(u64, Back)> {
        self.promote(now);
        let Some(seat) = self.seats.remove(&worker) else { return Vec::new() };
        let mut returned = Vec::with_capacity(seat.held.len());
        for held in seat.held.into_values() {
            if let Settled::Back(position, back) = self.come_back(held, None) {
                returned.push((position, back));
            }
        }
        self.limit_length();
        self.wake();
        returned
    }

    /// What this worker does next. What it takes is its own from this moment on.
    pub(super) fn look(&mut self, worker: u64, now: Timestamp) -> Step {
        self.promote(now);
        let active = !self.single || self.seats.keys().next() == Some(&worker);
        let Some(seat) = self.seats.get(&worker).filter(|_| active) else {
            return Step::Wait(None);
        };
        let room = seat.room();
        let waiting = self.back.len() as u64 + self.fresh();
        let rooms = match self.single {
            true => 1,
            false => self.seats.values().filter(|seat| seat.room() > 0).count() as u64,
        };
        let share = waiting.div_ceil(rooms.max(1)).min(room as u64).min(MAX_BATCH);
        let (claims, held): (Vec<Claim>, Vec<_>) = (0..share).map_while(|_| self.claim()).unzip();
        if claims.is_empty() {
            let soonest = self.later.keys().next().map(|(due, _)| *due);
            return Step::Wait(soonest.filter(|_| room > 0));
        }
        if let Some(seat) = self.seats.get_mut(&worker) {
            seat.held.extend(claims.iter().map(|claim| claim.number).zip(held));
        }
        Step::Take(claims)
    }

    /// Gives back what was taken and not handed out.
    pub(super) fn unclaim(&mut self, worker: u64, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            match self.remove_held(worker, number) {
                Some(Held { position, count, turn: Some(turn) }) => {
                    self.back.put_back(turn, position, count);
                }
                Some(fresh) => drop(self.again.insert(fresh.position)),
                None => {}
            }
        }
        self.limit_length();
        self.wake();
    }

    pub(super) fn settle(
        &mut self,
        worker: u64,
        number: u64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Settled {
        // Whose moment has come by now came back before this one.
        self.promote(now);
        let Some(held) = self.remove_held(worker, number) else { return Settled::Stale };
        let settled = match outcome {
            Outcome::Done => {
                self.settled.insert(held.position, held.position);
                Settled::Done(held.position)
            }
            Outcome::Retry(due) => self.come_back(held, Some(due).filter(|due| *due > now)),
            Outcome::Reject => {
                self.doomed.insert(held.position, Reason::Rejected);
                Settled::Doomed
            }
        };
        self.limit_length();
        if settled != Settled::Done(held.position) {
            self.wake();
        }
        settled
    }

    /// Dooms what a worker holds instead of handing it out.
    pub(super) fn doom_held(&mut self, worker: u64, number: u64, reason: Reason) {
        if let Some(held) = self.remove_held(worker, number) {
            self.doomed.insert(held.position, reason);
        }
    }

    /// Rings every worker who has room: one that is busy may hear it much later.
    pub(super) fn wake(&self) {
        self.seats.values().filter(|seat| seat.room() > 0).for_each(|seat| seat.bell.notify_one());
    }

    /// Rings every worker, because all of it is over.
    pub(super) fn wake_all(&self) {
        self.seats.values().for_each(|seat| seat.bell.notify_one());
    }

    fn remove_held(&mut self, worker: u64, number: u64) -> Option<Held> {
        self.seats.get_mut(&worker)?.held.remove(&number)
    }

    fn claim(&mut self) -> Option<(Claim, Held)> {
        let (turn, position, count) = match self.back.pop() {
            Some((turn, position, count)) => (Some(turn), position, count),
            None => (None, self.next_fresh()?, 0),
        };
        self.again.remove(&position);
        self.cursor = self.cursor.max(position);
        self.last_number += 1;
        let suspect = position <= self.careful_to;
        let claim = Claim { number: self.last_number, position, count, suspect };
        Some((claim, Held { position, count, turn }))
    }

    /// The first that was never handed out.
    fn next_fresh(&self) -> Option<u64> {
        if let Some(first) = self.again.first() {
            return Some(*first);
        }
        let next = self.cursor + 1;
        let next = self.settled.stretch_end(next).map_or(next, |end| end + 1);
        (next <= self.end).then_some(next)
    }

    fn come_back(&mut self, held: Held, due: Option<Timestamp>) -> Settled {
        let back = Back { count: held.count.saturating_add(1), due };
        self.put_back(held.position, back);
        match self.doomed.contains_key(&held.position) {
            true => Settled::Doomed,
            false => Settled::Back(held.position, back),
        }
    }

    fn put_back(&mut self, position: u64, Back { count, due }: Back) {
        if count > self.delivery_limit {
            self.doomed.insert(position, Reason::DeliveryLimit);
            return;
        }
        match due {
            None => self.back.push(position, count),
            Some(due) => {
                self.later.insert((due, position), count);
                self.later_at.insert(position, due);
            }
        }
    }

    /// Lets wait for a worker what has waited for its moment.
    fn promote(&mut self, now: Timestamp) {
        while let Some(entry) = self.later.first_entry() {
            let (due, position) = *entry.key();
            if due > now {
                return;
            }
            let count = entry.remove();
            self.later_at.remove(&position);
            self.back.push(position, count);
        }
    }
}

// === impl Line: the way out ===

impl Line {
    /// The message that goes first when the queue is too long or its messages too old.
    pub(super) fn head(&self) -> Option<u64> {
        let later = || self.later_at.keys().next().copied();
        self.back.first().or_else(later).or_else(|| self.next_fresh())
    }

    /// Gives up a message that waits, if it still does.
    pub(super) fn doom(&mut self, position: u64, reason: Reason) {
        let waits = self.back.remove(position)
            || self.later_at.remove(&position).is_some_and(|due| {
                self.later.remove(&(due, position));
                true
            })
            || self.next_fresh() == Some(position);
        if waits {
            self.again.remove(&position);
            self.cursor = self.cursor.max(position);
            self.doomed.insert(position, reason);
        }
    }

    /// What there is to do now; whoever is told to bury says how it went.
    pub(super) fn chore(&mut self) -> Chore {
        let mut bury = Vec::new();
        while bury.len() < MAX_BURIED
            && let Some((position, reason)) = self.doomed.pop_first()
        {
            self.leaving.insert(position, reason);
            bury.push((position, reason));
        }
        if !bury.is_empty() {
            return Chore::Bury(bury);
        }
        match self.head() {
            Some(head) if self.expires => Chore::Expire(head),
            _ => Chore::None,
        }
    }

    pub(super) fn has_chores(&self) -> bool {
        !self.doomed.is_empty() || (self.expires && self.head().is_some())
    }

    /// Whether whoever waits for an expiry has something to do before.
    pub(super) fn is_urgent(&self) -> bool {
        let earlier = |watched| self.head().is_some_and(|head| head < watched);
        !self.doomed.is_empty() || self.watched.is_some_and(earlier)
    }

    /// These are dead-lettered: they lie where their exchange sent them.
    pub(super) fn buried(&mut self, positions: impl IntoIterator<Item = u64>) {
        for position in positions {
            if self.leaving.remove(&position).is_some() {
                self.settled.insert(position, position);
            }
        }
    }

    /// Whatever was to be dead-lettered and could not be, still has to be.
    pub(super) fn not_buried(&mut self) {
        self.doomed.append(&mut self.leaving);
    }
}

// === impl Seat ===

impl Seat {
    fn room(&self) -> usize {
        self.prefetch.saturating_sub(self.held.len())
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
