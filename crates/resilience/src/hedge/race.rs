//! Attempts that run beside each other in one task.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The attempts that still run. They live in the caller's own task, so that dropping the caller
/// drops them all: a hedge that was spawned would outlive it (trap 18).
pub(super) struct Race<A>(Vec<Attempt<A>>);

type Attempt<A> = Pin<Box<dyn Future<Output = A> + Send>>;

// === impl Race ===

impl<A> Race<A> {
    pub(super) fn of(first: impl Future<Output = A> + Send + 'static) -> Self {
        Self(vec![Box::pin(first)])
    }

    pub(super) fn join(&mut self, attempt: impl Future<Output = A> + Send + 'static) {
        self.0.push(Box::pin(attempt));
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next attempt that ends. Cancel safe: what has not ended goes on.
    pub(super) fn next(&mut self) -> Next<'_, A> {
        Next(self)
    }
}

pub(super) struct Next<'a, A>(&'a mut Race<A>);

// === impl Next ===

impl<A> Future for Next<'_, A> {
    type Output = A;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A> {
        let attempts = &mut self.0.0;
        for index in 0..attempts.len() {
            if let Some(attempt) = attempts.get_mut(index)
                && let Poll::Ready(answer) = attempt.as_mut().poll(cx)
            {
                drop(attempts.remove(index));
                return Poll::Ready(answer);
            }
        }
        Poll::Pending
    }
}
