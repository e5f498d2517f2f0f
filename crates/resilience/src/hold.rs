//! How long a call holds its place: until its answer, or until the last byte of the answer's body.
//!
//! A place that is given back when the head of a response arrives does not limit anything that streams: a thousand slow downloads would
//! hold no place at all (D3). So the place can move into the body, and end with it: at its last frame, at its error, or when it is dropped.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// What becomes of a place when the answer is there.
pub trait Hold<T, P> {
    /// The answer, with the place if it still holds it.
    type Held;

    /// Puts the place where it belongs.
    fn hold(answer: T, place: P) -> Self::Held;
}

/// The place is free as soon as the answer is there. For answers that are complete.
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilAnswer;

/// The place is free when the body of the answer has ended, failed or been dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilBodyEnds;

pin_project! {
    /// A body that holds a place until it ends.
    #[derive(Debug)]
    pub struct Held<B, P> {
        #[pin]
        body: B,
        place: Option<P>,
    }
}

// === impl UntilAnswer ===

impl<T, P> Hold<T, P> for UntilAnswer {
    type Held = T;

    fn hold(answer: T, place: P) -> T {
        drop(place);
        answer
    }
}

// === impl UntilBodyEnds ===

impl<B: Body, P> Hold<http::Response<B>, P> for UntilBodyEnds {
    type Held = http::Response<Held<B, P>>;

    fn hold(answer: http::Response<B>, place: P) -> Self::Held {
        answer.map(|body| Held::new(body, place))
    }
}

// === impl Held ===

impl<B: Body, P> Held<B, P> {
    /// This body holds `place`; one that has nothing to send gives it back at once.
    pub fn new(body: B, place: P) -> Self {
        let place = (!body.is_end_stream()).then_some(place);
        Self { body, place }
    }
}

impl<B: Body, P> Body for Held<B, P> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        // A server that knows the length never asks for the end; the last frame is the end.
        if !matches!(frame, Some(Ok(_))) || this.body.is_end_stream() {
            *this.place = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
