//! An answer on its way: it ends in time and with a status, whatever its source does, and is counted once.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http::HeaderMap;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use switchboard_core::{Id, chain};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status};

use super::deadline::Deadline;
use super::methods::Counting;
use super::status;
use crate::Problem;
use crate::request::{CURRENT, Current};

/// Frames of an answer of one message: the message and the status.
const UNARY: u8 = 2;

/// A body that ends with trailers.
pub(super) struct Watched {
    /// `None` once it has ended.
    inner: Option<Body>,
    id: Id,
    deadline: Deadline,
    /// Made when the answer is first waited for: most are there at once.
    over: Option<Pin<Box<Sleep>>>,
    /// How often it was asked for more, as far as that matters.
    polls: u8,
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    counting: Option<Counting>,
}

// === impl Watched ===

impl Watched {
    pub(super) fn new(inner: Body, id: Id, deadline: Deadline) -> Self {
        let (over, draining, counting) = (None, None, None);
        Self { inner: Some(inner), id, deadline, over, polls: 0, draining, counting }
    }

    /// The same, counted when it ends.
    pub(super) fn counted(self, counting: Counting) -> Self {
        Self { counting: Some(counting), ..self }
    }

    /// The same, cut when this process ends: whoever listens goes to another one.
    pub(super) fn until(self, end: &CancellationToken) -> Self {
        Self { draining: Some(Box::pin(end.clone().cancelled_owned())), ..self }
    }

    fn ended(&mut self, code: Code) {
        self.inner = None;
        if let Some(counting) = &mut self.counting {
            counting.ended(code);
        }
    }

    /// Why it must end now; or wakes the task when it must.
    fn due(&mut self, cx: &mut Context<'_>) -> Option<Status> {
        let at = self.deadline.instant();
        let over = self.over.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if over.as_mut().poll(cx).is_ready() {
            return Some(CURRENT.sync_scope(Current::of(self.id), too_late));
        }
        let draining = self.draining.as_mut()?;
        let is_ending = draining.as_mut().poll(cx).is_ready();
        is_ending.then(|| CURRENT.sync_scope(Current::of(self.id), going_away))
    }

    /// Ends it here, whatever was still to come.
    fn cut(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.ended(status.code());
        let mut trailers = HeaderMap::new();
        // Texts of ours are always fit for a header; without one the code alone is sent.
        if status.add_header(&mut trailers).is_err() {
            trailers = HeaderMap::from_iter([(Status::GRPC_STATUS, status_number(status.code()))]);
        }
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

fn status_number(code: Code) -> http::HeaderValue {
    http::HeaderValue::from(i32::from(code))
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        // An answer of one message and its status ends before its time could matter. One that always
        // has more must not outlast it either.
        if this.inner.is_some()
            && this.polls >= UNARY
            && let Some(status) = this.due(cx)
        {
            return this.cut(status);
        }
        this.polls = this.polls.saturating_add(1);
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let id = this.id;
        let poll = || catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(cx)));
        match CURRENT.sync_scope(Current::of(id), poll) {
            Ok(Poll::Pending) => match this.due(cx) {
                Some(status) => this.cut(status),
                None => Poll::Pending,
            },
            Ok(Poll::Ready(Some(Ok(frame)))) => match frame.into_trailers() {
                Ok(mut trailers) => {
                    let code = CURRENT.sync_scope(Current::of(id), || completed(&mut trailers));
                    this.ended(code.unwrap_or(Code::Unknown));
                    Poll::Ready(Some(Ok(Frame::trailers(trailers))))
                }
                Err(frame) => Poll::Ready(Some(Ok(frame))),
            },
            Ok(Poll::Ready(Some(Err(error)))) => {
                tracing::warn!(error = chain(&error), "an answer broke off");
                this.cut(CURRENT.sync_scope(Current::of(id), broken_off))
            }
            Ok(Poll::Ready(None)) => {
                this.ended(Code::Unknown);
                Poll::Ready(None)
            }
            Err(panic) => this.cut(CURRENT.sync_scope(Current::of(id), || panicked(&*panic))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The code of headers or trailers that hold a status, which has all its details then.
pub(super) fn completed(headers: &mut HeaderMap) -> Option<Code> {
    let code = Code::from_bytes(headers.get(Status::GRPC_STATUS)?.as_bytes());
    if code != Code::Ok && !headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        let whole = status::completed(Status::from_header_map(headers)?);
        // It came out of headers, and goes into them again. What came with it is there already.
        let details = Bytes::copy_from_slice(whole.details());
        let whole = Status::with_details(whole.code(), whole.message(), details);
        let _unfit = whole.add_header(headers);
    }
    Some(code)
}

/// The deadline has passed.
pub(super) fn too_late() -> Status {
    Problem::gateway_timeout("There was no answer before the deadline.").into()
}

fn going_away() -> Status {
    Problem::unavailable("This process ends; begin again, and another one answers.").into()
}

fn broken_off() -> Status {
    Problem::bad_gateway("The answer broke off.").into()
}

/// A handler's panic, as callers see it.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Status {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(panic = text, "a handler panicked");
    Problem::internal().into()
}
