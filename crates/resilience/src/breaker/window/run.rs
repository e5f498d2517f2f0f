//! Failures in a row: a success begins again at nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::breaker::word::Stamped;

/// Failures since the last success of this generation.
#[derive(Debug, Default)]
pub(crate) struct Run(AtomicU64);

// === impl Run ===

impl Run {
    /// Takes a result of this generation; the failures in a row, or `None` when it is over.
    pub(crate) fn record(&self, generation: u64, is_failure: bool) -> Option<u64> {
        let mut present = self.0.load(Ordering::SeqCst);
        loop {
            if Stamped(present).is_after(generation) {
                return None;
            }
            let failures = Stamped(present).of(generation).unwrap_or(0);
            // A success after a success changes nothing, so a healthy breaker only reads here.
            if !is_failure && failures == 0 {
                return Some(0);
            }
            let failures = if is_failure { failures + 1 } else { 0 };
            let next = Stamped::new(generation, failures).0;
            match self.0.compare_exchange(present, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return Some(failures),
                Err(now) => present = now,
            }
        }
    }

    /// Failures in a row now.
    #[inline]
    pub(crate) fn get(&self, generation: u64) -> u64 {
        Stamped(self.0.load(Ordering::SeqCst)).of(generation).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_begins_again_and_another_generation_begins_at_nothing() {
        let run = Run::default();
        let results = [true, true, false, true].map(|is_failure| run.record(1, is_failure));
        assert_eq!(results, [Some(1), Some(2), Some(0), Some(1)]);
        assert_eq!((run.record(2, true), run.record(1, true)), (Some(1), None));
        assert_eq!((run.get(2), run.get(1)), (1, 0));
    }
}
