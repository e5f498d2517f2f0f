//! A call that waits for its place, runs in it, and gives it up at its end.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::Service;

use super::{Acquire, Place};
use crate::hold::Hold;
use crate::{Rejected, SeamError};

pin_project! {
    /// The future of a call in a bulkhead.
    ///
    /// # Cancel safety
    /// Dropped at any moment, it frees its place, or leaves the queue.
    pub struct Running<S: Service<R>, R, H> {
        #[pin]
        state: State<S, R, S::Future>,
        hold: PhantomData<fn() -> H>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, R, F> {
        Rejected { rejected: Rejected },
        // The request is an option because it leaves before this state does.
        Waiting { #[pin] acquire: Acquire, ready: S, request: Option<R> },
        // Fields drop in this order: the work ends before its place is free.
        Running { #[pin] future: F, place: Option<Place> },
    }
}

// === impl Running ===

impl<S: Service<R>, R, H> Running<S, R, H> {
    pub(super) fn new(future: S::Future, place: Place) -> Self {
        Self::of(State::Running { future, place: Some(place) })
    }

    pub(super) fn waiting(acquire: Acquire, ready: S, request: R) -> Self {
        Self::of(State::Waiting { acquire, ready, request: Some(request) })
    }

    pub(super) fn rejected(rejected: Rejected) -> Self {
        Self::of(State::Rejected { rejected })
    }

    fn of(state: State<S, R, S::Future>) -> Self {
        Self { state, hold: PhantomData }
    }
}

impl<S, R, H> Future for Running<S, R, H>
where
    S: Service<R>,
    S::Error: SeamError,
    H: Hold<S::Response, Place>,
{
    type Output = Result<H::Held, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Rejected { rejected } => return Poll::Ready(Err((*rejected).into())),
                StateProj::Waiting { acquire, ready, request } => {
                    let place = match ready!(acquire.poll(cx)) {
                        Ok(place) => place,
                        Err(rejected) => return Poll::Ready(Err(rejected.into())),
                    };
                    // Polled again after its end, it waits for ever.
                    let Some(request) = request.take() else { return Poll::Pending };
                    let future = ready.call(request);
                    state.set(State::Running { future, place: Some(place) });
                }
                StateProj::Running { future, place } => {
                    let answer = ready!(future.poll(cx));
                    let Some(place) = place.take() else { return Poll::Pending };
                    return Poll::Ready(answer.map(|answer| H::hold(answer, place)));
                }
            }
        }
    }
}

impl<S: Service<R>, R, H> std::fmt::Debug for Running<S, R, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Rejected { .. } => "rejected",
            State::Waiting { .. } => "waiting",
            State::Running { .. } => "running",
        };
        f.debug_tuple("Running").field(&state).finish()
    }
}
