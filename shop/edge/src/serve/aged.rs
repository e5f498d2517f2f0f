//! A connection that ends in bounded time: when it grows old, or when the process ends, it takes no more calls; what is left after some
//! grace is cut.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::server::graceful::GracefulConnection;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::accept::AGE_GRACE;

/// A connection, and when it is too old.
pub(super) struct Aged<C> {
    connection: Pin<Box<C>>,
    until: Pin<Box<Sleep>>,
    is_old: bool,
    /// The end of the process; `None` once it has begun.
    end: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

// === impl Aged ===

impl<C: GracefulConnection> Aged<C> {
    pub(super) fn new(connection: C, age: Duration, end: &CancellationToken) -> Self {
        let until = Box::pin(tokio::time::sleep(age));
        let end = Some(Box::pin(end.clone().cancelled_owned()));
        Self { connection: Box::pin(connection), until, is_old: false, end }
    }

    /// `Some` with how it has ended by itself, `None` when it was cut.
    fn polled(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(), C::Error>>> {
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            self.end = None;
            self.connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(ended) = self.connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        while self.until.as_mut().poll(cx).is_ready() {
            if self.is_old {
                return Poll::Ready(None);
            }
            self.is_old = true;
            self.until.as_mut().reset(Instant::now() + AGE_GRACE);
            self.connection.as_mut().graceful_shutdown();
            if let Poll::Ready(ended) = self.connection.as_mut().poll(cx) {
                return Poll::Ready(Some(ended));
            }
        }
        Poll::Pending
    }
}

impl<C: GracefulConnection> Future for Aged<C> {
    type Output = Result<(), C::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // One that was cut has ended as well as one that closed.
        self.get_mut().polled(cx).map(|ended| ended.unwrap_or(Ok(())))
    }
}
