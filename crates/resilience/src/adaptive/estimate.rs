//! The number of calls that a dependency can do at once, estimated from how its calls end: pure.
//!
//! A call that ends well is a *sample*: it says how long the dependency takes while so many calls run. One that timed out, or was refused
//! for overload, is a *drop*: how long it took says nothing about the dependency, only that there were too many. The two are never mixed
//! (a time-out's own length, taken as a sample, looks like a perfectly even dependency, and lets the limit grow to its maximum).
//!
//! Many calls are dropped by one moment of overload. They cut the limit once: calls that had begun before a cut say nothing about the
//! limit after it.

use std::time::Duration;

use super::gradient::Gradient2;

/// The share of the limit that is left after a drop.
const CUT: f64 = 0.9;

/// An estimate, and what bounds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    pub(super) limit: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) timeout: Duration,
    pub(super) law: Law,
    /// When the limit was last cut.
    cut_at: Option<Duration>,
}

/// How the estimate moves.
#[derive(Clone, Debug, PartialEq)]
pub enum Law {
    /// One more after each good call, a tenth less after a drop: for dependencies that say when
    /// they have too much.
    Aimd,
    /// By how much slower calls are now than they were for long: finds a queue before anything is
    /// dropped.
    Gradient2(Gradient2),
}

/// A call that ended well. Times are since an origin of the caller's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it began.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// How many calls ran when it began, itself included.
    pub running: usize,
}

// === impl Estimate ===

impl Estimate {
    /// Begins at `limit`, and stays between `min` and `max`.
    pub fn new(law: Law, limit: usize, min: usize, max: usize, timeout: Duration) -> Self {
        let (limit, min, max) = (limit as f64, min as f64, max as f64);
        Self { limit: limit.clamp(min, max), min, max, timeout, law, cut_at: None }
    }

    /// How many calls may run now.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// How long a call takes, over the long run; `None` when the law does not ask.
    pub fn long_rtt(&self) -> Option<Duration> {
        match &self.law {
            Law::Aimd => None,
            Law::Gradient2(gradient) => gradient.long(),
        }
    }

    /// A call ended well. One that took as long as the timeout is a drop all the same.
    pub fn sample(&mut self, sample: Sample) {
        if sample.took >= self.timeout {
            return self.drop(sample.began, sample.began + sample.took);
        }
        // Calls that find half of the places free say nothing about more places.
        let is_tried = sample.running as f64 >= self.limit / 2.0;
        let limit = match &mut self.law {
            Law::Aimd if is_tried => self.limit + 1.0,
            Law::Aimd => self.limit,
            Law::Gradient2(gradient) => gradient.next(self.limit, sample.took, is_tried),
        };
        self.limit = limit.clamp(self.min, self.max);
    }

    /// A call that `began` then was dropped `now`.
    pub fn drop(&mut self, began: Duration, now: Duration) {
        if self.cut_at.is_some_and(|cut_at| began < cut_at) {
            return;
        }
        self.cut_at = Some(now);
        self.limit = (self.limit * CUT).clamp(self.min, self.max);
    }

    /// Whether a call whose caller went away after this time was late, and so is a drop. Somebody
    /// who leaves sooner says nothing about the dependency.
    pub fn is_late(&self, took: Duration) -> bool {
        let usual = match &self.law {
            Law::Aimd => None,
            Law::Gradient2(gradient) => gradient.tolerated(),
        };
        took >= self.timeout || usual.is_some_and(|usual| took > usual)
    }

    /// Other bounds; the estimate moves into them.
    pub(super) fn rebound(&mut self, min: usize, max: usize, timeout: Duration) {
        (self.min, self.max, self.timeout) = (min as f64, max as f64, timeout);
        self.limit = self.limit.clamp(self.min, self.max);
    }
}
