//! A service for the tests of layers that takes as long as it is asked to, and notices misuse.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tower::Service;

use crate::trial::Running;
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

/// A call that takes this long.
pub(crate) fn taking(millis: u64) -> Request {
    (Call::new(), Duration::from_millis(millis))
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
            let running = Running::begun(running);
            tokio::time::sleep(takes).await;
            Ok(running.count())
        })
    }
}
