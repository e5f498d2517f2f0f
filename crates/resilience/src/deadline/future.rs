//! An answer in time, or a rejection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::task::coop::{Unconstrained, unconstrained};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::Rejected;

pin_project! {
    /// The answer of a call that must end in time. A call that does not is dropped before the
    /// rejection is given, so that nothing of it runs on.
    pub struct InTime<F> {
        #[pin]
        running: Option<F>,
        limit: Option<Instant>,
        // Made when the call has to wait: an answer that is there at once needs none, and it costs
        // more than the rest of the layer. Unconstrained, because a call that always has more to do
        // uses up the time slice that its timer would need to be looked at.
        #[pin]
        timer: Option<Unconstrained<Sleep>>,
        rejected: Rejected,
    }
}

// === impl InTime ===

impl<F> InTime<F> {
    /// Runs until then, if there is a limit, and after that is this rejection.
    pub(crate) fn until(limit: Option<Instant>, running: F, rejected: Rejected) -> Self {
        Self { running: Some(running), limit, timer: None, rejected }
    }

    /// Is this rejection at once.
    pub(crate) fn rejected(rejected: Rejected) -> Self {
        Self { running: None, limit: None, timer: None, rejected }
    }
}

impl<F, T, E> Future for InTime<F>
where
    F: Future<Output = Result<T, E>>,
    E: From<Rejected>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(running) = this.running.as_mut().as_pin_mut() {
            if let Poll::Ready(answer) = running.poll(cx) {
                return Poll::Ready(answer);
            }
            let Some(limit) = *this.limit else { return Poll::Pending };
            if this.timer.is_none() {
                this.timer.set(Some(unconstrained(sleep_until(limit))));
            }
            if let Some(timer) = this.timer.as_pin_mut() {
                ready!(timer.poll(cx));
            }
            this.running.set(None);
        }
        Poll::Ready(Err((*this.rejected).into()))
    }
}

impl<F> std::fmt::Debug for InTime<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InTime")
            .field("is_running", &self.running.is_some())
            .field("rejected", &self.rejected)
            .finish_non_exhaustive()
    }
}
