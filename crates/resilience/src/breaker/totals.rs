//! What a breaker has counted since its birth, for metrics and for people.

use serde::Serialize;

use super::core::Core;
use crate::Outcome;
use crate::stripes::Tally;

/// Everything a breaker has counted since its birth; nothing is ever taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Results that counted as successes.
    pub successes: u64,
    /// Results that counted as failures, calls given up too late and panics among them.
    pub failures: u64,
    /// Results that said nothing about the dependency.
    pub ignored: u64,
    /// Of successes and failures, those that took at least the slow time.
    pub slow: u64,
    /// Calls that were given up before they ended.
    pub cancelled: u64,
    /// Results that came after the state had changed, and so changed nothing.
    pub late_successes: u64,
    /// The same, of failures.
    pub late_failures: u64,
    /// The same, of results that said nothing.
    pub late_ignored: u64,
    /// The same, of calls that were given up.
    pub late_cancelled: u64,
    /// Calls rejected because the breaker was open.
    pub rejected_open: u64,
    /// Calls rejected because an operator had isolated it.
    pub rejected_isolated: u64,
    /// Calls rejected because it was probing with others.
    pub rejected_probing: u64,
    /// Changes of state.
    pub changes: u64,
}

/// Counts that all threads share, because they are seldom added to.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) failures: Tally,
    pub(crate) ignored: Tally,
    pub(crate) slow: Tally,
    pub(crate) cancelled: Tally,
    pub(crate) late: [Tally; 4],
    pub(crate) changes: Tally,
}

/// How a late result would have counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Late {
    Success,
    Failure,
    Ignored,
    Cancelled,
}

// === impl Totals ===

impl Totals {
    pub(crate) fn of(core: &Core) -> Self {
        let rejected = |place: usize| core.lanes.parts().map(|l| l.rejected[place].get()).sum();
        let rare = &core.rare.0;
        let late = |late: Late| rare.late[late as usize].get();
        Self {
            successes: core.successes(),
            failures: rare.failures.get(),
            ignored: rare.ignored.get(),
            slow: rare.slow.get(),
            cancelled: rare.cancelled.get(),
            late_successes: late(Late::Success),
            late_failures: late(Late::Failure),
            late_ignored: late(Late::Ignored),
            late_cancelled: late(Late::Cancelled),
            rejected_open: rejected(0),
            rejected_isolated: rejected(1),
            rejected_probing: rejected(2),
            changes: rare.changes.get(),
        }
    }

    /// Late results of every kind.
    pub fn late(&self) -> u64 {
        self.late_successes + self.late_failures + self.late_ignored + self.late_cancelled
    }

    /// Rejections of every kind.
    pub fn rejected(&self) -> u64 {
        self.rejected_open + self.rejected_isolated + self.rejected_probing
    }
}

// === impl Late ===

impl Late {
    pub(crate) const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Failure { .. } => Self::Failure,
            Outcome::Ignore => Self::Ignored,
        }
    }
}
