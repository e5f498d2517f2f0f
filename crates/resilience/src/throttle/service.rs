//! A service that is not asked what it would refuse.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::Service;

use super::{Request, Throttle};
use crate::{Admitted, Classifier, SeamError};

/// A service that is not asked what it would refuse. Made by
/// [`ThrottleLayer`](super::ThrottleLayer).
pub struct Throttled<S, T, E> {
    inner: S,
    throttle: Throttle,
    classify: Classifier<T, E>,
}

pin_project! {
    /// A call that tells the throttle how it ended.
    pub struct Asked<F, T, E> {
        #[pin]
        future: F,
        request: Option<Request>,
        classify: Classifier<T, E>,
    }
}

// === impl Throttled ===

impl<S, T, E> Throttled<S, T, E> {
    pub(super) fn new(inner: S, throttle: Throttle, classify: Classifier<T, E>) -> Self {
        Self { inner, throttle, classify }
    }
}

impl<S: Clone, T, E> Clone for Throttled<S, T, E> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.throttle.clone(), self.classify.clone())
    }
}

impl<S: std::fmt::Debug, T, E> std::fmt::Debug for Throttled<S, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttled")
            .field("inner", &self.inner)
            .field("throttle", &self.throttle)
            .finish_non_exhaustive()
    }
}

impl<S, R> Service<R> for Throttled<S, S::Response, S::Error>
where
    S: Service<R>,
    S::Error: SeamError,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Admitted<Asked<S::Future, S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match self.throttle.admit() {
            Err(rejected) => Admitted::rejected(rejected),
            Ok(counted) => Admitted::running(Asked {
                future: self.inner.call(request),
                request: Some(counted),
                classify: self.classify.clone(),
            }),
        }
    }
}

// === impl Asked ===

impl<F, T, E> Future for Asked<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: SeamError,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(cx));
        if let Some(request) = this.request.take() {
            let rejected = answer.as_ref().err().and_then(SeamError::rejected);
            match rejected {
                // It never reached the dependency.
                Some(rejected) if !rejected.reason.is_attempt() => request.withdrawn(),
                _ => request.ended(this.classify.classify(&answer)),
            }
        }
        Poll::Ready(answer)
    }
}

impl<F, T, E> std::fmt::Debug for Asked<F, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("request", &self.request).finish_non_exhaustive()
    }
}
