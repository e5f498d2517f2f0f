//! A call that waits for its turn, and runs.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower::Service;

use super::Reservation;
use crate::{Rejected, SeamError};

pin_project! {
    /// The future of a call at a rate.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it gives its turn back, unless another call's turn was told after
    /// it.
    pub struct Paced<S: Service<R>, R> {
        #[pin]
        state: State<S, R, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, R, F> {
        Rejected { rejected: Rejected },
        // Turn and request are options because they leave before this state does.
        Waiting { #[pin] sleep: Sleep, turn: Option<Reservation>, ready: S, request: Option<R> },
        Running { #[pin] future: F },
    }
}

// === impl Paced ===

impl<S: Service<R>, R> Paced<S, R> {
    pub(super) fn running(future: S::Future) -> Self {
        Self { state: State::Running { future } }
    }

    pub(super) fn waiting(turn: Reservation, ready: S, request: R) -> Self {
        let sleep = tokio::time::sleep(turn.wait());
        let request = Some(request);
        Self { state: State::Waiting { sleep, turn: Some(turn), ready, request } }
    }

    pub(super) fn rejected(rejected: Rejected) -> Self {
        Self { state: State::Rejected { rejected } }
    }
}

impl<S, R> Future for Paced<S, R>
where
    S: Service<R>,
    S::Error: SeamError,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Rejected { rejected } => return Poll::Ready(Err((*rejected).into())),
                StateProj::Waiting { sleep, turn, ready, request } => {
                    ready!(sleep.poll(cx));
                    // Polled again after its end, it waits for ever.
                    let Some(request) = request.take() else { return Poll::Pending };
                    if let Some(turn) = turn.take() {
                        turn.used();
                    }
                    let future = ready.call(request);
                    state.set(State::Running { future });
                }
                StateProj::Running { future } => return future.poll(cx),
            }
        }
    }
}

impl<S: Service<R>, R> std::fmt::Debug for Paced<S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Rejected { .. } => "rejected",
            State::Waiting { .. } => "waiting",
            State::Running { .. } => "running",
        };
        f.debug_tuple("Paced").field(&state).finish()
    }
}
