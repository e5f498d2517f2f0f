//! Puts a rate limit in front of services.

use std::time::Duration;

use tower::Layer;

use super::{KeyedRateLimit, KeyedRateLimited, RateLimit, RateLimited};

/// Lets calls of a service begin as a rate allows.
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    limit: RateLimit,
    max_wait: Duration,
}

/// Lets calls of a service begin as the rate of their key allows.
#[derive(Clone)]
pub struct KeyedRateLimitLayer<K, F> {
    limit: KeyedRateLimit<K>,
    key: F,
}

// === impl RateLimitLayer ===

impl RateLimitLayer {
    /// Calls above the rate are rejected at once.
    pub const fn new(limit: RateLimit) -> Self {
        Self { limit, max_wait: Duration::ZERO }
    }

    /// The same, but a call whose turn comes within `max_wait`, and before its deadline, waits for
    /// it. For clients that keep to a partner's rate.
    #[must_use]
    pub const fn with_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    pub(crate) const fn limit(&self) -> &RateLimit {
        &self.limit
    }

    pub(crate) const fn max_wait(&self) -> Duration {
        self.max_wait
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimited<S>;

    fn layer(&self, inner: S) -> RateLimited<S> {
        RateLimited::new(inner, self.limit.clone(), self.max_wait)
    }
}

// === impl KeyedRateLimitLayer ===

impl<K, F> KeyedRateLimitLayer<K, F> {
    /// Calls above the rate of the key that `key` finds in a request are rejected at once. A
    /// request without a key passes.
    pub const fn new(limit: KeyedRateLimit<K>, key: F) -> Self {
        Self { limit, key }
    }

    pub(crate) const fn limit(&self) -> &KeyedRateLimit<K> {
        &self.limit
    }
}

impl<S, K, F: Clone> Layer<S> for KeyedRateLimitLayer<K, F> {
    type Service = KeyedRateLimited<S, K, F>;

    fn layer(&self, inner: S) -> Self::Service {
        KeyedRateLimited::new(inner, self.limit.clone(), self.key.clone())
    }
}

impl<K, F> std::fmt::Debug for KeyedRateLimitLayer<K, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedRateLimitLayer").field("limit", &self.limit).finish_non_exhaustive()
    }
}
