//! Wraps services in [`Retry`].

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::{Rng, Verdict};
use tower::Layer;

use super::{Judge, Policy, Retry, Settings, Stop};
use crate::budget::Budget;
use crate::{Backoff, PolicyName};

/// Repeats failed calls of a service.
pub struct RetryLayer<T, E> {
    settings: Settings<T, E>,
}

// === impl RetryLayer ===

impl<T, E> RetryLayer<T, E> {
    /// Repeats by these waits what `verdict` says may be repeated. Chance is an argument (R9).
    pub fn new(
        backoff: Backoff,
        rng: Rng,
        verdict: impl Fn(&E) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self::judged_by(backoff, rng, Judge::of_errors(verdict))
    }

    /// Repeats by this policy what this judge says may be repeated, answers included.
    pub fn judged_by(policy: impl Into<Policy>, rng: Rng, judge: impl Into<Judge<T, E>>) -> Self {
        Self {
            settings: Settings {
                name: PolicyName::new("retry"),
                policy: policy.into(),
                rng: Arc::new(Mutex::new(rng)),
                judge: judge.into(),
                budget: None,
                give_up: None,
            },
        }
    }

    /// The name in metrics and rejections. Default: `retry`.
    #[must_use]
    pub fn named(mut self, name: impl Into<PolicyName>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Pays for repetitions from this budget (R4). Share it with everything else that repeats calls
    /// to the same dependency. Default: none, which bounds only what one call does.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.settings.budget = Some(budget);
        self
    }

    /// No attempt begins later than this after the call began (R3). Default: no limit but the
    /// call's deadline.
    #[must_use]
    pub fn with_total(mut self, total: Duration) -> Self {
        self.settings.policy = self.settings.policy.with_total(total);
        self
    }

    /// Lets `mark` change an answer after which nobody further out should try again either (R7):
    /// with HTTP, [`refuse_retries`](crate::propagate::refuse_retries) on its headers.
    #[must_use]
    pub fn when_giving_up(
        mut self,
        mark: impl Fn(&mut Result<T, E>, Stop) + Send + Sync + 'static,
    ) -> Self {
        self.settings.give_up = Some(Arc::new(mark));
        self
    }

    /// Its name.
    pub const fn name(&self) -> PolicyName {
        self.settings.name
    }

    /// The waits and the number of attempts, for who explains a pipeline.
    pub const fn backoff(&self) -> &Backoff {
        self.settings.policy.backoff()
    }

    /// How long after the call began the last attempt may begin, if the layer has such a limit.
    pub const fn total(&self) -> Option<Duration> {
        self.settings.policy.total()
    }

    /// The budget, if it has one.
    pub const fn budget(&self) -> Option<&Budget> {
        self.settings.budget.as_ref()
    }
}

impl<T, E> Clone for RetryLayer<T, E> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone() }
    }
}

impl<T, E> std::fmt::Debug for RetryLayer<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RetryLayer").field("policy", &self.settings.policy).finish_non_exhaustive()
    }
}

impl<S, T, E> Layer<S> for RetryLayer<T, E> {
    type Service = Retry<S, T, E>;

    fn layer(&self, inner: S) -> Retry<S, T, E> {
        Retry { inner, settings: Arc::new(self.settings.clone()) }
    }
}
