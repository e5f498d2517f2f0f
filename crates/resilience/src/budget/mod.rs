//! Repetitions are paid for, so that they cannot become the load that keeps a dependency down.
//!
//! Three layers that each try three times make 27 calls of one (R7), and they do it just when the dependency has least to give. A budget
//! bounds the share: first tries fill it, retries and hedges empty it. While few calls fail it is never felt; when most fail it lets
//! about a tenth or a fifth more through and no more (M. Brooker, "Fixing retries with token buckets and circuit breakers", 2022).
//!
//! Keep *one* for each dependency and give it to everything that repeats calls to it: retries, hedges, consumers. An exhausted budget
//! fails only the extra attempt (R5), never one that runs.
//!
//! ```
//! use switchboard_resilience::budget::{Budget, Policy};
//! use switchboard_resilience::{Call, retry::Class};
//!
//! let budget = Budget::new("payments", Policy::recommended().with_floor_per_second(0.0)?);
//! assert!(budget.try_charge(Class::Transient).is_err(), "nothing was tried yet");
//! for _ in 0..10 {
//!     budget.first_try(&mut Call::new()); // each pays in a fifth of a repetition
//! }
//! budget.try_charge(Class::Transient)?.sent();
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod amplification_tests;
mod bucket;
mod charge;
mod control;
#[cfg(test)]
mod model_tests;
mod policy;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::retry::Class;
use crate::settings::{Mode, Switch};
use crate::{Call, PolicyName, Reason, Rejected};
use bucket::Bucket;

pub use charge::{Charge, Spent};
pub use policy::Policy;

/// Repetitions that a budget paid for, by `policy`.
pub const CHARGED: &str = "switchboard.resilience.budget.charged";
/// Repetitions that a budget did not pay for, by `policy`.
pub const REFUSED: &str = "switchboard.resilience.budget.refused";
/// The counters of this module, each with what it counts.
pub const METRICS: &[(&str, &str)] = &[
    (CHARGED, "Repetitions that a budget paid for"),
    (REFUSED, "Repetitions that a budget did not pay for"),
];

/// What may be repeated towards one dependency. Clones are one budget.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    name: PolicyName,
    policy: ArcSwap<Policy>,
    bucket: Bucket,
    origin: Instant,
    switch: Switch,
    charged: AtomicU64,
    refused: AtomicU64,
    numbers: [metrics::Counter; 2],
}

// === impl Budget ===

impl Budget {
    /// By this policy. Call it after the metrics recorder is installed: counters are looked up
    /// once.
    pub fn new(name: impl Into<PolicyName>, policy: Policy) -> Self {
        let name = name.into();
        Self(Arc::new(Inner {
            name,
            bucket: Bucket::new(policy.initial()),
            policy: ArcSwap::from_pointee(policy),
            origin: Instant::now(),
            switch: Switch::default(),
            charged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            numbers: [CHARGED, REFUSED]
                .map(|number| metrics::counter!(number, "policy" => name.as_str())),
        }))
    }

    /// Its name.
    pub fn name(&self) -> PolicyName {
        self.0.name
    }

    /// A call begins: its first try pays in, once, however many layers share the budget. Calls that
    /// are themselves repetitions of a caller pay nothing in, or retries would pay for retries.
    pub fn first_try(&self, call: &mut Call) {
        if call.attempt > 0 || call.is_counted {
            return;
        }
        call.is_counted = true;
        let policy = self.0.policy.load();
        let amount = policy.per_first_try();
        if amount > 0 {
            self.0.bucket.add(amount, self.now_ms(), policy.rules());
        }
    }

    /// A first try has succeeded.
    pub fn first_success(&self) {
        let policy = self.0.policy.load();
        let amount = policy.per_first_success();
        if amount > 0 {
            self.0.bucket.add(amount, self.now_ms(), policy.rules());
        }
    }

    /// Pays for one repetition, at once or not at all.
    ///
    /// # Errors
    /// [`Rejected`] for [`Reason::BudgetExhausted`], with when there will be enough if nothing else
    /// happens. Only the extra attempt fails by it: answer with what the attempts before it said.
    pub fn try_charge(&self, class: Class) -> Result<Charge, Rejected> {
        let policy = self.0.policy.load();
        let rules = policy.rules();
        let cost = match self.0.switch.mode() {
            Mode::Judging => policy.cost(class),
            Mode::Disabled => 0,
            Mode::Isolated => return Err(self.refuse(None)),
        };
        match self.0.bucket.take(cost, self.now_ms(), rules) {
            Ok(()) => {
                self.0.charged.fetch_add(1, Ordering::Relaxed);
                self.0.numbers[0].increment(1);
                Ok(Charge::new(self.clone(), cost))
            }
            Err(balance) => Err(self.refuse(rules.until(balance, cost))),
        }
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> f64 {
        let rules = self.0.policy.load().rules();
        self.0.bucket.balance(self.now_ms(), rules) as f64 / bucket::UNIT
    }

    fn refuse(&self, retry_after: Option<Duration>) -> Rejected {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        self.0.numbers[1].increment(1);
        Rejected { retry_after, ..Rejected::new(self.0.name, Reason::BudgetExhausted) }
    }

    fn give_back(&self, tokens: u64) {
        let rules = self.0.policy.load().rules();
        self.0.bucket.add(tokens, self.now_ms(), rules);
    }

    fn refunds_successes(&self) -> bool {
        self.0.policy.load().refunds_successes()
    }

    fn now_ms(&self) -> u64 {
        let elapsed = Instant::now().saturating_duration_since(self.0.origin);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget")
            .field("name", &self.0.name)
            .field("tokens", &self.tokens())
            .finish_non_exhaustive()
    }
}
