//! A caller's body on its way to a service: whether it has come whole, since when, or has broken off.
//!
//! Whoever sends slowly takes the time of the call, and that says nothing of the service.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

/// What is known of a body. Clones know the same.
#[derive(Clone, Debug, Default)]
pub struct Upload(Arc<State>);

#[derive(Debug, Default)]
struct State {
    whole: OnceLock<Instant>,
    is_broken: AtomicBool,
}

struct Watched {
    inner: Body,
    upload: Upload,
}

// === impl Upload ===

impl Upload {
    /// The same body, and what is known of it as it is read.
    pub fn of(inner: Body) -> (Body, Self) {
        let upload = Self::default();
        if inner.is_end_stream() {
            upload.ended();
        }
        (Body::new(Watched { inner, upload: upload.clone() }), upload)
    }

    /// Whether all of it has come.
    pub fn is_whole(&self) -> bool {
        self.0.whole.get().is_some()
    }

    /// How long ago it was whole.
    pub fn since_whole(&self) -> Option<Duration> {
        self.0.whole.get().map(Instant::elapsed)
    }

    /// Whether its caller has broken it off.
    pub fn is_broken(&self) -> bool {
        self.0.is_broken.load(Ordering::Acquire)
    }

    fn ended(&self) {
        self.0.whole.get_or_init(Instant::now);
    }
}

// === impl Watched ===

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Err(_))) => self.upload.0.is_broken.store(true, Ordering::Release),
            Poll::Ready(None) => self.upload.ended(),
            Poll::Ready(Some(Ok(_))) if self.inner.is_end_stream() => self.upload.ended(),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
