//! Two protocols on one port: what says that it is gRPC goes one way, and everything else the other.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::future::{BoxFuture, Either, Ready, ready};
use http::header::{CONTENT_TYPE, HeaderValue, UPGRADE};
use http::{Request, StatusCode, Version};
use tower::Service;

use crate::Problem;
use crate::rpc::{self, Guard};

/// Both ways.
#[derive(Clone)]
pub(super) struct Fork {
    rest: Router,
    rpc: Guard,
}

type Answering = BoxFuture<'static, Result<Response, Infallible>>;
type Plain = axum::routing::future::RouteFuture<Infallible>;

/// An answer that comes on one of the ways, or at once.
pub(super) struct Forked(Either<Plain, Either<Answering, Ready<Result<Response, Infallible>>>>);

// === impl Fork ===

impl Fork {
    pub(super) fn new(rest: Router, rpc: Guard) -> Self {
        Self { rest, rpc }
    }
}

impl Service<Request<Body>> for Fork {
    type Response = Response;
    type Error = Infallible;
    type Future = Forked;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Forked {
        let kind = request.headers().get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
        let Some(flavour) = kind.strip_prefix(rpc::CONTENT_TYPE.as_bytes()) else {
            return Forked(Either::Left(self.rest.call(request)));
        };
        // Trailers are what gRPC stands on; gRPC-Web has them in the body instead.
        if request.version() != Version::HTTP_2 && !flavour.starts_with(b"-web") {
            return Forked(Either::Right(Either::Right(ready(Ok(upgrade())))));
        }
        Forked(Either::Right(Either::Left(self.rpc.call(request))))
    }
}

impl Future for Forked {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// gRPC needs HTTP/2, which begins here without TLS and without asking first.
fn upgrade() -> Response {
    Problem::of_status(StatusCode::UPGRADE_REQUIRED).with_header(UPGRADE, "h2c").into_response()
}
