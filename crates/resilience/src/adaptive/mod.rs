//! As many calls run at once as the dependency can do now, found out from how they end.
//!
//! A fixed number of places is right on the day it was measured. This limit grows while calls end well and shrinks when they are dropped
//! or become slow, so that work waits at its callers, who can choose what to do, and not in a queue inside the dependency, where all of it
//! becomes late ([`Law`] says how). Calls above the limit are rejected at once with [`Reason::LimitReached`].
//!
//! A place is held by a [`Permit`], which is told how the call ended: [`succeeded`](Permit::succeeded) is a sample,
//! [`overloaded`](Permit::overloaded) a drop, [`ignored`](Permit::ignored) neither. One that is dropped untold was cancelled: its place is
//! free at once, and it counts as a drop when the caller left because the call was late (its deadline or the timeout had passed, or it
//! took longer than usual by half). Somebody who closes a window says nothing about the dependency.
//!
//! Not for dependencies with a quota: a number that was agreed is not found by trying.

mod control;
mod estimate;
mod future;
mod gradient;
mod layer;
mod options;
mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::Counter;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::numbers::Numbers;
use crate::settings::{Mode, Switch};
use crate::{Call, PolicyName, Reason, Rejected, shed};

pub use estimate::{Estimate, Law, Sample};
pub use future::Sampled;
pub use gradient::Gradient2;
pub use layer::AdaptiveLimitLayer;
pub use options::Options;
pub use service::InAdaptiveLimit;

/// A limit that moves. Clones are one limit.
#[derive(Clone, Debug)]
pub struct AdaptiveLimit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: PolicyName,
    origin: Instant,
    running: AtomicUsize,
    /// What the estimate says, to be read without its lock.
    limit: AtomicUsize,
    estimate: Mutex<Estimate>,
    switch: Switch,
    numbers: Numbers,
    cancelled: Counter,
}

/// A call that runs, and has not told how it ended.
#[derive(Debug)]
#[must_use = "a permit that is dropped untold counts as a cancelled call"]
pub struct Permit(Place);

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub struct Place {
    limit: AdaptiveLimit,
    /// Not while the limit is disabled: then nothing is counted.
    is_counted: bool,
    /// The call, as long as nobody knows how it ended.
    untold: Option<Untold>,
}

#[derive(Clone, Copy, Debug)]
struct Untold {
    began: Instant,
    /// How many ran when it began, itself included.
    running: usize,
    deadline: Option<Instant>,
}

// === impl AdaptiveLimit ===

impl AdaptiveLimit {
    /// At its initial number.
    pub fn new(name: impl Into<PolicyName>, options: Options) -> Self {
        let name = name.into();
        let estimate = options.estimate();
        let numbers =
            Numbers::new("adaptive_limit", name, &[Reason::LimitReached, Reason::Isolated]);
        let shared = Shared {
            name,
            origin: Instant::now(),
            running: AtomicUsize::new(0),
            limit: AtomicUsize::new(estimate.limit()),
            estimate: Mutex::new(estimate),
            switch: Switch::default(),
            cancelled: numbers.cancelled(),
            numbers,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Its name.
    pub fn name(&self) -> PolicyName {
        self.shared.name
    }

    /// A place for this call, if there is one.
    ///
    /// # Errors
    /// [`Reason::LimitReached`], or [`Reason::Isolated`] when an operator lets nothing through.
    pub fn try_acquire(&self, call: &Call) -> Result<Permit, Rejected> {
        let shared = &self.shared;
        let running = match shared.switch.mode() {
            Mode::Isolated => return Err(shared.numbers.reject(Reason::Isolated)),
            Mode::Disabled => None,
            Mode::Judging => {
                let limit = shared.limit.load(Ordering::Relaxed);
                // Relaxed: the number guards nothing but itself.
                let before =
                    shared.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |running| {
                        (running < limit).then_some(running + 1)
                    });
                match before {
                    Ok(before) => Some(before + 1),
                    Err(running) => {
                        let rejected = shared.numbers.reject(Reason::LimitReached);
                        let (running, limit) = (running as u64, limit as u64);
                        return Err(rejected.with_measured("running", running, limit));
                    }
                }
            }
        };
        let untold = running.map(|running| Untold {
            began: Instant::now(),
            running,
            deadline: call.deadline,
        });
        Ok(Permit(Place { limit: self.clone(), is_counted: running.is_some(), untold }))
    }

    /// How many calls may run now.
    pub fn limit(&self) -> usize {
        self.shared.limit.load(Ordering::Relaxed)
    }

    /// How many run now.
    pub fn running(&self) -> usize {
        self.shared.running.load(Ordering::Relaxed)
    }

    fn dropped(&self, call: Untold) {
        let (began, now) = (self.time_of(call.began), self.time_of(Instant::now()));
        self.learn(|estimate| estimate.drop(began, now));
    }

    fn time_of(&self, moment: Instant) -> std::time::Duration {
        moment.saturating_duration_since(self.shared.origin)
    }

    /// Changes the estimate, and publishes what it says.
    fn learn(&self, change: impl FnOnce(&mut Estimate)) {
        let mut estimate = self.shared.estimate.lock();
        change(&mut estimate);
        self.shared.limit.store(estimate.limit(), Ordering::Relaxed);
    }
}

/// How full it is.
impl shed::Signal for AdaptiveLimit {
    fn pressure(&self) -> f64 {
        self.running() as f64 / self.limit() as f64
    }
}

// === impl Permit ===

impl Permit {
    /// The call ended well: a sample. It stays taken until the place is dropped.
    pub fn succeeded(self) -> Place {
        let mut place = self.0;
        if let Some(call) = place.untold.take() {
            let began = place.limit.time_of(call.began);
            let sample = Sample { began, took: call.began.elapsed(), running: call.running };
            place.limit.learn(|estimate| estimate.sample(sample));
        }
        place
    }

    /// The dependency had too much, or the call timed out: a drop.
    pub fn overloaded(self) -> Place {
        let mut place = self.0;
        if let Some(call) = place.untold.take() {
            place.limit.dropped(call);
        }
        place
    }

    /// The call says nothing about the dependency.
    pub fn ignored(self) -> Place {
        let mut place = self.0;
        place.untold = None;
        place
    }
}

// === impl Place ===

impl Place {
    /// The call was given up by its caller.
    fn cancelled(&self, call: Untold) {
        let shared = &self.limit.shared;
        shared.cancelled.increment(1);
        let now = Instant::now();
        let took = now.saturating_duration_since(call.began);
        let is_expired = call.deadline.is_some_and(|deadline| deadline <= now);
        if is_expired || shared.estimate.lock().is_late(took) {
            self.limit.dropped(call);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(call) = self.untold.take() {
            self.cancelled(call);
        }
        if self.is_counted {
            self.limit.shared.running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
