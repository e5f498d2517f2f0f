//! A call behind a breaker, while it runs. No box: the inner future lies inside.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::permit::{Pass, Refusal};
use super::service::Guard;
use crate::SeamError;

pin_project! {
    /// The answer of a [`Guarded`](super::Guarded) service.
    ///
    /// Cancel safe: dropped before it ends, the call counts by [`OnCancel`](super::OnCancel).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, T, E> {
        #[pin]
        shape: Shape<F, T, E>,
    }
}

pin_project! {
    #[project = ShapeProjection]
    enum Shape<F, T, E> {
        Running { #[pin] inner: F, pass: Pass<Arc<Guard<T, E>>> },
        Refused { refusal: Option<Refusal> },
    }
}

/// While the inner future is polled: a panic in it counts as a failure before anybody catches it.
struct Watch<'a, T, E>(&'a mut Pass<Arc<Guard<T, E>>>);

// === impl ResponseFuture ===

impl<F, T, E> ResponseFuture<F, T, E> {
    pub(crate) fn running(inner: F, pass: Pass<Arc<Guard<T, E>>>) -> Self {
        Self { shape: Shape::Running { inner, pass } }
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self { shape: Shape::Refused { refusal: Some(refusal) } }
    }
}

impl<F, T, E> Future for ResponseFuture<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: SeamError,
{
    type Output = Result<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().shape.project() {
            ShapeProjection::Running { inner, pass } => {
                let watch = Watch(pass);
                let polled = inner.poll(cx);
                std::mem::forget(watch);
                let answer = ready!(polled);
                pass.settle_now(|guard, elapsed_ms| {
                    let elapsed = || Duration::from_millis(elapsed_ms);
                    guard.classifier.classify_within(&answer, elapsed)
                });
                Poll::Ready(answer)
            }
            ShapeProjection::Refused { refusal } => {
                let refusal = refusal.take().expect("a future is not polled after its answer");
                Poll::Ready(Err(refusal.rejected().into()))
            }
        }
    }
}

impl<F, T, E> fmt::Debug for ResponseFuture<F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

// === impl Watch ===

impl<T, E> Drop for Watch<'_, T, E> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
