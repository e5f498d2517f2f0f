//! Answers on their way out: a place ends when the service has said everything, or when its caller stops reading.
//!
//! A place limits what is asked of a service at once. An answer that has come whole needs none any more, however slowly its caller takes it.
//! One that still comes keeps its place while it is read; a caller who takes nothing for [`UNREAD`] loses the rest of it.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use switchboard_resilience::hold::Held;
use tokio::time::Instant;

/// How long a caller may take nothing of an answer of which there is more.
const UNREAD: Duration = Duration::from_secs(10);

/// What hyper asks for, and what is looked after meanwhile.
struct Watched<P>(Arc<Mutex<State<P>>>);

struct State<P> {
    /// Already taken from the service.
    first: Option<Frame<Bytes>>,
    /// `None` once it was cut.
    body: Option<Held<Body, P>>,
    /// When something was last taken.
    taken: Instant,
    /// Whether the caller waits for the service, and not we for the caller.
    is_awaited: bool,
}

/// The body, which holds `place` as long as it should.
pub(crate) fn held<P: Send + Unpin + 'static>(mut body: Body, place: P) -> Body {
    let mut first = None;
    if body.size_hint().exact().is_some_and(|length| length > 0) {
        match body.frame().now_or_never() {
            Some(Some(Ok(frame))) if body.is_end_stream() && frame.is_data() => {
                return Body::from(frame.into_data().unwrap_or_default());
            }
            Some(Some(Ok(frame))) => first = Some(frame),
            Some(Some(Err(error))) => return Body::new(Failed(Some(error))),
            Some(None) | None => {}
        }
    }
    let body = Some(Held::new(body, place));
    let state = State { first, body, taken: Instant::now(), is_awaited: false };
    let state = Arc::new(Mutex::new(state));
    tokio::spawn(look_after(Arc::downgrade(&state)));
    Body::new(Watched(state))
}

/// Cuts the body when its caller takes nothing for too long. Ends with the body.
async fn look_after<P>(state: Weak<Mutex<State<P>>>) {
    let mut next = Instant::now() + UNREAD;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(state) = state.upgrade() else { return };
        let mut state = state.lock();
        if state.body.is_none() {
            return;
        }
        let now = Instant::now();
        next = if state.is_awaited { now + UNREAD } else { state.taken + UNREAD };
        if next <= now {
            (state.first, state.body) = (None, None);
            return;
        }
    }
}

impl<P: Send + Unpin> HttpBody for Watched<P> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let state = &mut *self.0.lock();
        let Some(body) = &mut state.body else {
            return Poll::Ready(Some(Err(axum::Error::new("nobody read the answer for 10 s"))));
        };
        let polled = match state.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => Pin::new(body).poll_frame(cx),
        };
        state.is_awaited = polled.is_pending();
        if polled.is_ready() {
            state.taken = Instant::now();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock();
        state.first.is_none() && state.body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.0.lock();
        let rest = state.body.as_ref().and_then(|body| body.size_hint().exact());
        let first = state.first.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
        rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest + first as u64))
    }
}

/// A body that broke off before it was asked for.
struct Failed(Option<axum::Error>);

impl HttpBody for Failed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use switchboard_resilience::Call;
    use switchboard_resilience::bulkhead::{Bulkhead, Options, Place};

    use super::*;

    struct Pool(Bulkhead);

    impl Pool {
        fn new() -> Self {
            Self(Bulkhead::new("unread", Options::new(1).unwrap()))
        }

        async fn place(&self) -> Place {
            self.0.acquire(&Call::new()).await.unwrap()
        }

        /// Lets tasks run, and so much time pass.
        async fn after(&self, seconds: u64) -> usize {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            self.0.free()
        }
    }

    /// As many frames as it is told, each a second after it was asked for.
    fn slow(frames: usize) -> Body {
        Body::from_stream(futures_util::stream::unfold(frames, |left| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            (left > 0).then(|| (Ok::<_, Infallible>(Bytes::from_static(b"x")), left - 1))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn d3_an_answer_that_is_whole_needs_no_place() {
        let pool = Pool::new();
        let body = held(Body::from("whole"), pool.place().await);
        assert_eq!(pool.0.free(), 1);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "whole");
    }

    #[tokio::test(start_paused = true)]
    async fn d3_an_answer_that_nobody_reads_gives_its_place_back_and_is_cut() {
        let pool = Pool::new();
        let mut body = held(slow(3), pool.place().await);
        assert_eq!(pool.after(9).await, 0);
        body.frame().await.unwrap().unwrap();
        assert_eq!(pool.after(9).await, 0, "it was read in between");
        assert_eq!(pool.after(2).await, 1);
        body.frame().await.unwrap().unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn d3_a_caller_who_waits_for_the_service_is_not_cut() {
        let pool = Pool::new();
        let body = held(slow(60), pool.place().await);
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 60);
        assert_eq!(pool.0.free(), 1);
        let mut never = held(
            Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>()),
            pool.place().await,
        );
        tokio::time::timeout(Duration::from_secs(3_600), never.frame()).await.unwrap_err();
        assert_eq!(pool.0.free(), 0);
        drop(never);
        assert_eq!(pool.0.free(), 1);
    }
}
