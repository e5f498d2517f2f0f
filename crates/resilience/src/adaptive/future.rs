//! A call that tells the limit how it ended.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::{Permit, Place};
use crate::hold::Hold;
use crate::{Classifier, Outcome, Rejected, SeamError};

pin_project! {
    /// The future of a call in an adaptive limit.
    ///
    /// # Cancel safety
    /// Dropped at any moment, it frees its place.
    pub struct Sampled<F, T, E, H> {
        #[pin]
        state: State<F, T, E>,
        hold: PhantomData<fn() -> H>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, T, E> {
        Rejected { rejected: Rejected },
        // Fields drop in this order: the work ends before its place is free.
        Running { #[pin] future: F, permit: Option<Permit>, classify: Classifier<T, E> },
    }
}

// === impl Sampled ===

impl<F, T, E, H> Sampled<F, T, E, H> {
    pub(super) fn new(future: F, permit: Permit, classify: Classifier<T, E>) -> Self {
        let state = State::Running { future, permit: Some(permit), classify };
        Self { state, hold: PhantomData }
    }

    pub(super) fn rejected(rejected: Rejected) -> Self {
        Self { state: State::Rejected { rejected }, hold: PhantomData }
    }
}

impl<F, T, E, H> Future for Sampled<F, T, E, H>
where
    F: Future<Output = Result<T, E>>,
    E: SeamError,
    H: Hold<T, Place>,
{
    type Output = Result<H::Held, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Rejected { rejected } => Poll::Ready(Err((*rejected).into())),
            StateProj::Running { future, permit, classify } => {
                let answer = ready!(future.poll(cx));
                let Some(permit) = permit.take() else { return Poll::Pending };
                let place = match classify.classify(&answer) {
                    Outcome::Success => permit.succeeded(),
                    Outcome::Failure { .. } => permit.overloaded(),
                    Outcome::Ignore => permit.ignored(),
                };
                Poll::Ready(answer.map(|answer| H::hold(answer, place)))
            }
        }
    }
}

impl<F, T, E, H> std::fmt::Debug for Sampled<F, T, E, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Rejected { .. } => "rejected",
            State::Running { .. } => "running",
        };
        f.debug_tuple("Sampled").field(&state).finish()
    }
}
