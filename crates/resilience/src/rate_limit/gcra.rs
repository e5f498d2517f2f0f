//! The generic cell rate algorithm: a token bucket that is one number.
//!
//! Instead of tokens and the time of their last refill it keeps the *theoretical arrival time*: when the bucket will be full again. Each
//! call moves that time on by one interval; a call may pass as long as the time lies at most a burst ahead of now. So a bucket is one
//! word, a decision one comparison, and when the next call may pass is known to the nanosecond (ITU-T I.371, 1993, as a leaky bucket).
//!
//! Times are nanoseconds since an origin of the caller's choice.

use std::time::Duration;

use super::Figures;

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// Between two calls at the sustained rate.
    pub(super) interval: u64,
    /// How many calls may pass at once after a quiet time.
    pub(super) burst: u64,
}

/// The answer to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may pass now, if `full_at` is written before anybody else writes.
    Pass {
        /// When the bucket will be full again.
        full_at: u64,
    },
    /// It may pass after this wait, if `full_at` is written.
    Wait {
        /// In nanoseconds; never zero.
        wait: u64,
        /// When the bucket will be full again, with this call in it.
        full_at: u64,
    },
}

// === impl Gcra ===

impl Gcra {
    /// Decides about one call now, by when the bucket would be full again.
    pub fn decide(&self, full_at: u64, now: u64) -> Decision {
        let full_at = full_at.max(now).saturating_add(self.interval);
        let passes_at = full_at.saturating_sub(self.interval.saturating_mul(self.burst));
        match passes_at.checked_sub(now) {
            None | Some(0) => Decision::Pass { full_at },
            Some(wait) => Decision::Wait { wait, full_at },
        }
    }

    /// What is left now.
    pub fn figures(&self, full_at: u64, now: u64) -> Figures {
        let missing = full_at.saturating_sub(now);
        Figures {
            limit: self.burst,
            remaining: self.burst.saturating_sub(missing.div_ceil(self.interval)),
            reset_after: Duration::from_nanos(missing),
            window: Duration::from_nanos(self.interval.saturating_mul(self.burst)),
        }
    }
}
