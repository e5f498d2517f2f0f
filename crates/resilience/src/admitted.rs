//! The answer of a call that was admitted, or its rejection: the future of every layer that decides at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::{Rejected, SeamError};

pin_project! {
    /// The future of a call that was admitted or rejected before it began.
    #[derive(Debug)]
    pub struct Admitted<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProj]
    enum State<F> {
        Rejected { rejected: Rejected },
        Running { #[pin] future: F },
    }
}

// === impl Admitted ===

impl<F> Admitted<F> {
    pub(crate) fn running(future: F) -> Self {
        Self { state: State::Running { future } }
    }

    pub(crate) fn rejected(rejected: Rejected) -> Self {
        Self { state: State::Rejected { rejected } }
    }
}

impl<F, T, E> Future for Admitted<F>
where
    F: Future<Output = Result<T, E>>,
    E: SeamError,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Rejected { rejected } => Poll::Ready(Err((*rejected).into())),
            StateProj::Running { future } => future.poll(cx),
        }
    }
}
