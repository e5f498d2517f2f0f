//! A turn that comes after a wait, and can be given back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::RateLimit;

/// A turn that begins after a wait. Dropped unused, it is given back, unless somebody has a turn
/// behind it, whose time was told already.
#[derive(Debug)]
#[must_use = "the turn is given back when this is dropped"]
pub struct Reservation {
    limit: RateLimit,
    wait: Duration,
    /// What the reservation wrote, to see whether it is still the last one.
    full_at: Option<u64>,
}

// === impl Reservation ===

impl Reservation {
    /// `full_at` is what was written for this turn; `None` when nothing was.
    pub(super) const fn new(limit: RateLimit, wait: Duration, full_at: Option<u64>) -> Self {
        Self { limit, wait, full_at }
    }

    /// How long until the turn begins.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// The call has begun, so its turn is spent.
    pub fn used(mut self) {
        self.full_at = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(written) = self.full_at else { return };
        let interval = self.limit.shared.settings.interval.load(Ordering::Relaxed);
        // Fails when somebody has reserved behind this one: then the turn is lost, because giving
        // it back would let two calls begin at once.
        let _ = self.limit.shared.full_at.compare_exchange(
            written,
            written.saturating_sub(interval),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}
