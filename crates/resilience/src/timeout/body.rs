//! A body that streams must go on within a time, frame by frame.
//!
//! The timers around a call stop when the head of its response is there; a dependency that hangs in the middle of a body would hold its
//! reader for ever. The time counts only while the reader waits: a reader that is slow itself is not the body's fault.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use switchboard_core::BoxError;
use tokio::time::{Sleep, sleep};
use tower::{Layer, Service};

use crate::{PolicyName, Reason, Rejected};

/// Gives the bodies of responses a time between frames.
#[derive(Clone, Copy, Debug)]
pub struct IdleLayer {
    name: PolicyName,
    limit: Duration,
}

/// A service whose bodies go on in time.
#[derive(Clone, Copy, Debug)]
pub struct Idle<S> {
    inner: S,
    layer: IdleLayer,
}

pin_project! {
    /// The response of an [`Idle`] service.
    #[derive(Debug)]
    pub struct IdleFuture<F> {
        #[pin]
        inner: F,
        layer: IdleLayer,
    }
}

pin_project! {
    /// A body whose frames come in time; then it ends with [`Rejected`] for [`Reason::TimedOut`].
    #[derive(Debug)]
    pub struct IdleBody<B> {
        #[pin]
        inner: B,
        #[pin]
        timer: Sleep,
        is_waiting: bool,
        layer: IdleLayer,
    }
}

// === impl IdleLayer ===

impl IdleLayer {
    /// The next frame comes within `limit` after it was asked for.
    pub fn new(limit: Duration) -> Self {
        Self { name: PolicyName::new("idle"), limit }
    }

    /// The name in rejections. Default: `idle`.
    #[must_use]
    pub fn named(mut self, name: impl Into<PolicyName>) -> Self {
        self.name = name.into();
        self
    }

    /// One body with this limit, for who has no service to wrap. Inside a tokio runtime.
    pub fn body<B>(self, inner: B) -> IdleBody<B> {
        IdleBody { inner, timer: sleep(self.limit), is_waiting: false, layer: self }
    }
}

impl<S> Layer<S> for IdleLayer {
    type Service = Idle<S>;

    fn layer(&self, inner: S) -> Idle<S> {
        Idle { inner, layer: *self }
    }
}

// === impl Idle ===

impl<S, R, B> Service<R> for Idle<S>
where
    S: Service<R, Response = Response<B>>,
{
    type Response = Response<IdleBody<B>>;
    type Error = S::Error;
    type Future = IdleFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        IdleFuture { inner: self.inner.call(request), layer: self.layer }
    }
}

impl<F, B, E> Future for IdleFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<IdleBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let layer = *this.layer;
        let answer = ready!(this.inner.poll(cx));
        Poll::Ready(answer.map(|response| response.map(|body| layer.body(body))))
    }
}

// === impl IdleBody ===

impl<B> Body for IdleBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        if let Poll::Ready(frame) = this.inner.poll_frame(cx) {
            *this.is_waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if !std::mem::replace(this.is_waiting, true) {
            this.timer.set(sleep(this.layer.limit));
        }
        ready!(this.timer.poll(cx));
        Poll::Ready(Some(Err(Rejected::new(this.layer.name, Reason::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
