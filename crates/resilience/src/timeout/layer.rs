//! Wraps services in [`Timeout`].

use std::time::Duration;

use tower::Layer;

use super::Timeout;
use crate::PolicyName;

/// Gives every attempt of a service the same limit.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer {
    name: PolicyName,
    limit: Duration,
    least: Duration,
}

// === impl TimeoutLayer ===

impl TimeoutLayer {
    /// Attempts take at most `limit`, or what remains of the call's deadline.
    pub fn new(limit: Duration) -> Self {
        Self { name: PolicyName::new("timeout"), limit, least: Duration::ZERO }
    }

    /// The name in rejections. Default: `timeout`.
    #[must_use]
    pub fn named(mut self, name: impl Into<PolicyName>) -> Self {
        self.name = name.into();
        self
    }

    /// Does not begin an attempt that has no more time than this: it would only time out, and say
    /// of a healthy dependency that it is not. Where strangers choose the deadline, set it to what a
    /// quick answer takes, or a few of them in a hurry open the breaker for all. Default: nothing.
    #[must_use]
    pub const fn with_least(mut self, least: Duration) -> Self {
        self.least = least;
        self
    }

    /// Its name.
    pub const fn name(&self) -> PolicyName {
        self.name
    }

    /// The limit, for who explains a pipeline.
    pub const fn limit(&self) -> Duration {
        self.limit
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout { inner, name: self.name, limit: self.limit, least: self.least }
    }
}
