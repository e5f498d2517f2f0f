//! A body that is read by several attempts, one after the other and beside each other.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use switchboard_core::{BoxError, Rng};
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt, service_fn};

use super::{Again, Committed, Judge, Replay, ReplayBody, ReplayLayer, RetryLayer};
use crate::{Backoff, Call, CallError, Carries};

/// Frames as they come.
struct Streamed(mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Body for Streamed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

fn streamed() -> (mpsc::UnboundedSender<Frame<Bytes>>, Streamed) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Streamed(receiver))
}

fn of(parts: &[&'static str]) -> Streamed {
    let (sender, body) = streamed();
    for part in parts {
        sender.send(Frame::data(Bytes::from_static(part.as_bytes()))).unwrap();
    }
    body
}

async fn text(body: ReplayBody<Streamed>) -> Result<Bytes, BoxError> {
    Ok(body.collect().await?.to_bytes())
}

#[tokio::test]
async fn r8_what_was_read_is_read_again_and_the_rest_after_it() {
    let (sender, body) = streamed();
    let mut first = ReplayBody::new(body, 1_024);
    let second = first.replay().unwrap();
    sender.send(Frame::data("on".into())).unwrap();
    let frame = first.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "on");
    drop(first);
    sender.send(Frame::data("ce".into())).unwrap();
    let trailers = HeaderMap::from_iter([(http::header::ETAG, "x".parse().unwrap())]);
    sender.send(Frame::trailers(trailers.clone())).unwrap();
    drop(sender);
    let third = second.replay().unwrap();
    for attempt in [second, third] {
        let collected = attempt.collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "once");
    }
}

#[tokio::test]
async fn r8_a_body_that_outgrows_its_limit_is_committed_and_goes_on() {
    let mut first = ReplayBody::new(of(&["1234", "5678", "9"]), 6);
    let mut other = first.replay().unwrap();
    other.frame().await.unwrap().unwrap();
    first.frame().await.unwrap().unwrap();
    first.frame().await.unwrap().unwrap();
    assert!(first.replay().is_none());
    let error = other.frame().await.unwrap().unwrap_err();
    assert!(error.is::<Committed>(), "an attempt with a hole in its body must not go on");
    assert_eq!(text(first).await.unwrap(), "9");
}

#[tokio::test]
async fn attempts_beside_each_other_each_read_the_whole_body() {
    let (sender, body) = streamed();
    let first = ReplayBody::new(body, 1_024);
    let second = first.replay().unwrap();
    let (first, second) = (tokio::spawn(text(first)), tokio::spawn(text(second)));
    for part in ["a", "b", "c"] {
        tokio::task::yield_now().await;
        sender.send(Frame::data(part.into())).unwrap();
    }
    drop(sender);
    assert_eq!(first.await.unwrap().unwrap(), "abc");
    assert_eq!(second.await.unwrap().unwrap(), "abc");
}

/// The body knows only one waker, and it may be that of an attempt that is gone.
#[tokio::test]
async fn an_attempt_that_is_dropped_wakes_the_one_that_is_not() {
    let (sender, body) = streamed();
    let first = ReplayBody::new(body, 1_024);
    let mut second = first.replay().unwrap();
    let waiting = tokio::spawn(text(first));
    tokio::task::yield_now().await;
    let polled = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut second).poll_frame(cx)));
    assert!(polled.await.is_pending());
    drop(second);
    tokio::task::yield_now().await;
    sender.send(Frame::data("here".into())).unwrap();
    drop(sender);
    assert_eq!(waiting.await.unwrap().unwrap(), "here");
}

#[tokio::test]
async fn sizes_and_ends_are_told_of_what_is_left_to_read() {
    let mut body = ReplayBody::new(http_body_util::Full::<Bytes>::from("12345"), 1_024);
    let again = body.replay().unwrap();
    assert_eq!(body.size_hint().exact(), Some(5));
    body.frame().await.unwrap().unwrap();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
    assert_eq!((again.size_hint().exact(), again.is_end_stream()), (Some(5), false));
}

/// From a request that streams to its third attempt: the same bytes each time, while they are kept.
async fn check(limit: usize) -> (Result<u32, CallError<&'static str>>, Vec<Bytes>) {
    let seen = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let noted = seen.clone();
    let inner = service_fn(move |request: Request<ReplayBody<Streamed>>| {
        let (noted, attempt) = (noted.clone(), request.call().attempt);
        async move {
            let body = text(request.into_body()).await.map_err(|_| CallError::Failed("body"))?;
            noted.lock().push(body);
            if attempt < 2 { Err(CallError::Failed("no")) } else { Ok(attempt) }
        }
    });
    let judge = Judge::new(|answer: &Result<u32, CallError<&'static str>>| match answer {
        Ok(_) => Again::No,
        Err(_) => Again::TRANSIENT,
    });
    let retry = RetryLayer::judged_by(Backoff::recommended(), Rng::from_seed(1), judge);
    let service = ReplayLayer::new().with_limit(limit).layer(retry.layer(inner));
    let mut request = Request::new(of(&["to", "ge", "ther"]));
    request.set_call(Call::new().repeatable());
    let answer = service.oneshot(request).await;
    let seen = std::mem::take(&mut *seen.lock());
    (answer, seen)
}

#[tokio::test(start_paused = true)]
async fn r8_a_retry_sends_the_same_body_again_or_stops_when_it_cannot() {
    let (answer, seen) = check(8).await;
    assert_eq!((answer.unwrap(), seen), (2, vec![Bytes::from("together"); 3]));
    let (answer, seen) = check(7).await;
    assert!(matches!(answer, Err(CallError::Failed("no"))));
    assert_eq!(seen, ["together"]);
}

#[test]
fn a_request_is_sent_again_with_everything_it_had() {
    let mut request = Request::put("http://shop/orders/1")
        .version(http::Version::HTTP_2)
        .header("if-match", "x")
        .body("body".to_owned())
        .unwrap();
    request.set_call(Call::new().repeatable());
    let again = request.replay().unwrap();
    assert_eq!((again.method(), again.uri()), (request.method(), request.uri()));
    assert_eq!((again.version(), again.headers()), (request.version(), request.headers()));
    assert_eq!((again.call(), again.body()), (request.call(), request.body()));
}
