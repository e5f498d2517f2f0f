//! One repetition that a budget has paid for.

use super::Budget;

/// Tokens that were taken for one repetition.
///
/// Dropped before [`sent`](Self::sent), they go back: a repetition that was cancelled while it
/// waited has cost the dependency nothing.
#[derive(Debug)]
#[must_use = "dropping it gives the tokens back"]
pub struct Charge {
    budget: Budget,
    held: u64,
}

// === impl Charge ===

impl Charge {
    pub(super) fn new(budget: Budget, held: u64) -> Self {
        Self { budget, held }
    }

    /// The repetition goes out: from now on the tokens are spent, whatever becomes of it.
    pub fn sent(mut self) -> Spent {
        let spent = std::mem::take(&mut self.held);
        Spent { budget: self.budget.clone(), spent }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.held > 0 {
            self.budget.give_back(self.held);
        }
    }
}

/// Tokens of a repetition that went out.
#[derive(Debug)]
pub struct Spent {
    budget: Budget,
    spent: u64,
}

// === impl Spent ===

impl Spent {
    /// The repetition succeeded: under a policy that only charges for failures
    /// ([`Policy::aws`](super::Policy::aws)) its tokens go back.
    pub fn succeeded(self) {
        if self.budget.refunds_successes() && self.spent > 0 {
            self.budget.give_back(self.spent);
        }
    }
}
