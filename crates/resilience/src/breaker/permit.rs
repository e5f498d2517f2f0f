//! The right to make one call, and the duty to say how it went.
//!
//! A permit remembers the word under which it was given, and takes exactly one result. Dropped without one, it says so by itself: the call
//! was given up, or panicked. So nothing is lost when a future is dropped half-way, and a probe's slot comes back in every case (B2).

use std::fmt;
use std::time::Duration;

use super::breaker::Breaker;
use super::core::Core;
use super::state::State;
use super::word::Word;
use crate::{Outcome, PolicyName, Reason, Rejected};

/// Leave to make one call, for as long as the breaker is borrowed. Give it the call's result;
/// dropped without one, the call counts as given up ([`OnCancel`](super::OnCancel)), or as a
/// failure if the thread is panicking.
#[must_use = "a permit that is dropped counts its call as given up"]
pub struct Permit<'a>(pub(crate) Pass<&'a Breaker>);

/// The same, with a handle of its own: for futures and tasks.
#[must_use = "a permit that is dropped counts its call as given up"]
pub struct OwnedPermit(pub(crate) Pass<Breaker>);

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It counts.
    Counted,
    /// It says nothing about the dependency.
    Ignored,
    /// The state changed while the call ran, so it changed nothing; it is counted as late.
    Late,
    /// The breaker does not judge this call: it is disabled, or let a first try pass.
    Unjudged,
}

/// Under which word a call passed, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) word: Word,
    pub(crate) began: u64,
}

/// A rejection before it is one: three plain words, cheaper to hand through calls and futures than
/// the rejection itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    policy: PolicyName,
    reason: u64,
    /// Milliseconds until another try has a chance, or [`UNKNOWN`].
    wait_ms: u64,
}

const UNKNOWN: u64 = u64::MAX;

/// Where a permit finds its breaker.
pub(crate) trait Held {
    fn core(&self) -> &Core;
}

/// A permit over any way to hold a breaker.
pub(crate) struct Pass<H: Held> {
    holder: H,
    /// Spent once it has its result.
    ticket: Ticket,
}

// === impl Ticket ===

impl Ticket {
    /// Of a call that has its result. A word of its own instead of an option: a permit is moved
    /// with its future, and plain words move fastest.
    const SPENT: Self = Self { word: Word::of(0), began: 0 };

    #[inline(always)]
    fn is_spent(self) -> bool {
        self.word.bits() == 0
    }

    /// Of a call that no generation judges.
    pub(crate) fn unjudged(now: u64) -> Self {
        Self { word: Word::new(State::Disabled, 0), began: now }
    }

    pub(crate) fn is_unjudged(self) -> bool {
        self.word.generation() == 0
    }
}

// === impl Refusal ===

impl Refusal {
    #[inline(always)]
    pub(crate) fn open(policy: PolicyName, wait_ms: u64) -> Self {
        Self { policy, reason: Reason::Open as u64, wait_ms }
    }

    pub(crate) fn isolated(policy: PolicyName) -> Self {
        Self { policy, reason: Reason::Isolated as u64, wait_ms: UNKNOWN }
    }

    pub(crate) fn probing(policy: PolicyName) -> Self {
        Self { policy, reason: Reason::Probing as u64, wait_ms: UNKNOWN }
    }

    /// What callers see.
    #[inline(always)]
    pub(crate) fn rejected(self) -> Rejected {
        const ISOLATED: u64 = Reason::Isolated as u64;
        const PROBING: u64 = Reason::Probing as u64;
        let reason = match self.reason {
            ISOLATED => Reason::Isolated,
            PROBING => Reason::Probing,
            _ => Reason::Open,
        };
        // Written where it will be read: each builder's step would move the whole of it once more.
        let is_known = self.wait_ms != UNKNOWN;
        let retry_after = is_known.then(|| Duration::from_millis(self.wait_ms));
        Rejected { policy: self.policy, reason, retry_after, measured: None }
    }
}

// === impl Pass ===

impl<H: Held> Pass<H> {
    #[inline(always)]
    pub(crate) fn new(holder: H, ticket: Ticket) -> Self {
        Self { holder, ticket }
    }

    pub(crate) fn holder(&self) -> &H {
        &self.holder
    }

    /// How long the call runs already, in milliseconds.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.holder.core().ticker.now().saturating_sub(self.ticket.began)
    }

    /// Takes the result of a call that took so long. Later ones change nothing.
    #[inline(always)]
    pub(crate) fn settle(&mut self, outcome: Outcome, elapsed_ms: u64) -> Recorded {
        let ticket = std::mem::replace(&mut self.ticket, Ticket::SPENT);
        if ticket.is_spent() {
            return Recorded::Unjudged;
        }
        let core = self.holder.core();
        core.settle(ticket, outcome, elapsed_ms, core.ticker.now())
    }

    /// As [`Pass::settle`], of a call that ends now.
    #[inline(always)]
    pub(crate) fn settle_now(&mut self, judge: impl FnOnce(&H, u64) -> Outcome) -> Recorded {
        let (core, ticket) = (self.holder.core(), self.ticket);
        if ticket.is_spent() {
            return Recorded::Unjudged;
        }
        let now = core.ticker.now();
        let elapsed_ms = now.saturating_sub(ticket.began);
        // A classifier that panics leaves the ticket, whose call then counts as a failure.
        let outcome = judge(&self.holder, elapsed_ms);
        self.ticket = Ticket::SPENT;
        core.settle(ticket, outcome, elapsed_ms, now)
    }

    /// The call panicked, or was given up.
    #[cold]
    pub(crate) fn cancel(&mut self) {
        let ticket = std::mem::replace(&mut self.ticket, Ticket::SPENT);
        if !ticket.is_spent() {
            let core = self.holder.core();
            core.cancel(ticket, core.ticker.now());
        }
    }
}

impl<H: Held> Drop for Pass<H> {
    #[inline]
    fn drop(&mut self) {
        if !self.ticket.is_spent() {
            self.cancel();
        }
    }
}

// === impl Permit, OwnedPermit ===

macro_rules! results {
    ($($permit:ty),+) => {$(
        impl $permit {
            /// The dependency worked, and took this long.
            #[inline(always)]
            pub fn success(mut self, elapsed: Duration) -> Recorded {
                self.0.settle(Outcome::Success, whole_ms(elapsed))
            }

            /// The dependency failed after this long.
            pub fn failure(mut self, elapsed: Duration) -> Recorded {
                self.0.settle(Outcome::FAILURE, whole_ms(elapsed))
            }

            /// The result says nothing about the dependency.
            pub fn ignore(mut self, elapsed: Duration) -> Recorded {
                self.0.settle(Outcome::Ignore, whole_ms(elapsed))
            }

            /// Any result, of a call that took as long as this permit lives.
            #[inline(always)]
            pub fn record(mut self, outcome: Outcome) -> Recorded {
                self.0.settle_now(|_, _| outcome)
            }

            /// How long this permit lives, by the breaker's ticker.
            pub fn elapsed(&self) -> Duration {
                Duration::from_millis(self.0.elapsed_ms())
            }
        }

        impl fmt::Debug for $permit {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Permit").field("breaker", &self.0.holder().core().name).finish()
            }
        }
    )+};
}

results!(Permit<'_>, OwnedPermit);

#[inline]
fn whole_ms(elapsed: Duration) -> u64 {
    elapsed.as_secs().saturating_mul(1_000).saturating_add(u64::from(elapsed.subsec_millis()))
}
