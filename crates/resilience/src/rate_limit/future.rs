//! Waiting for a turn at a rate.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::Reservation;
use crate::Rejected;
use crate::delayed::Delayed;
use crate::hold::UntilAnswer;

/// The future of a call at a rate. Dropped while it waits, it gives its turn back, unless another
/// call's turn was told after it.
pub type Paced<S, R> = Delayed<Turning, S, R, (), UntilAnswer>;

pin_project! {
    /// A turn, when it comes.
    #[derive(Debug)]
    pub struct Turning {
        #[pin]
        sleep: Sleep,
        // An option, because it is used when it comes.
        turn: Option<Reservation>,
    }
}

// === impl Turning ===

impl Turning {
    pub(super) fn new(turn: Reservation) -> Self {
        Self { sleep: tokio::time::sleep(turn.wait()), turn: Some(turn) }
    }
}

impl Future for Turning {
    type Output = Result<(), Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        ready!(this.sleep.poll(cx));
        if let Some(turn) = this.turn.take() {
            turn.used();
        }
        Poll::Ready(Ok(()))
    }
}
