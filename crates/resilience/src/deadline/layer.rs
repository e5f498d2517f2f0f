//! Wraps services in [`Deadline`].

use std::time::Duration;

use tower::Layer;

use super::Deadline;
use crate::PolicyName;

/// Gives every call of a service a deadline.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer {
    name: PolicyName,
    limit: Option<Duration>,
}

// === impl DeadlineLayer ===

impl DeadlineLayer {
    /// Calls end at most `limit` after they began, and never after the deadline they bring.
    pub fn new(limit: Duration) -> Self {
        Self { name: PolicyName::new("deadline"), limit: Some(limit) }
    }

    /// Calls end by the deadline they bring; those that bring none may take for ever.
    pub fn as_brought() -> Self {
        Self { name: PolicyName::new("deadline"), limit: None }
    }

    /// The name in rejections. Default: `deadline`.
    #[must_use]
    pub fn named(mut self, name: impl Into<PolicyName>) -> Self {
        self.name = name.into();
        self
    }

    /// Its name.
    pub const fn name(&self) -> PolicyName {
        self.name
    }

    /// The limit of its own, for who explains a pipeline.
    pub const fn limit(&self) -> Option<Duration> {
        self.limit
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner, name: self.name, limit: self.limit }
    }
}
