//! A service of which as many calls run as it can do.

use std::marker::PhantomData;
use std::task::{Context, Poll};

use tower::Service;

use super::{AdaptiveLimit, Place, Sampled};
use crate::hold::{Hold, UntilAnswer};
use crate::{Carries, Classifier, SeamError};

/// A service of which as many calls run as it can do. Made by
/// [`AdaptiveLimitLayer`](super::AdaptiveLimitLayer).
pub struct InAdaptiveLimit<S, T, E, H = UntilAnswer> {
    inner: S,
    limit: AdaptiveLimit,
    classify: Classifier<T, E>,
    hold: PhantomData<fn() -> H>,
}

// === impl InAdaptiveLimit ===

impl<S, T, E, H> InAdaptiveLimit<S, T, E, H> {
    pub(super) fn new(inner: S, limit: AdaptiveLimit, classify: Classifier<T, E>) -> Self {
        Self { inner, limit, classify, hold: PhantomData }
    }
}

impl<S: Clone, T, E, H> Clone for InAdaptiveLimit<S, T, E, H> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.limit.clone(), self.classify.clone())
    }
}

impl<S: std::fmt::Debug, T, E, H> std::fmt::Debug for InAdaptiveLimit<S, T, E, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InAdaptiveLimit")
            .field("inner", &self.inner)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<S, R, H> Service<R> for InAdaptiveLimit<S, S::Response, S::Error, H>
where
    S: Service<R>,
    S::Error: SeamError,
    R: Carries,
    H: Hold<S::Response, Place>,
{
    type Response = H::Held;
    type Error = S::Error;
    type Future = Sampled<S::Future, S::Response, S::Error, H>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match self.limit.try_acquire(&request.call()) {
            Ok(permit) => Sampled::new(self.inner.call(request), permit, self.classify.clone()),
            Err(rejected) => Sampled::rejected(rejected),
        }
    }
}
