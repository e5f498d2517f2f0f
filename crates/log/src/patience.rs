//! Patience: whether the writer looks out for a moment before it takes the next group.
//!
//! Producers that wait for their records usually come back right after the answer. A writer that
//! does not give them that moment syncs half of them at a time, so that everybody waits for two
//! syncs; one that has fallen asleep costs the first of them tens of microseconds to wake. So it
//! looks out until as many batches are staged as were answered, at most [`LOOKOUT`] long; after a
//! look-out in vain it waits asleep. When that did not come true lately it does not look out at all,
//! but for a try now and then: producers that do not wait for one another lose nothing, and an idle
//! log costs nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use crate::stage::{Core, Stage};

/// What the writer learned about its producers.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Look-outs that were in vain since the last one that was not.
    vain: u32,
    /// Whether to wait asleep the next time.
    tired: bool,
}

/// How long the writer looks out at most: about as long as a sync takes.
const LOOKOUT: Duration = Duration::from_micros(120);
/// It stops looking out when that was in vain so often.
const OFTEN: u32 = 3;
/// And tries again after so many groups.
const AGAIN: u32 = 64;

// === impl Patience ===

impl Patience {
    /// Whether to look out before the next group.
    pub(crate) fn is_worth_it(&mut self) -> bool {
        if self.vain >= OFTEN {
            self.vain += 1;
        }
        if self.vain > AGAIN {
            self.vain = OFTEN - 1;
            self.tired = true;
        }
        self.vain < OFTEN
    }

    /// Waits until so many batches are staged, or the time is over.
    pub(crate) fn look_out(&mut self, staged: &AtomicUsize, wanted: usize) {
        let begun = Instant::now();
        while staged.load(Ordering::Acquire) < wanted {
            if begun.elapsed() > LOOKOUT {
                self.vain += 1;
                self.tired = true;
                return;
            }
            // The producers need the core as much as this does.
            std::thread::yield_now();
        }
        self.vain = 0;
    }

    /// Whether to wait asleep this time, because the last look-out was in vain.
    pub(crate) const fn is_tired(&self) -> bool {
        self.tired
    }

    /// The same asleep. A writer that looks out keeps its core busy, so that the scheduler may have
    /// put all threads of the producers on another one, and leaves them there. Once its own is
    /// idle they spread again. Sleeping is no success by itself: if they do not spread, looking out
    /// soon ends.
    pub(crate) fn sleep(&mut self, core: &Core, stage: &mut MutexGuard<'_, Stage>, wanted: usize) {
        let until = Instant::now() + LOOKOUT;
        let has_come = || core.staged.load(Ordering::Acquire) >= wanted;
        stage.writer_wants = wanted;
        while !has_come() && !stage.closing {
            if core.work.wait_until(stage, until).timed_out() {
                break;
            }
        }
        stage.writer_wants = 0;
        self.vain += u32::from(!has_come());
        self.tired = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_out_ends_when_it_is_in_vain_and_is_tried_again() {
        let mut patience = Patience::default();
        let staged = AtomicUsize::new(0);
        for _ in 0..OFTEN {
            assert!(patience.is_worth_it());
            patience.look_out(&staged, 1);
        }
        let skipped = (0..100).take_while(|_| !patience.is_worth_it()).count();
        assert!((50..=80).contains(&skipped), "{skipped}");
        patience.look_out(&AtomicUsize::new(1), 1);
        assert!(patience.is_worth_it() && patience.vain == 0);
    }
}
