//! The few calls of a half-open breaker: how many may run, and when they have decided.
//!
//! At most N probes run at once and at most N are counted, so an open breaker that gets ten thousand calls in the moment its wait ends
//! lets N of them through (trap 1). The verdict comes as soon as it cannot change any more: early open when the failures already are
//! enough, early close when even failures of all the rest would not be (B7). All of it is one stamped word: a slot that is given back
//! after the generation moved finds another stamp and gives nothing back, so no slot can be granted twice (trap 5) or lost (trap 4).

use std::sync::atomic::AtomicU64;

use super::word::{STAMP_BITS, Stamped};
use crate::atomic::Word64;

/// Probes of one half-open time.
#[derive(Debug)]
pub(crate) struct Probes<A = AtomicU64>(A);

/// How probes are judged; derived from the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// At most this many run at once, and this many are counted; at most [`PERMITS_MAX`].
    pub(crate) permits: u64,
    /// This many failures open the breaker.
    pub(crate) failures: u64,
    /// This many slow calls open the breaker; above `permits` when slowness is not judged.
    pub(crate) slow: u64,
}

/// How one probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It counts.
    Counted { is_failure: bool, is_slow: bool },
    /// It came in time and says nothing; the slot is free again.
    Ignored,
    /// It was given up; the slot is free again.
    Released,
}

/// What the probes say so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Undecided,
    Passed,
    Failed,
}

/// The counts of one half-open time, eight bits each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) running: u64,
    pub(crate) counted: u64,
    pub(crate) failures: u64,
    pub(crate) slow: u64,
    /// Results in a row that said nothing.
    pub(crate) ignored: u64,
}

/// The counts must fit beside the stamp.
const FIELD_BITS: u32 = 8;
const FIELD_MASK: u64 = (1 << FIELD_BITS) - 1;
const _: () = assert!(5 * FIELD_BITS + STAMP_BITS <= 64);

/// The most probes there can be.
pub(crate) const PERMITS_MAX: u32 = 200;

// === impl Probes ===

impl<A: Word64> Probes<A> {
    pub(crate) fn new() -> Self {
        Self(A::of(0))
    }

    /// Takes a slot of this generation, if one is free.
    pub(crate) fn admit(&self, generation: u64, rule: &Rule) -> bool {
        self.update(generation, |figures| {
            if figures.running + figures.counted >= rule.permits {
                return None;
            }
            figures.running += 1;
            Some(())
        })
        .is_some()
    }

    /// Gives a slot of this generation back, with its result; nothing if the generation is over.
    pub(crate) fn end(&self, generation: u64, ended: Ended, rule: &Rule) -> Option<Decision> {
        self.update(generation, |figures| {
            // A slot that was never taken in this generation cannot be given back.
            figures.running = figures.running.checked_sub(1)?;
            match ended {
                Ended::Counted { is_failure, is_slow } => {
                    figures.counted += 1;
                    figures.failures += u64::from(is_failure);
                    figures.slow += u64::from(is_slow);
                    figures.ignored = 0;
                }
                Ended::Ignored => figures.ignored = (figures.ignored + 1).min(rule.permits),
                Ended::Released => {}
            }
            Some(figures.decide(rule))
        })
    }

    /// The counts of this generation.
    pub(crate) fn figures(&self, generation: u64) -> Figures {
        Stamped(self.0.load_acquire()).of(generation).map(Figures::unpack).unwrap_or_default()
    }

    /// Changes the counts of this generation in one step. Counts of an earlier one are as good as
    /// none; those of a later one mean that this caller is late.
    fn update<T>(&self, generation: u64, change: impl Fn(&mut Figures) -> Option<T>) -> Option<T> {
        let mut present = self.0.load_acquire();
        loop {
            if Stamped(present).is_after(generation) {
                return None;
            }
            let mut figures =
                Stamped(present).of(generation).map(Figures::unpack).unwrap_or_default();
            let answer = change(&mut figures)?;
            match self.0.change(present, Stamped::new(generation, figures.pack()).0) {
                Ok(_) => return Some(answer),
                Err(now) => present = now,
            }
        }
    }
}

// === impl Figures ===

impl Figures {
    /// B7, and B4's last part: as many results in a row that say nothing as there are permits are
    /// as good as a success, else a dependency whose common answer says nothing stays half-open.
    fn decide(self, rule: &Rule) -> Decision {
        // Saturating: a change of settings shows its new rule an instant before its generation.
        let left = rule.permits.saturating_sub(self.counted);
        if self.failures >= rule.failures || self.slow >= rule.slow {
            Decision::Failed
        } else if (self.failures + left < rule.failures && self.slow + left < rule.slow)
            || left == 0
            || self.ignored >= rule.permits
        {
            Decision::Passed
        } else {
            Decision::Undecided
        }
    }

    fn pack(self) -> u64 {
        [self.running, self.counted, self.failures, self.slow, self.ignored]
            .iter()
            .fold(0, |word, field| word << FIELD_BITS | field)
    }

    fn unpack(word: u64) -> Self {
        let field = |place: u32| (word >> (place * FIELD_BITS)) & FIELD_MASK;
        Self {
            running: field(4),
            counted: field(3),
            failures: field(2),
            slow: field(1),
            ignored: field(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Ended = Ended::Counted { is_failure: false, is_slow: false };
    const BAD: Ended = Ended::Counted { is_failure: true, is_slow: false };
    const SLOW: Ended = Ended::Counted { is_failure: false, is_slow: true };

    /// Admits and ends these one after another; the last decision.
    fn check(rule: Rule, results: &[Ended]) -> Decision {
        let probes = Probes::<AtomicU64>::new();
        let mut decision = Decision::Undecided;
        for ended in results {
            assert_eq!(decision, Decision::Undecided, "decided too early");
            assert!(probes.admit(5, &rule));
            decision = probes.end(5, *ended, &rule).unwrap();
        }
        decision
    }

    #[test]
    fn b7_decides_as_soon_as_the_rest_cannot_matter() {
        let half = Rule { permits: 3, failures: 2, slow: 3 };
        assert_eq!(check(half, &[BAD]), Decision::Undecided);
        assert_eq!(check(half, &[BAD, BAD]), Decision::Failed);
        assert_eq!(check(half, &[BAD, OK, BAD]), Decision::Failed);
        assert_eq!(check(half, &[OK, OK]), Decision::Passed);
        assert_eq!(check(half, &[SLOW, SLOW]), Decision::Undecided);
        assert_eq!(check(half, &[SLOW, SLOW, SLOW]), Decision::Failed);
        let any = Rule { permits: 2, failures: 1, slow: 3 };
        assert_eq!(check(any, &[BAD]), Decision::Failed);
        assert_eq!(check(any, &[OK]), Decision::Undecided);
        assert_eq!(check(any, &[OK, OK]), Decision::Passed);
    }

    #[test]
    fn b4_results_that_say_nothing_do_not_keep_a_breaker_half_open() {
        let rule = Rule { permits: 3, failures: 2, slow: 3 };
        let nothing = Ended::Ignored;
        assert_eq!(check(rule, &[nothing, nothing]), Decision::Undecided);
        assert_eq!(check(rule, &[nothing, nothing, nothing]), Decision::Passed);
        assert_eq!(check(rule, &[nothing, BAD, nothing, nothing]), Decision::Undecided);
    }

    #[test]
    fn b7_no_more_run_or_count_than_there_are_permits() {
        let (probes, rule) =
            (Probes::<AtomicU64>::new(), Rule { permits: 2, failures: 2, slow: 3 });
        assert!(probes.admit(5, &rule) && probes.admit(5, &rule) && !probes.admit(5, &rule));
        assert_eq!(probes.end(5, Ended::Ignored, &rule), Some(Decision::Undecided));
        assert!(probes.admit(5, &rule), "what said nothing leaves its slot");
        assert_eq!(probes.end(5, BAD, &rule), Some(Decision::Undecided));
        assert!(!probes.admit(5, &rule), "what counted does not");
    }

    #[test]
    fn trap_05_a_slot_is_given_back_once_and_in_its_own_generation() {
        let (probes, rule) =
            (Probes::<AtomicU64>::new(), Rule { permits: 1, failures: 1, slow: 2 });
        assert!(probes.admit(5, &rule));
        assert!(probes.admit(7, &rule), "a later generation begins with all slots");
        assert_eq!(probes.end(5, OK, &rule), None);
        assert_eq!(probes.figures(7).running, 1);
        assert!(!probes.admit(7, &rule) && !probes.admit(5, &rule));
        assert_eq!(probes.end(7, OK, &rule), Some(Decision::Passed));
        assert_eq!(probes.end(7, OK, &rule), None);
    }
}
