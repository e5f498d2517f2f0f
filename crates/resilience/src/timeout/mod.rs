//! An attempt ends in time, or is dropped and answered with [`Elapsed`].
//!
//! Without a limit, a dependency that hangs holds every caller that waits for it, and soon their callers. Put it *inside* a retry, so
//! that each attempt has its own time; it covers the response's head, not a body that streams (D2).
//!
//! Not for work that must not be dropped half-way: a timeout drops the inner future.

mod layer;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use switchboard_core::{BoxError, Retryable, Verdict};
use tower::Service;

pub use layer::TimeoutLayer;

/// A service whose calls end in time.
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    inner: S,
    limit: Duration,
}

/// The call took longer than its limit and was dropped; whether it had an effect is unknown.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {limit:?}")]
pub struct Elapsed {
    limit: Duration,
}

// === impl Timeout ===

impl<S> Timeout<S> {
    /// Calls of `inner` take at most `limit`.
    pub const fn new(inner: S, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

impl<S, R> Service<R> for Timeout<S>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (limit, answer) = (self.limit, self.inner.call(request));
        Box::pin(async move {
            match tokio::time::timeout(limit, answer).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(Elapsed { limit }.into()),
            }
        })
    }
}

// === impl Elapsed ===

impl Retryable for Elapsed {
    fn verdict(&self) -> Verdict {
        Verdict::Retry
    }
}
