//! Wakes the thread of a member: it waits for Kafka, for orders and for room at the same time.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Rings once for everything that happened since the last look.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

// === impl Bell ===

impl Bell {
    pub(super) fn ring(&self) {
        let mut rung = self.rung.lock();
        if !*rung {
            *rung = true;
            self.heard.notify_one();
        }
    }

    /// Waits until it rings, no longer than this.
    pub(super) fn wait(&self, longest: Duration) {
        let until = Instant::now() + longest;
        let mut rung = self.rung.lock();
        while !*rung && !self.heard.wait_until(&mut rung, until).timed_out() {}
        *rung = false;
    }
}
