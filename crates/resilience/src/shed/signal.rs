//! How much too much there is: from a limit's queue, its wait, or anything that can be measured.

use std::time::Duration;

use tokio::time::Instant;

use crate::bulkhead::Bulkhead;

/// Says how near to its end something is: 0 is idle, 1 is as much as can be borne.
///
/// Implemented by [`Bulkhead`] (how full its queue is), by
/// [`AdaptiveLimit`](crate::adaptive::AdaptiveLimit) (how many of its places are taken), by
/// [`QueueTime`], and by functions. Must be quick: it is asked for each call.
pub trait Signal: Send + Sync {
    /// The pressure now.
    fn pressure(&self) -> f64;
}

/// How long the first in a bulkhead's queue has waited, compared with how long it should at most.
#[derive(Clone, Debug)]
pub struct QueueTime {
    bulkhead: Bulkhead,
    target: Duration,
}

// === impl Signal ===

impl<F: Fn() -> f64 + Send + Sync> Signal for F {
    fn pressure(&self) -> f64 {
        self()
    }
}

// === impl QueueTime ===

impl QueueTime {
    /// A wait of `target` is as much as can be borne.
    pub const fn new(bulkhead: Bulkhead, target: Duration) -> Self {
        Self { bulkhead, target }
    }
}

impl Signal for QueueTime {
    fn pressure(&self) -> f64 {
        let waited = self.bulkhead.oldest_wait(Instant::now());
        waited.as_secs_f64() / self.target.as_secs_f64().max(1e-9)
    }
}
