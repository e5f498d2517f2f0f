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
}

// === impl TimeoutLayer ===

impl TimeoutLayer {
    /// Attempts take at most `limit`, or what remains of the call's deadline.
    pub fn new(limit: Duration) -> Self {
        Self { name: PolicyName::new("timeout"), limit }
    }

    /// The name in rejections. Default: `timeout`.
    #[must_use]
    pub fn named(mut self, name: impl Into<PolicyName>) -> Self {
        self.name = name.into();
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
        Timeout { inner, name: self.name, limit: self.limit }
    }
}
