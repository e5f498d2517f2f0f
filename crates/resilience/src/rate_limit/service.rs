//! Services whose calls begin at a rate.

use std::hash::Hash;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower::Service;

use super::{KeyedRateLimit, Paced, RateLimit, Turning};
use crate::{Admitted, Carries, SeamError};

/// A service whose calls begin at a rate. Made by [`RateLimitLayer`](super::RateLimitLayer).
#[derive(Clone, Debug)]
pub struct RateLimited<S> {
    inner: S,
    limit: RateLimit,
    max_wait: Duration,
}

/// A service whose calls begin at the rate of their key. Made by
/// [`KeyedRateLimitLayer`](super::KeyedRateLimitLayer).
#[derive(Clone)]
pub struct KeyedRateLimited<S, K, F> {
    inner: S,
    limit: KeyedRateLimit<K>,
    key: F,
}

// === impl RateLimited ===

impl<S> RateLimited<S> {
    pub(super) const fn new(inner: S, limit: RateLimit, max_wait: Duration) -> Self {
        Self { inner, limit, max_wait }
    }
}

impl<S, R> Service<R> for RateLimited<S>
where
    // Inner service: cloned only for a call that has to wait.
    S: Service<R> + Clone,
    S::Error: SeamError,
    R: Carries,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Paced<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let mut max_wait = self.max_wait;
        // A limit that nobody waits at needs no second look at the clock.
        if !max_wait.is_zero()
            && let Some(remaining) = request.call().remaining(Instant::now())
        {
            max_wait = max_wait.min(remaining);
        }
        match self.limit.take(max_wait) {
            Err(refused) => Paced::rejected(refused.rejected),
            Ok(turn) if turn.wait.is_zero() => Paced::running(self.inner.call(request), ()),
            Ok(turn) => {
                // Before anything else can fail, so that the turn is given back if it does.
                let turn = self.limit.reserved(turn);
                // The service that was made ready must be the one that is called.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                self.limit.shared.waits.record(turn.wait().as_secs_f64());
                Paced::waiting(Turning::new(turn), ready, request)
            }
        }
    }
}

// === impl KeyedRateLimited ===

impl<S, K, F> KeyedRateLimited<S, K, F> {
    pub(super) const fn new(inner: S, limit: KeyedRateLimit<K>, key: F) -> Self {
        Self { inner, limit, key }
    }
}

impl<S, R, K, F> Service<R> for KeyedRateLimited<S, K, F>
where
    S: Service<R>,
    S::Error: SeamError,
    // The key of a request, if it has one.
    F: Fn(&R) -> Option<K>,
    K: Hash + Eq + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Admitted<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match (self.key)(&request).map(|key| self.limit.try_acquire(&key)) {
            Some(Err(refused)) => Admitted::rejected(refused.rejected),
            None | Some(Ok(_)) => Admitted::running(self.inner.call(request)),
        }
    }
}

impl<S: std::fmt::Debug, K, F> std::fmt::Debug for KeyedRateLimited<S, K, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedRateLimited")
            .field("inner", &self.inner)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
