//! Who has a place, who waits for one, and who has been given one and does not know yet: pure, and under one lock.
//!
//! `taken` counts the places that are in use or promised; every waiter that is given a place is counted in it from that moment on. So a
//! waiter who leaves must say so, and gets asked which of the two it was: one who only waited leaves nothing behind, one who was given a
//! place hands it on. That is the whole defence against places that vanish with their waiters.
//!
//! What wakes a waiter is never dropped in here but handed out, to be dropped without the lock: the last waker of a task may take the task
//! with it, and a place that the task holds.
//!
//! Nobody overtakes: while somebody waits, every place is taken, because a place that becomes free goes to the first in the queue.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use crate::settings::Mode;

/// Numbered in the order in which callers began to wait.
pub(crate) type Ticket = u64;

/// The places of a bulkhead. `W` is what wakes a waiter.
#[derive(Debug)]
pub(crate) struct Places<W> {
    limit: usize,
    queue: usize,
    mode: Mode,
    taken: usize,
    waiting: BTreeMap<Ticket, Waiter<W>>,
    given: BTreeSet<Ticket>,
    next: Ticket,
}

#[derive(Debug)]
struct Waiter<W> {
    wake: W,
    since: Instant,
}

/// The answer to a caller who wants a place at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// It has one, and must release it.
    Place,
    /// It passes without one: the bulkhead is disabled.
    Pass,
    /// There is none free.
    Busy,
    /// An operator lets nothing through.
    Isolated,
}

/// The answer to a caller who asks whether its turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn<W> {
    /// It has a place, and must release it.
    Place,
    /// It passes without one, and wakes nobody any more by this.
    Pass(W),
    /// Not yet.
    NotYet,
}

/// What is left of a waiter who leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left<W> {
    /// It had a place, which somebody else has now: wake them.
    Next(W),
    /// It only waited, and would have been woken by this.
    Waker(W),
    /// It had a place, and nobody waits for it.
    Nothing,
}

// === impl Places ===

impl<W> Places<W> {
    /// All free.
    pub(crate) fn new(limit: usize, queue: usize) -> Self {
        Self {
            limit,
            queue,
            mode: Mode::Judging,
            taken: 0,
            waiting: BTreeMap::new(),
            given: BTreeSet::new(),
            next: 0,
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn queue(&self) -> usize {
        self.queue
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    pub(crate) fn free(&self) -> usize {
        self.limit.saturating_sub(self.taken)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether one more may wait.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < self.queue
    }

    /// Since when the first in the queue waits.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|(_, waiter)| waiter.since)
    }

    /// Takes a place if one is free.
    pub(crate) fn take(&mut self) -> Take {
        match self.mode {
            Mode::Isolated => Take::Isolated,
            Mode::Disabled => Take::Pass,
            Mode::Judging if self.taken < self.limit => {
                self.taken += 1;
                Take::Place
            }
            Mode::Judging => Take::Busy,
        }
    }

    /// Joins the queue; `None` when that is full.
    pub(crate) fn join(&mut self, wake: W, now: Instant) -> Option<Ticket> {
        if !self.has_room() {
            return None;
        }
        let ticket = self.next;
        self.next += 1;
        self.waiting.insert(ticket, Waiter { wake, since: now });
        Some(ticket)
    }

    /// Whether the turn of this ticket has come. After anything but [`Turn::NotYet`] it is used up.
    pub(crate) fn ask(&mut self, ticket: Ticket) -> Turn<W> {
        if self.given.remove(&ticket) {
            return Turn::Place;
        }
        if self.mode == Mode::Disabled
            && let Some(waiter) = self.waiting.remove(&ticket)
        {
            return Turn::Pass(waiter.wake);
        }
        Turn::NotYet
    }

    /// Wakes this waiter by other means from now on; the former means.
    pub(crate) fn rewake(&mut self, ticket: Ticket, wake: W) -> Option<W> {
        let waiter = self.waiting.get_mut(&ticket)?;
        Some(std::mem::replace(&mut waiter.wake, wake))
    }

    /// The holder of this ticket waits no longer. A place that it was given goes to the next.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Left<W> {
        if self.given.remove(&ticket) {
            return self.release().map_or(Left::Nothing, Left::Next);
        }
        self.waiting.remove(&ticket).map_or(Left::Nothing, |waiter| Left::Waker(waiter.wake))
    }

    /// A place becomes free; whom to wake, if somebody gets it.
    pub(crate) fn release(&mut self) -> Option<W> {
        debug_assert!(self.taken > 0, "a place was released twice");
        self.taken -= 1;
        self.give()
    }

    /// Changes how many places and how long a queue there are; whom to wake. With fewer places the
    /// calls that are running end in peace, and nobody new comes in until there are few enough.
    pub(crate) fn resize(&mut self, limit: usize, queue: usize) -> Vec<W> {
        (self.limit, self.queue) = (limit, queue);
        std::iter::from_fn(|| self.give()).collect()
    }

    fn give(&mut self) -> Option<W> {
        if self.mode == Mode::Isolated || self.taken >= self.limit {
            return None;
        }
        let (ticket, waiter) = self.waiting.pop_first()?;
        self.taken += 1;
        self.given.insert(ticket);
        Some(waiter.wake)
    }
}

impl<W: Clone> Places<W> {
    /// Does what an operator asks; whom to wake.
    pub(crate) fn switch(&mut self, mode: Mode) -> Vec<W> {
        self.mode = mode;
        match mode {
            Mode::Judging => std::iter::from_fn(|| self.give()).collect(),
            // They ask, and pass.
            Mode::Disabled => self.waiting.values().map(|waiter| waiter.wake.clone()).collect(),
            Mode::Isolated => Vec::new(),
        }
    }
}
