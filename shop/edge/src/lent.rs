//! A body that is only lent to an attempt: an attempt that reads nothing gives it back, and the next one can have it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;

/// Where a body is until somebody reads it.
#[derive(Debug)]
pub struct Lender(Arc<Mutex<Option<Body>>>);

/// The body in the hands of one attempt.
#[derive(Debug)]
pub struct Lent {
    from: Arc<Mutex<Option<Body>>>,
    /// As it was when nothing was read yet.
    size: SizeHint,
    is_empty: bool,
    taken: Option<Body>,
}

// === impl Lender ===

impl Lender {
    /// Of this body.
    pub fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    /// The body for one more attempt; `None` when a former one has begun to read it.
    pub fn lend(&self) -> Option<Lent> {
        let body = self.0.lock();
        let body = body.as_ref()?;
        let (size, is_empty) = (body.size_hint(), body.is_end_stream());
        Some(Lent { from: Arc::clone(&self.0), size, is_empty, taken: None })
    }
}

// === impl Lent ===

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.taken.is_none() {
            let body = self.from.lock().take();
            self.taken = body;
        }
        match &mut self.taken {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.taken.as_ref().map_or(self.is_empty, HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.taken.as_ref().map_or(self.size, HttpBody::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn an_attempt_that_reads_nothing_gives_the_body_back() {
        let lender = Lender::new(Body::from("whole"));
        let first = lender.lend().unwrap();
        assert_eq!((first.size_hint().exact(), first.is_end_stream()), (Some(5), false));
        drop(first);
        let second = lender.lend().unwrap();
        assert_eq!(second.collect().await.unwrap().to_bytes(), "whole");
        assert!(lender.lend().is_none(), "it has been read");
    }

    #[test]
    fn an_empty_body_is_empty_before_it_is_read() {
        assert!(Lender::new(Body::empty()).lend().unwrap().is_end_stream());
    }
}
