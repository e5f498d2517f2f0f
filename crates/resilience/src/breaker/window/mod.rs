//! What a breaker remembers of past calls, and what that says now.
//!
//! Three kinds. *Time*: the last seconds, in ten buckets that expire one by one. *Count*: exactly the last N calls. *Consecutive*: failures
//! since the last success. Every memory carries the generation it belongs to, so a change of state clears it by itself, and a result of an
//! earlier generation cannot get in, not even in a race.

pub(crate) mod buckets;
pub(crate) mod ring;
pub(crate) mod run;

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::dials::Dials;
use super::policy::Window as Kind;
use crate::stripes::{Padded, Stripe, Stripes, Tally};
use buckets::{Buckets, Place};
use ring::Ring;
use run::Run;

/// One thread's part of the counts: what nearly every call adds to.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Calls of a time window.
    pub(crate) calls: Buckets,
    /// Successes since birth.
    pub(crate) successes: Tally,
    /// Rejections since birth: open, isolated, probing.
    pub(crate) rejected: [Tally; 3],
}

/// The memory of one breaker.
#[derive(Debug)]
pub(crate) enum Memory {
    Time(Box<Padded<Bad>>),
    Count(Box<Padded<Ring>>),
    /// Not boxed: it is written by failures only, and read by every call.
    Consecutive(Run),
}

/// What is rare, and so shared: failures and slow calls of a time window.
#[derive(Debug, Default)]
pub(crate) struct Bad {
    failures: Buckets,
    slow: Buckets,
    /// The bucket in which enough calls were seen already: further fast successes in it cannot open
    /// the breaker, so they need not look.
    settled: AtomicU64,
}

/// One result, as a memory takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) is_failure: bool,
    pub(crate) is_slow: bool,
}

/// What a memory holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) slow: u64,
}

/// What is left to do for a quick success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Good {
    Done,
    /// It is counted, and must be judged.
    Look,
    NotCounted,
}

/// What a result led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Nothing.
    Fine,
    /// The breaker must open.
    Bad(Figures),
    /// The generation is over; nothing was counted.
    Late,
}

// === impl Mark ===

impl Mark {
    pub(crate) const GOOD: Self = Self { is_failure: false, is_slow: false };

    const fn is_good(self) -> bool {
        !self.is_failure && !self.is_slow
    }
}

// === impl Memory ===

impl Memory {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Time(_) => Self::Time(Box::default()),
            Kind::Count(calls) => Self::Count(Box::new(Padded(Ring::new(calls)))),
            Kind::Consecutive(_) => Self::Consecutive(Run::default()),
        }
    }

    /// Counts a quick success by the shortest way, if this memory has one for this thread and this
    /// moment; what is left to do, if anything.
    #[inline(always)]
    pub(crate) fn count_good(
        &self,
        (lanes, dials): (&Stripes<Lane>, &Dials),
        generation: u64,
        now: u64,
    ) -> Good {
        let Some(lane) = lanes.own() else { return Good::NotCounted };
        match self {
            Self::Time(bad) => {
                let place = dials.place(generation, now);
                lane.calls.add_alone(place);
                lane.successes.add_alone();
                if bad.0.settled.load(Ordering::Relaxed) == place.key() {
                    Good::Done
                } else {
                    Good::Look
                }
            }
            Self::Consecutive(run) if run.get(generation) == 0 => {
                lane.successes.add_alone();
                Good::Done
            }
            Self::Consecutive(_) | Self::Count(_) => Good::NotCounted,
        }
    }

    /// Judges what [`Memory::count_good`] counted.
    pub(crate) fn look(
        &self,
        (lanes, dials): (&Stripes<Lane>, &Dials),
        generation: u64,
        now: u64,
    ) -> Judged {
        match self {
            Self::Time(bad) => {
                let place = dials.place(generation, now);
                bad.0.look((lanes, dials), place, Mark::GOOD, &|| true)
            }
            Self::Count(_) | Self::Consecutive(_) => Judged::Fine,
        }
    }

    /// Counts one result of this generation and says what it leads to (B5: every one is judged).
    /// `is_current` looks again whether the generation still is the present one.
    pub(crate) fn judge(
        &self,
        (lanes, dials): (&Stripes<Lane>, &Dials),
        generation: u64,
        now: u64,
        mark: Mark,
        is_current: impl Fn() -> bool,
    ) -> Judged {
        match self {
            Self::Time(bad) => {
                let place = dials.place(generation, now);
                bad.0.judge((lanes, dials), place, mark, is_current)
            }
            Self::Count(ring) => {
                let Some(figures) = ring.0.record(generation, dials.length(), mark) else {
                    return Judged::Late;
                };
                count_success(lanes, mark);
                if dials.is_bad(figures) { Judged::Bad(figures) } else { Judged::Fine }
            }
            Self::Consecutive(run) => {
                let Some(failures) = run.record(generation, mark.is_failure) else {
                    return Judged::Late;
                };
                count_success(lanes, mark);
                if failures >= dials.length() {
                    Judged::Bad(Figures { calls: failures, failures, slow: 0 })
                } else {
                    Judged::Fine
                }
            }
        }
    }

    /// What this generation has counted.
    pub(crate) fn figures(
        &self,
        lanes: &Stripes<Lane>,
        dials: &Dials,
        generation: u64,
        now: u64,
    ) -> Figures {
        match self {
            Self::Time(bad) => bad.0.figures(lanes, dials.place(generation, now)),
            Self::Count(ring) => ring.0.figures(generation, dials.length()),
            Self::Consecutive(run) => {
                let failures = run.get(generation);
                Figures { calls: failures, failures, slow: 0 }
            }
        }
    }
}

fn count_success(lanes: &Stripes<Lane>, mark: Mark) {
    if !mark.is_failure {
        match lanes.mine() {
            Stripe::Own(lane) => lane.successes.add_alone(),
            Stripe::Common(lane) => lane.successes.add(),
        }
    }
}

// === impl Bad ===

impl Bad {
    fn judge(
        &self,
        (lanes, dials): (&Stripes<Lane>, &Dials),
        place: Place,
        mark: Mark,
        is_current: impl Fn() -> bool,
    ) -> Judged {
        match lanes.mine() {
            Stripe::Own(lane) => {
                lane.calls.add_alone(place);
                if !mark.is_failure {
                    lane.successes.add_alone();
                }
            }
            Stripe::Common(lane) => {
                if !lane.calls.add(place, &is_current, || lanes.spread()) {
                    return Judged::Late;
                }
                if !mark.is_failure {
                    lane.successes.add();
                }
            }
        }
        if mark.is_good() && self.settled.load(Ordering::Relaxed) == place.key() {
            return Judged::Fine;
        }
        self.look((lanes, dials), place, mark, &is_current)
    }

    #[cold]
    fn look(
        &self,
        (lanes, dials): (&Stripes<Lane>, &Dials),
        place: Place,
        mark: Mark,
        is_current: &dyn Fn() -> bool,
    ) -> Judged {
        if mark.is_failure {
            self.failures.add(place, is_current, || {});
        }
        if mark.is_slow {
            self.slow.add(place, is_current, || {});
        }
        // Of two threads that count and then look at once, at least one sees both counts.
        fence(Ordering::SeqCst);
        let (failures, slow) = (self.failures.sum(place), self.slow.sum(place));
        if !mark.is_good() && !dials.can_be_bad(failures, slow) {
            return Judged::Fine;
        }
        let figures = Figures { calls: calls(lanes, place), failures, slow };
        if dials.is_bad(figures) {
            return Judged::Bad(figures);
        }
        if figures.calls >= dials.min_calls() {
            self.settled.store(place.key(), Ordering::Relaxed);
        }
        Judged::Fine
    }

    fn figures(&self, lanes: &Stripes<Lane>, place: Place) -> Figures {
        Figures {
            calls: calls(lanes, place),
            failures: self.failures.sum(place),
            slow: self.slow.sum(place),
        }
    }
}

fn calls(lanes: &Stripes<Lane>, place: Place) -> u64 {
    lanes.parts().map(|lane| lane.calls.sum(place)).sum()
}
