//! Breakers in paused time, and a service that is strict about its contract.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use switchboard_core::BoxError;
use switchboard_resilience::breaker::{Breaker, Environment, Options};
use tower::Service;

/// A breaker in tokio's time.
pub(crate) fn breaker(options: Options) -> Breaker {
    Breaker::new("it", options, Environment::seeded(1))
}

/// Makes it open.
pub(crate) fn trip(breaker: &Breaker) {
    for _ in 0..5 {
        breaker.admit().expect("it is closed").failure(Duration::from_millis(1));
    }
}

/// Panics when it is called without having been asked whether it is ready, as buffers, limits and
/// pools do. Its clones must be asked themselves.
#[derive(Default)]
pub(crate) struct Strict {
    is_ready: bool,
    pub(crate) is_down: bool,
    pub(crate) calls: Arc<AtomicUsize>,
}

type Answer = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

// === impl Strict ===

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { is_ready: false, is_down: self.is_down, calls: self.calls.clone() }
    }
}

impl<R> Service<R> for Strict {
    type Response = u32;
    type Error = BoxError;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.is_down {
            return Poll::Pending;
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Answer {
        assert!(std::mem::take(&mut self.is_ready), "called without being ready");
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(7) })
    }
}
