//! Requests and accepts of the last two minutes, and how many requests are worth sending: pure.
//!
//! Twelve buckets of ten seconds. The oldest leaves as a whole, so the window is between 110 and 120 seconds long; counting is constant in
//! time and space.

use std::time::Duration;

/// So many buckets make the window.
const BUCKETS: u64 = 12;
/// A client always tries one request in ten, to see whether the dependency is back.
const MOST: f64 = 0.9;

/// What was asked and what was accepted, of late.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    width: u64,
    buckets: [Bucket; BUCKETS as usize],
    /// The number of the newest bucket since the origin of time.
    newest: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bucket {
    requests: u64,
    accepts: u64,
}

// === impl Window ===

impl Window {
    /// An empty window of this length, in nanoseconds.
    pub fn new(length: Duration) -> Self {
        let width = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX).div_ceil(BUCKETS).max(1);
        Self { width, buckets: Default::default(), newest: 0 }
    }

    /// Somebody wants to ask, at this time since the origin.
    pub fn request(&mut self, now: Duration) {
        self.bucket(now).requests += 1;
    }

    /// The dependency accepted what was asked.
    pub fn accept(&mut self, now: Duration) {
        self.bucket(now).accepts += 1;
    }

    /// A request that was counted did not reach the dependency.
    pub fn withdraw(&mut self, now: Duration) {
        let bucket = self.bucket(now);
        bucket.requests = bucket.requests.saturating_sub(1);
    }

    /// Requests and accepts in the window.
    pub fn counts(&mut self, now: Duration) -> (u64, u64) {
        self.bucket(now);
        let sum = |of: fn(&Bucket) -> u64| self.buckets.iter().map(of).sum();
        (sum(|bucket| bucket.requests), sum(|bucket| bucket.accepts))
    }

    /// The share of requests that should not be sent: `(requests - k × accepts) / (requests + 1)`,
    /// at least nothing and at most nine tenths.
    pub fn rejection(&mut self, now: Duration, k: f64) -> f64 {
        let (requests, accepts) = self.counts(now);
        let (requests, accepts) = (requests as f64, accepts as f64);
        ((requests - k * accepts) / (requests + 1.0)).clamp(0.0, MOST)
    }

    /// The bucket of this moment, after the ones that are too old were emptied.
    fn bucket(&mut self, now: Duration) -> &mut Bucket {
        let number = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX) / self.width;
        // A thread that read the clock earlier than another counts in the newest bucket.
        let passed = number.saturating_sub(self.newest).min(BUCKETS);
        for step in 1..=passed {
            self.buckets[((self.newest + step) % BUCKETS) as usize] = Bucket::default();
        }
        self.newest = self.newest.max(number);
        &mut self.buckets[(self.newest % BUCKETS) as usize]
    }
}
