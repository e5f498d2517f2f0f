//! Wraps services in [`Guarded`].

use std::fmt;
use std::marker::PhantomData;

use tower::Layer;

use super::breaker::Breaker;
use super::service::Guarded;
use crate::{Carries, Classifier};

/// Puts one breaker around services; all of them share its state.
pub struct BreakerLayer<T, E, M = EveryCall> {
    breaker: Breaker,
    classifier: Classifier<T, E>,
    mode: PhantomData<fn() -> M>,
}

/// Which calls of a service a breaker may hold back.
pub trait Mode<R> {
    /// Whether all of them, so that an open breaker need not wait for the service behind it.
    const HOLDS_EVERY_CALL: bool;

    /// Whether this one.
    fn may_hold(request: &R) -> bool;
}

/// All.
#[derive(Clone, Copy, Debug)]
pub struct EveryCall;

/// Only those that repeat another: the requests carry a [`Call`](crate::Call) that says so.
#[derive(Clone, Copy, Debug)]
pub struct RetriesOnly;

// === impl BreakerLayer ===

impl<T, E> BreakerLayer<T, E> {
    /// This breaker, judging answers by this classifier.
    pub fn new(breaker: Breaker, classifier: Classifier<T, E>) -> Self {
        Self { breaker, classifier, mode: PhantomData }
    }

    /// Holds back only retries; first tries always pass, and are judged while it is closed (R10).
    ///
    /// For many small clients: a breaker that holds back first tries opens on a partial outage that
    /// most of its calls would not meet. Requests must carry their [`Call`](crate::Call).
    #[must_use]
    pub fn retries_only(self) -> BreakerLayer<T, E, RetriesOnly> {
        BreakerLayer { breaker: self.breaker, classifier: self.classifier, mode: PhantomData }
    }
}

impl<T, E, M> BreakerLayer<T, E, M> {
    /// The breaker.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }
}

impl<S, T, E, M> Layer<S> for BreakerLayer<T, E, M> {
    type Service = Guarded<S, T, E, M>;

    fn layer(&self, inner: S) -> Guarded<S, T, E, M> {
        Guarded::new(inner, &self.breaker, self.classifier.clone())
    }
}

impl<T, E, M> Clone for BreakerLayer<T, E, M> {
    fn clone(&self) -> Self {
        Self {
            breaker: self.breaker.clone(),
            classifier: self.classifier.clone(),
            mode: PhantomData,
        }
    }
}

impl<T, E, M> fmt::Debug for BreakerLayer<T, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerLayer").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

// === impl Mode ===

impl<R> Mode<R> for EveryCall {
    const HOLDS_EVERY_CALL: bool = true;

    #[inline]
    fn may_hold(_: &R) -> bool {
        true
    }
}

impl<R: Carries> Mode<R> for RetriesOnly {
    const HOLDS_EVERY_CALL: bool = false;

    fn may_hold(request: &R) -> bool {
        request.call().attempt > 0
    }
}
