//! An attempt that failed in a way that may pass by itself is repeated, after a wait, within the caller's deadline.
//!
//! What may be repeated is the classifier's to say ([`Verdict`]): a refusal is an answer, a terminal fault will fail again, and a request
//! that must not happen twice needs an idempotency key before anybody retries it. Retries in several layers multiply; put one near the
//! edge, and let the layers below fail fast.

mod layer;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::{Rng, Verdict};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use crate::Backoff;

pub use layer::RetryLayer;

/// What an error answers to "again?".
pub(crate) type Classify<E> = Arc<dyn Fn(&E) -> Verdict + Send + Sync>;

/// A service whose failed calls are repeated.
pub struct Retry<S, E> {
    inner: S,
    backoff: Arc<Backoff>,
    total: Option<Duration>,
    rng: Arc<Mutex<Rng>>,
    classify: Classify<E>,
}

// === impl Retry ===

impl<S: Clone, E> Clone for Retry<S, E> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            backoff: self.backoff.clone(),
            total: self.total,
            rng: self.rng.clone(),
            classify: self.classify.clone(),
        }
    }
}

impl<S: std::fmt::Debug, E> std::fmt::Debug for Retry<S, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retry")
            .field("inner", &self.inner)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

impl<S, R> Service<R> for Retry<S, S::Error>
where
    // Inner service: cloned for each call, and made ready again before each attempt.
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    S::Response: Send,
    // Request: kept for the next attempt.
    R: Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The service that was made ready must be the one that is called; its clone waits here.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (backoff, rng) = (self.backoff.clone(), self.rng.clone());
        let (classify, total) = (self.classify.clone(), self.total);
        Box::pin(async move {
            let deadline = total.map(|total| Instant::now() + total);
            let mut failed = 0;
            loop {
                let error = match inner.call(request.clone()).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                };
                failed += 1;
                let wait = match classify(&error) {
                    Verdict::Retry => backoff.wait(failed, &mut rng.lock()),
                    Verdict::Terminal | Verdict::Stuck => None,
                };
                let Some(wait) = wait else { return Err(error) };
                if deadline.is_some_and(|deadline| Instant::now() + wait >= deadline) {
                    return Err(error);
                }
                metrics::counter!("switchboard.resilience.retries").increment(1);
                tokio::time::sleep(wait).await;
                inner.ready().await?;
            }
        })
    }
}
