//! At most so many calls run at once, and at most so many wait, so that one slow dependency cannot take every worker.
//!
//! Without walls, the slowest kind of work ends up holding all threads, connections and memory, and what was healthy dies with it. A
//! bulkhead gives each kind its own number of places ([`Pools`]); when its places and its queue are full, calls are rejected at once,
//! which is cheap, instead of late, which is not.
//!
//! ```text
//!            ┌ queue ≤ 30, each at most 500 ms ┐   ┌ 30 places ┐
//!   call ──▶ │ first in, first out             │──▶│ running   │──▶ answer (or the end of its body)
//!      └──▶ rejected: full                     └──▶ rejected: waited too long, or its deadline passed
//! ```
//!
//! A call asks for its place when it is called, not when the service is asked whether it is ready: a server asks that for each idle
//! connection, and a thousand of them would hold a thousand places (D4). A [`Place`] is free again when it is dropped,
//! wherever that happens; take one by hand for work that outlives its future, such as a blocking task.
//!
//! Not for limiting how *often* something happens: that is a [rate limit](crate::rate_limit).
//!
//! ```
//! use switchboard_resilience::bulkhead::{Bulkhead, Options};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let thumbnails = Bulkhead::new("thumbnails", Options::new(2).unwrap());
//! let place = thumbnails.try_acquire().expect("two places are free");
//! let work = tokio::task::spawn_blocking(move || {
//!     let _place = place; // The place is taken until the work has ended, whoever still waits.
//!     6 * 7
//! });
//! assert_eq!(work.await.unwrap(), 42);
//! assert_eq!(thumbnails.free(), 2);
//! # }
//! ```

mod acquire;
mod control;
mod layer;
mod options;
mod places;
mod pools;
mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use metrics::Histogram;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::numbers::Numbers;
use crate::{Call, PolicyName, Reason, Rejected, shed};
use places::{Left, Places, Take, Ticket};

pub use acquire::Acquire;
pub use layer::BulkheadLayer;
pub use options::Options;
pub use pools::{ByRoute, Choose, Pools};
pub use service::InBulkhead;

/// A number of places. Clones are one bulkhead.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: PolicyName,
    state: Mutex<State>,
    numbers: Numbers,
    waits: Histogram,
}

#[derive(Debug)]
struct State {
    places: Places<Waker>,
    max_wait: Duration,
}

/// A place that is taken until this is dropped. Belongs to nobody, so it can move into a task, a
/// thread or a body.
#[derive(Debug)]
#[must_use = "the place is free again when this is dropped"]
pub struct Place {
    bulkhead: Bulkhead,
    /// Not while the bulkhead is disabled: then nothing is counted, and nothing is given back.
    is_counted: bool,
}

/// The answer to a call at the door.
#[derive(Debug)]
enum Entry {
    /// It has a place.
    Inside(Place),
    /// It may wait for one, if the queue still has room when it joins.
    Queue,
    /// It goes away.
    Rejected(Rejected),
}

// === impl Bulkhead ===

impl Bulkhead {
    /// All places free.
    pub fn new(name: impl Into<PolicyName>, options: Options) -> Self {
        let name = name.into();
        let reasons = [
            Reason::BulkheadFull,
            Reason::BulkheadTimeout,
            Reason::DeadlineExceeded,
            Reason::Isolated,
        ];
        let numbers = Numbers::new("bulkhead", name, &reasons);
        let waits = numbers.waits();
        let places = Places::new(options.places, options.queue);
        let state = Mutex::new(State { places, max_wait: options.max_wait });
        Self { shared: Arc::new(Shared { name, state, numbers, waits }) }
    }

    /// Its name.
    pub fn name(&self) -> PolicyName {
        self.shared.name
    }

    /// A place, if one is free now. Never waits, and never says "busy" for any other reason (D5).
    ///
    /// # Errors
    /// [`Reason::BulkheadFull`], or [`Reason::Isolated`] when an operator lets nothing through.
    pub fn try_acquire(&self) -> Result<Place, Rejected> {
        let mut state = self.shared.state.lock();
        match self.enter(&mut state) {
            Entry::Inside(place) => Ok(place),
            Entry::Rejected(rejected) => Err(rejected),
            Entry::Queue => Err(self.full(&state)),
        }
    }

    /// A place for this call, after a wait in the queue if need be.
    ///
    /// # Errors
    /// The future ends with [`Reason::BulkheadFull`] at once when the queue is full as well, with
    /// [`Reason::BulkheadTimeout`] after the longest wait, with [`Reason::DeadlineExceeded`] when
    /// the call's deadline comes first.
    pub fn acquire(&self, call: &Call) -> Acquire {
        Acquire::new(self.clone(), call.deadline)
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.shared.state.lock().places.limit()
    }

    /// How many are free now.
    pub fn free(&self) -> usize {
        self.shared.state.lock().places.free()
    }

    /// How many are taken now; more than there are while it shrinks.
    pub fn taken(&self) -> usize {
        self.shared.state.lock().places.taken()
    }

    /// How many calls wait now.
    pub fn waiting(&self) -> usize {
        self.shared.state.lock().places.waiting()
    }

    /// How long the first in the queue has waited; zero when nobody waits.
    pub fn oldest_wait(&self, now: Instant) -> Duration {
        let oldest = self.shared.state.lock().places.oldest();
        oldest.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Changes the number of places, at once. With fewer, calls that are running end in peace, and
    /// none begins until there are few enough. A number below 1 or above
    /// [`Options::MOST_PLACES`] is taken as that bound.
    pub fn resize(&self, places: usize) {
        self.change(|state| {
            let queue = state.places.queue();
            state.places.resize(places.clamp(1, Options::MOST_PLACES), queue)
        });
    }

    /// Takes a place, or says what to do without one.
    fn enter(&self, state: &mut State) -> Entry {
        match state.places.take() {
            Take::Place => Entry::Inside(self.place(true)),
            Take::Pass => Entry::Inside(self.place(false)),
            Take::Isolated => Entry::Rejected(self.shared.numbers.reject(Reason::Isolated)),
            Take::Busy if state.max_wait.is_zero() || !state.places.has_room() => {
                Entry::Rejected(self.full(state))
            }
            Take::Busy => Entry::Queue,
        }
    }

    /// The rejection of a call that finds no place, not even to wait.
    fn full(&self, state: &State) -> Rejected {
        let (taken, places) = (state.places.taken() as u64, state.places.limit() as u64);
        self.shared.numbers.reject(Reason::BulkheadFull).with_measured("taken", taken, places)
    }

    fn place(&self, is_counted: bool) -> Place {
        Place { bulkhead: self.clone(), is_counted }
    }

    fn release(&self) {
        let next = self.shared.state.lock().places.release();
        // Outside the lock: waking can run code of others.
        if let Some(next) = next {
            next.wake();
        }
    }

    fn leave(&self, ticket: Ticket) {
        let left = self.shared.state.lock().places.leave(ticket);
        if let Left::Next(next) = left {
            next.wake();
        }
    }

    /// Changes the state, and wakes whoever got a place by it.
    fn change(&self, change: impl FnOnce(&mut State) -> Vec<Waker>) {
        let woken = change(&mut self.shared.state.lock());
        woken.into_iter().for_each(Waker::wake);
    }
}

/// How full the queue is: nothing is shed before somebody waits.
impl shed::Signal for Bulkhead {
    fn pressure(&self) -> f64 {
        let state = self.shared.state.lock();
        let (waiting, queue) = (state.places.waiting(), state.places.queue());
        if queue == 0 {
            // Without a queue, the places are what fills.
            return state.places.taken() as f64 / state.places.limit() as f64;
        }
        waiting as f64 / queue as f64
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_counted {
            self.bulkhead.release();
        }
    }
}
