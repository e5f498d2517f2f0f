//! Two protocols on one port: what says that it is gRPC goes one way, and everything else the other.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, Ready, ready};
use http::header::{CONTENT_TYPE, HeaderValue, UPGRADE};
use http::{Request, StatusCode, Version};
use tower::Service;

use super::around::Served;
use crate::Problem;
use crate::rpc;

/// Both ways.
#[derive(Clone)]
pub(super) struct Fork<R> {
    rest: Served,
    rpc: R,
}

type Plain = <Served as Service<Request<Body>>>::Future;
type AtOnce = Ready<Result<Response, Infallible>>;

// === impl Fork ===

impl<R> Fork<R> {
    pub(super) fn new(rest: Served, rpc: R) -> Self {
        Self { rest, rpc }
    }
}

impl<R> Service<Request<Body>> for Fork<R>
where
    R: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    /// On one of the ways, or at once.
    type Future = Either<Plain, Either<R::Future, AtOnce>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let kind = request.headers().get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
        let Some(flavour) = kind.strip_prefix(rpc::CONTENT_TYPE.as_bytes()) else {
            return Either::Left(self.rest.call(request));
        };
        // Trailers are what gRPC stands on; gRPC-Web has them in the body instead.
        if request.version() != Version::HTTP_2 && !flavour.starts_with(b"-web") {
            return Either::Right(Either::Right(ready(Ok(upgrade()))));
        }
        Either::Right(Either::Left(self.rpc.call(request)))
    }
}

/// gRPC needs HTTP/2, which begins here without TLS and without asking first.
fn upgrade() -> Response {
    Problem::of_status(StatusCode::UPGRADE_REQUIRED).with_header(UPGRADE, "h2c").into_response()
}
