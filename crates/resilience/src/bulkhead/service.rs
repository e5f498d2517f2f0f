//! A service whose calls need a place.

use std::marker::PhantomData;
use std::task::{Context, Poll};

use tower::Service;

use super::{Acquire, Bulkhead, Choose, Entry, Place};
use crate::delayed::Delayed;
use crate::hold::{Hold, UntilAnswer};
use crate::{Carries, Reason, SeamError};

/// A service whose calls need a place. Made by [`BulkheadLayer`](super::BulkheadLayer).
///
/// It is ready when the service inside is; a call that finds no place waits in its own future.
pub struct InBulkhead<S, C = Bulkhead, H = UntilAnswer> {
    inner: S,
    choose: C,
    hold: PhantomData<fn() -> H>,
}

// === impl InBulkhead ===

impl<S, C, H> InBulkhead<S, C, H> {
    pub(super) fn new(inner: S, choose: C) -> Self {
        Self { inner, choose, hold: PhantomData }
    }
}

impl<S: Clone, C: Clone, H> Clone for InBulkhead<S, C, H> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.choose.clone())
    }
}

impl<S: std::fmt::Debug, C: std::fmt::Debug, H> std::fmt::Debug for InBulkhead<S, C, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InBulkhead")
            .field("inner", &self.inner)
            .field("choose", &self.choose)
            .finish()
    }
}

impl<S, R, C, H> Service<R> for InBulkhead<S, C, H>
where
    // Inner service: cloned only for a call that has to wait.
    S: Service<R> + Clone,
    S::Error: SeamError,
    R: Carries,
    C: Choose<R>,
    H: Hold<S::Response, Place>,
{
    type Response = H::Held;
    type Error = S::Error;
    type Future = Delayed<Acquire, S, R, Place, H>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let bulkhead = self.choose.choose(&request);
        let call = request.call();
        if call.deadline.is_some_and(|deadline| deadline <= tokio::time::Instant::now()) {
            return Delayed::rejected(bulkhead.shared.numbers.reject(Reason::DeadlineExceeded));
        }
        // Bound first, so that the lock is not held while the service is called.
        let entry = bulkhead.enter(&mut bulkhead.shared.state.lock());
        match entry {
            Entry::Inside(place) => Delayed::running(self.inner.call(request), place),
            Entry::Rejected(rejected) => Delayed::rejected(rejected),
            Entry::Queue => {
                let acquire = bulkhead.acquire(&call);
                // The service that was made ready must be the one that is called.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                Delayed::waiting(acquire, ready, request)
            }
        }
    }
}
