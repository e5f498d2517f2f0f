//! A frame in time passes, a body that hangs ends, and a slow reader is not blamed.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep};
use tower::{Layer, ServiceExt, service_fn};

use super::IdleLayer;
use crate::{Reason, SeamError};

/// Frames after these pauses.
struct Paced {
    pauses: Vec<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(&pause) = self.pauses.first() else { return Poll::Ready(None) };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        std::task::ready!(timer.as_mut().poll(cx));
        self.timer = None;
        self.pauses.remove(0);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

fn paced(pauses: &[u64]) -> Paced {
    let pauses = pauses.iter().map(|&pause| Duration::from_secs(pause)).collect();
    Paced { pauses, timer: None }
}

fn layer() -> IdleLayer {
    IdleLayer::new(Duration::from_secs(3)).named("orders")
}

#[tokio::test(start_paused = true)]
async fn d2_a_body_may_take_long_as_long_as_it_goes_on() {
    let begun = Instant::now();
    let inner = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(paced(&[2, 2, 2, 2])))
    });
    let response = layer().layer(inner).oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "xxxx");
    assert_eq!(begun.elapsed(), Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn d2_a_body_that_hangs_ends_with_a_rejection() {
    let begun = Instant::now();
    let error = layer().body(paced(&[1, 2, 60])).collect().await.unwrap_err();
    let rejected = error.rejected().unwrap();
    assert_eq!((rejected.policy, rejected.reason), ("orders".into(), Reason::TimedOut));
    assert_eq!(begun.elapsed(), Duration::from_secs(1 + 2 + 3));
}

#[tokio::test(start_paused = true)]
async fn d2_a_reader_that_is_slow_itself_is_not_cut_off() {
    let mut body = Box::pin(layer().body(paced(&[1, 1])));
    body.frame().await.unwrap().unwrap();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().await.is_none());
}
