//! What the tests of layers share: services that notice misuse, and futures that are dropped half-way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tower::Service;

use crate::{Call, Rejected};

pub(crate) type Request = (Call, Duration);
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<u32, Rejected>> + Send>>;

/// Takes as long as it is asked to, answers with how many ran, and insists on being made ready
/// before each call, clone by clone (trap 12).
#[derive(Debug, Default)]
pub(crate) struct Probe {
    is_ready: bool,
    pub(crate) running: Arc<AtomicUsize>,
    pub(crate) begun: Arc<AtomicUsize>,
}

/// Counts up while it lives.
struct Running(Arc<AtomicUsize>);

/// A call that takes this long.
pub(crate) fn taking(millis: u64) -> Request {
    (Call::new(), Duration::from_millis(millis))
}

/// Polls a future by hand, once.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Drops what `make` makes after no poll, after one, after two … until it ends by itself, and has
/// `check` look each time. Between polls, time moves by a millisecond.
pub(crate) async fn dropped_after_each_poll<F: Future>(
    mut make: impl FnMut() -> F,
    mut check: impl FnMut(),
) {
    for polls in 0..1_000 {
        let mut future = Box::pin(make());
        for _ in 0..polls {
            if poll_once(future.as_mut()).is_ready() {
                drop(future);
                check();
                assert!(polls > 1, "the future never waited, so nothing was tested");
                return;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        drop(future);
        check();
    }
    panic!("the future never ended");
}

// === impl Probe ===

/// A clone is not ready.
impl Clone for Probe {
    fn clone(&self) -> Self {
        Self { is_ready: false, running: self.running.clone(), begun: self.begun.clone() }
    }
}

impl Service<Request> for Probe {
    type Response = u32;
    type Error = Rejected;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejected>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (_, takes): Request) -> Answer {
        assert!(std::mem::take(&mut self.is_ready), "called without having been made ready");
        let (running, begun) = (self.running.clone(), self.begun.clone());
        Box::pin(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            running.fetch_add(1, Ordering::SeqCst);
            let running = Running(running);
            tokio::time::sleep(takes).await;
            Ok(u32::try_from(running.0.load(Ordering::SeqCst)).unwrap())
        })
    }
}

// === impl Running ===

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
