//! A service behind a breaker.
//!
//! A breaker that would reject is ready at once, without asking the service behind it: a dependency that is down is often not ready
//! either, and waiting for it is what the breaker should spare its callers. A service that was not asked whether it is ready is then never
//! called (trap 12), even if the breaker closes in between. When the open time is over, callers wait for the service as they would without
//! a breaker: give waiting a limit too, outside of it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tower::Service;

use super::breaker::Breaker;
use super::core::Core;
use super::future::ResponseFuture;
use super::layer::{EveryCall, Mode};
use super::permit::{Held, Pass};
use crate::{Classifier, SeamError};

/// A service behind a breaker. Its errors are the service's own; a rejection becomes one.
pub struct Guarded<S, T, E, M = EveryCall> {
    inner: S,
    guard: Arc<Guard<T, E>>,
    /// The inner service said that it is ready, and was not called since.
    is_ready: bool,
    mode: PhantomData<fn() -> M>,
}

/// What the calls of one clone share; alone on its cache lines, as a breaker's handle is.
#[repr(align(128))]
pub(crate) struct Guard<T, E> {
    core: Arc<Core>,
    pub(crate) classifier: Classifier<T, E>,
}

// === impl Guarded ===

impl<S, T, E, M> Guarded<S, T, E, M> {
    pub(crate) fn new(inner: S, breaker: &Breaker, classifier: Classifier<T, E>) -> Self {
        let core = breaker.core_arc().clone();
        Self {
            inner,
            guard: Arc::new(Guard { core, classifier }),
            is_ready: false,
            mode: PhantomData,
        }
    }
}

impl<S, R, M> Service<R> for Guarded<S, S::Response, S::Error, M>
where
    S: Service<R>,
    S::Error: SeamError,
    M: Mode<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response, S::Error>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Where some calls pass even so, the service is needed for them.
        if M::HOLDS_EVERY_CALL && self.guard.core.would_keep() {
            return Poll::Ready(Ok(()));
        }
        if !self.is_ready {
            ready!(self.inner.poll_ready(cx))?;
            self.is_ready = true;
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        let core = &self.guard.core;
        if !self.is_ready {
            // It opened before `poll_ready`, and may be open no longer: still nothing to call.
            return ResponseFuture::refused(core.keep_unready());
        }
        let admitted = if M::may_hold(&request) { core.admit() } else { core.admit_first_try() };
        match admitted {
            Ok(ticket) => {
                self.is_ready = false;
                let pass = Pass::new(self.guard.clone(), ticket);
                // A panic in here drops the permit while the thread panics: a failure (B15).
                let inner = self.inner.call(request);
                ResponseFuture::running(inner, pass)
            }
            Err(refusal) => ResponseFuture::refused(refusal),
        }
    }
}

/// A clone asks for readiness itself, and has its own part of the counts.
impl<S: Clone, T, E, M> Clone for Guarded<S, T, E, M> {
    fn clone(&self) -> Self {
        let guard =
            Guard { core: self.guard.core.clone(), classifier: self.guard.classifier.clone() };
        Self {
            inner: self.inner.clone(),
            guard: Arc::new(guard),
            is_ready: false,
            mode: PhantomData,
        }
    }
}

impl<S: fmt::Debug, T, E, M> fmt::Debug for Guarded<S, T, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("breaker", &self.guard.core.name)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

// === impl Guard ===

impl<T, E> Held for Arc<Guard<T, E>> {
    #[inline]
    fn core(&self) -> &Core {
        &self.core
    }
}
