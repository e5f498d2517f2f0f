//! Gradient2: the limit follows how much slower calls are now than over the long run.
//!
//! `limit' = limit × clamp(tolerance × long ÷ short, ½, 1) + queue`, smoothed. The law is that of Netflix' concurrency-limits; this
//! differs in what was found wrong with it there: the queue is added only when the gradient is 1 (added always, a modest overload drifts upwards
//! for small limits, #134), and what timed out is no sample (#137, see [`estimate`](super::Estimate)).
//!
//! The long average follows, slowly, whatever it sees. A dependency that is saturated for thousands of calls without a pause teaches it
//! that slow is normal; the maximum is what bounds the limit then. Choose it.

use std::time::Duration;

/// Slower than usual by up to this factor is no sign of a queue.
const TOLERANCE: f64 = 1.5;
/// How many calls more than the estimate are let in, to find out whether there is room.
const QUEUE: f64 = 4.0;
/// How much of a step is taken at once.
const SMOOTHING: f64 = 0.2;
/// Over how many calls the long average goes; the first ones count evenly.
const WINDOW: u32 = 600;
const WARM_UP: u32 = 10;

/// What Gradient2 remembers: the long average.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient2 {
    /// In seconds.
    long: f64,
    samples: u32,
}

// === impl Gradient2 ===

impl Gradient2 {
    /// One that has seen nothing.
    pub const NEW: Self = Self { long: 0.0, samples: 0 };

    /// The limit after a call that took so long. Unless the limit `is_tried`, only the average
    /// learns from it.
    pub fn next(&mut self, limit: f64, took: Duration, is_tried: bool) -> f64 {
        // A call that took no time would make everything else infinitely slow.
        let short = took.as_secs_f64().max(1e-9);
        self.learn(short);
        if !is_tried {
            return limit;
        }
        let gradient = (TOLERANCE * self.long / short).clamp(0.5, 1.0);
        let queue = if gradient < 1.0 { 0.0 } else { QUEUE };
        limit + SMOOTHING * (limit * gradient + queue - limit)
    }

    /// How long a call takes, over the long run; `None` before the first.
    pub fn long(&self) -> Option<Duration> {
        (self.samples > 0).then(|| Duration::from_secs_f64(self.long))
    }

    /// How long a call may take without being slow; `None` while nobody knows.
    pub fn tolerated(&self) -> Option<Duration> {
        (self.samples >= WARM_UP).then(|| Duration::from_secs_f64(TOLERANCE * self.long))
    }

    fn learn(&mut self, short: f64) {
        if self.samples < WARM_UP {
            self.samples += 1;
            self.long += (short - self.long) / f64::from(self.samples);
        } else {
            self.long += (short - self.long) * 2.0 / f64::from(WINDOW + 1);
        }
        // After an overload the average comes down quickly, so that the limit may rise again.
        if self.long / short > 2.0 {
            self.long *= 0.95;
        }
    }
}
