//! The answer of a call that may have to wait before it begins: the future of every layer that lets calls wait.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::Service;

use crate::hold::Hold;
use crate::{Rejected, SeamError};

pin_project! {
    /// The future of a call that waits for what it needs, runs with it, and gives it up at its end.
    ///
    /// # Cancel safety
    /// Dropped at any moment, it gives up what it has, or stops waiting.
    pub struct Delayed<W, S: Service<R>, R, P, H> {
        #[pin]
        state: State<W, S, R, P, S::Future>,
        hold: PhantomData<fn() -> H>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<W, S, R, P, F> {
        Rejected { rejected: Rejected },
        // The request is an option because it leaves before this state does.
        Waiting { #[pin] wait: W, ready: S, request: Option<R> },
        // Fields drop in this order: the work ends before its place is free.
        Running { #[pin] future: F, place: Option<P> },
    }
}

// === impl Delayed ===

impl<W, S: Service<R>, R, P, H> Delayed<W, S, R, P, H> {
    pub(crate) fn running(future: S::Future, place: P) -> Self {
        Self::of(State::Running { future, place: Some(place) })
    }

    /// Calls `ready`, which was made ready, as soon as `wait` gives what the call needs.
    pub(crate) fn waiting(wait: W, ready: S, request: R) -> Self {
        Self::of(State::Waiting { wait, ready, request: Some(request) })
    }

    pub(crate) fn rejected(rejected: Rejected) -> Self {
        Self::of(State::Rejected { rejected })
    }

    fn of(state: State<W, S, R, P, S::Future>) -> Self {
        Self { state, hold: PhantomData }
    }
}

impl<W, S, R, P, H> Future for Delayed<W, S, R, P, H>
where
    W: Future<Output = Result<P, Rejected>>,
    S: Service<R>,
    S::Error: SeamError,
    H: Hold<S::Response, P>,
{
    type Output = Result<H::Held, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Rejected { rejected } => return Poll::Ready(Err((*rejected).into())),
                StateProj::Waiting { wait, ready, request } => {
                    let place = match ready!(wait.poll(cx)) {
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

impl<W, S: Service<R>, R, P, H> std::fmt::Debug for Delayed<W, S, R, P, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Rejected { .. } => "rejected",
            State::Waiting { .. } => "waiting",
            State::Running { .. } => "running",
        };
        f.debug_tuple("Delayed").field(&state).finish()
    }
}
