//! An HTTP body that streams and can still be sent again, as long as it is small enough to be kept.
//!
//! The first attempt streams the body while it is read and keeps what it has read; a later one begins with what was kept and goes on with
//! the rest. So nothing waits until a body is complete, which for a stream in both directions would be never. A body that outgrows its
//! limit is *committed*: the attempt that reads it goes on, and there is no other.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http::Request;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use switchboard_core::BoxError;
use tower::{Layer, Service};

use super::Replay;

/// What is kept of a body unless it is said otherwise: 64 KiB.
const KEPT: usize = 64 * 1024;

/// A body of which several attempts read.
pub struct ReplayBody<B> {
    shared: Arc<Mutex<Shared<B>>>,
    /// How many frames this attempt has read.
    read: usize,
}

/// The body was too large to be kept, or failed, and another attempt has read on in it.
#[derive(Debug, thiserror::Error)]
#[error("the body cannot be sent again: it is larger than what is kept of it, or it has failed")]
pub struct Committed;

/// Makes the bodies of requests replayable. Put it directly outside the retry.
#[derive(Clone, Copy, Debug)]
pub struct ReplayLayer {
    limit: usize,
}

/// A service that gets replayable bodies.
#[derive(Clone, Copy, Debug)]
pub struct ReplayService<S> {
    inner: S,
    limit: usize,
}

struct Shared<B> {
    body: Pin<Box<B>>,
    /// The frames so far, unless the body is committed.
    kept: Vec<Kept>,
    /// How many frames the body has given.
    polled: usize,
    size: usize,
    limit: usize,
    state: State,
    /// Attempts that wait for the next frame: hedges read the same body at the same time.
    waiting: Vec<Waker>,
}

#[derive(Clone)]
enum Kept {
    Data(Bytes),
    Trailers(http::HeaderMap),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
    Committed,
}

// === impl ReplayBody ===

impl<B> ReplayBody<B> {
    /// Keeps up to `limit` bytes of this body.
    pub fn new(body: B, limit: usize) -> Self {
        let shared = Shared {
            body: Box::pin(body),
            kept: Vec::new(),
            polled: 0,
            size: 0,
            limit,
            state: State::Reading,
            waiting: Vec::new(),
        };
        Self { shared: Arc::new(Mutex::new(shared)), read: 0 }
    }
}

impl<B> Replay for ReplayBody<B> {
    fn replay(&self) -> Option<Self> {
        let is_whole = self.shared.lock().state != State::Committed;
        is_whole.then(|| Self { shared: self.shared.clone(), read: 0 })
    }
}

/// An attempt that is dropped was perhaps the one that the body would have woken.
impl<B> Drop for ReplayBody<B> {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.shared.lock().waiting);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let mut shared = this.shared.lock();
        if this.read < shared.polled {
            let Some(kept) = shared.kept.get(this.read).cloned() else {
                return Poll::Ready(Some(Err(Committed.into())));
            };
            this.read += 1;
            return Poll::Ready(Some(Ok(kept.into_frame())));
        }
        if shared.state == State::Ended {
            return Poll::Ready(None);
        }
        let polled = shared.poll(cx);
        if polled.is_pending() {
            return polled;
        }
        if let Poll::Ready(Some(Ok(_))) = &polled {
            this.read += 1;
        }
        // Not under the lock: who is woken may be dropped by it, and dropping takes the lock.
        let waiting = std::mem::take(&mut shared.waiting);
        drop(shared);
        waiting.into_iter().for_each(Waker::wake);
        polled
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.shared.lock();
        self.read >= shared.polled && (shared.state == State::Ended || shared.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let shared = self.shared.lock();
        let kept = shared.kept.get(self.read..).unwrap_or_default();
        let kept: u64 = kept.iter().map(|kept| kept.len() as u64).sum();
        let rest = shared.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + kept);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + kept);
        }
        hint
    }
}

impl<B> std::fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplayBody").field("read", &self.read).finish_non_exhaustive()
    }
}

// === impl Shared ===

impl<B> Shared<B> {
    fn commit(&mut self) {
        self.state = State::Committed;
        self.kept.clear();
    }
}

impl<B> Shared<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match self.body.as_mut().poll_frame(cx) {
            Poll::Pending => {
                if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    self.waiting.push(cx.waker().clone());
                }
                return Poll::Pending;
            }
            Poll::Ready(frame) => frame,
        };
        Poll::Ready(match frame {
            None => {
                if self.state == State::Reading {
                    self.state = State::Ended;
                }
                None
            }
            Some(Err(error)) => {
                self.commit();
                Some(Err(error.into()))
            }
            Some(Ok(frame)) => {
                self.polled += 1;
                let Some(kept) = frame_of(frame) else {
                    self.commit();
                    return Poll::Ready(Some(Err(Committed.into())));
                };
                self.keep(&kept);
                Some(Ok(kept.into_frame()))
            }
        })
    }

    fn keep(&mut self, frame: &Kept) {
        if self.state != State::Reading {
            return;
        }
        self.size = self.size.saturating_add(frame.len());
        if self.size > self.limit {
            self.commit();
        } else {
            self.kept.push(frame.clone());
        }
    }
}

/// `None` for kinds of frames that nobody knows yet: an error is better than a body without them.
fn frame_of<D: Buf>(frame: Frame<D>) -> Option<Kept> {
    match frame.into_data() {
        Ok(mut data) => Some(Kept::Data(data.copy_to_bytes(data.remaining()))),
        Err(frame) => frame.into_trailers().ok().map(Kept::Trailers),
    }
}

// === impl Kept ===

impl Kept {
    fn len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(_) => 0,
        }
    }

    fn into_frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(trailers),
        }
    }
}

// === impl ReplayLayer ===

impl ReplayLayer {
    /// Keeps up to 64 KiB of each body.
    pub const fn new() -> Self {
        Self { limit: KEPT }
    }

    /// Keeps up to this many bytes of each body.
    #[must_use]
    pub const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

impl Default for ReplayLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ReplayLayer {
    type Service = ReplayService<S>;

    fn layer(&self, inner: S) -> ReplayService<S> {
        ReplayService { inner, limit: self.limit }
    }
}

impl<S, B> Service<Request<B>> for ReplayService<S>
where
    S: Service<Request<ReplayBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let limit = self.limit;
        self.inner.call(request.map(|body| ReplayBody::new(body, limit)))
    }
}
