//! Who has a place, who waits for one, and who has been given one and does not know yet: pure, and under one lock.
//!
//! `taken` counts the places that are in use or promised; every waiter that is given a place is counted in it from that moment on. So a
//! waiter who leaves must say so, and gets asked which of the two it was: one who only waited leaves nothing behind, one who was given a
//! place hands it on. That is the whole defence against places that vanish with their waiters.
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
pub(crate) enum Turn {
    /// It has a place, and must release it.
    Place,
    /// It passes without one.
    Pass,
    /// Not yet.
    NotYet,
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
        if self.waiting.len() >= self.queue {
            return None;
        }
        let ticket = self.next;
        self.next += 1;
        self.waiting.insert(ticket, Waiter { wake, since: now });
        Some(ticket)
    }

    /// Whether the turn of this ticket has come. After anything but [`Turn::NotYet`] it is used up.
    pub(crate) fn ask(&mut self, ticket: Ticket) -> Turn {
        if self.given.remove(&ticket) {
            Turn::Place
        } else if self.mode == Mode::Disabled && self.waiting.remove(&ticket).is_some() {
            Turn::Pass
        } else {
            Turn::NotYet
        }
    }

    /// Wakes this waiter by other means from now on.
    pub(crate) fn rewake(&mut self, ticket: Ticket, wake: W) {
        if let Some(waiter) = self.waiting.get_mut(&ticket) {
            waiter.wake = wake;
        }
    }

    /// The holder of this ticket waits no longer. A place that it was given goes to the next.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<W> {
        if self.given.remove(&ticket) {
            return self.release();
        }
        self.waiting.remove(&ticket);
        None
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
