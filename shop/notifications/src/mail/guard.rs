//! What stands before the mail server: while it is away letters wait in order, and nobody's tries are used up.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Clock;
use switchboard_handler::Guard;
use switchboard_resilience::breaker::{Breaker, Environment, Options};
use switchboard_resilience::budget::{Budget, Policy};
use switchboard_resilience::{InvalidOptions, Registry, Ticker};

/// The breaker and the budget of the mail server. The group that hands letters over begins anew
/// when an operator asks for it; what is known of the server outlives that.
#[derive(Clone, Debug)]
pub(crate) struct MailGuard {
    breaker: Breaker,
    budget: Budget,
}

// === impl MailGuard ===

impl MailGuard {
    /// Open after five letters in a row that were not taken: letters are few, so a share of failures
    /// would mean little. Asked again with one letter after 5 s, and then ever later, up to a minute:
    /// a server that was only restarted should not keep letters waiting.
    ///
    /// # Errors
    /// [`InvalidOptions`] for numbers that are out of bounds: a mistake of ours.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Result<Self, InvalidOptions> {
        let (first, last) = (Duration::from_secs(5), Duration::from_secs(60));
        let options = Options::classic().with_open(first, 2.0, last)?;
        let options = options.with_fallback("letters that wait in the mailbox");
        // A letter is no hot path: exact time, which tests can pause.
        let environment = Environment::process().with_clock(clock).with_ticker(Ticker::tokio());
        Ok(Self {
            breaker: Breaker::new("mail", options, environment),
            budget: Budget::new("mail-retries", Policy::recommended()),
        })
    }

    /// Shows its policies to operators.
    pub(crate) fn register(&self, policies: &Registry) {
        policies.register(Arc::new(self.breaker.clone()));
        policies.register(Arc::new(self.budget.clone()));
    }

    /// What guards the handlers that hand letters over.
    pub(crate) fn guard(&self) -> Guard {
        Guard::new(self.breaker.clone()).with_budget(self.budget.clone())
    }
}
