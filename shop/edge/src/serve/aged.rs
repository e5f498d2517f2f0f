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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use http::{Request, Response};
    use hyper::body::Incoming;
    use hyper::client::conn::http2::SendRequest;
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto::Builder;
    use tokio::task::JoinHandle;

    use super::*;

    const AGE: Duration = Duration::from_secs(10);

    /// A connection of this age whose calls to `/wait` never end.
    async fn connected(end: &CancellationToken) -> (SendRequest<Body>, JoinHandle<()>) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let service = service_fn(|request: Request<Incoming>| async move {
            if request.uri().path() == "/wait" {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        let builder = Builder::new(TokioExecutor::new());
        let connection = builder.serve_connection(TokioIo::new(far), service).into_owned();
        let aged = Aged::new(connection, AGE, end);
        let serving = tokio::spawn(async move {
            // The other side may be gone by then: what counts is when it has ended.
            let _how_it_ended = aged.await;
        });
        let (calls, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(near))
                .await
                .unwrap();
        tokio::spawn(connection);
        (calls, serving)
    }

    fn get(path: &str) -> Request<Body> {
        Request::get(format!("http://test{path}")).body(Body::empty()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn p5_an_idle_connection_ends_with_its_time() {
        let (mut calls, serving) = connected(&CancellationToken::new()).await;
        let begun = Instant::now();
        assert!(calls.send_request(get("/")).await.is_ok());
        serving.await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), AGE.as_secs());
        assert!(calls.send_request(get("/")).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn p5_calls_that_run_on_an_old_connection_have_some_grace() {
        let (mut calls, serving) = connected(&CancellationToken::new()).await;
        let begun = Instant::now();
        let waiting = tokio::spawn(calls.send_request(get("/wait")));
        serving.await.unwrap();
        assert_eq!(begun.elapsed(), AGE + AGE_GRACE);
        assert!(waiting.await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn e13_the_end_of_the_process_ends_an_idle_connection_at_once() {
        let end = CancellationToken::new();
        let (mut calls, serving) = connected(&end).await;
        assert!(calls.send_request(get("/")).await.is_ok());
        let begun = Instant::now();
        end.cancel();
        serving.await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}
