//! Wraps services in [`Timeout`].

use std::time::Duration;

use tower::Layer;

use super::Timeout;

/// Gives every call of a service the same limit.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer {
    limit: Duration,
}

impl TimeoutLayer {
    /// Calls take at most `limit`.
    pub const fn new(limit: Duration) -> Self {
        Self { limit }
    }

    pub(crate) const fn limit(&self) -> Duration {
        self.limit
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout::new(inner, self.limit)
    }
}
