//! gRPC-Web: the same calls from browsers, which cannot read trailers, and over HTTP/1.1.
//!
//! A page of another origin is let in only if it is named: the answer to its browser's question, and the headers that let it read what
//! comes. Nobody is named by default, and then none of these headers is sent.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use shop_edge::rpc::Guard;
use shop_edge::serve::Access;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer, Service};

/// What a page may send.
const SENT: &str =
    "authorization,content-type,grpc-timeout,traceparent,x-grpc-web,x-request-id,x-user-agent";
/// What it may read.
const READ: &str = "grpc-message,grpc-status,grpc-status-details-bin,x-request-id";
/// How long a browser remembers the answer, in seconds.
const REMEMBERED: &str = "3600";

/// Everything over gRPC, for browsers too.
#[derive(Clone, Debug)]
pub struct Web {
    guard: Guard,
    inner: GrpcWebService<Guard>,
    origins: Vec<HeaderValue>,
}

// === impl Web ===

impl Web {
    pub(super) fn new(guard: Guard, origins: Vec<HeaderValue>) -> Self {
        Self { inner: GrpcWebLayer::new().layer(guard.clone()), guard, origins }
    }

    /// The same, which writes a line of each call into the access log.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self::new(self.guard.with_access(access), self.origins)
    }

    /// The page's origin, if it is let in.
    fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        headers.get(ORIGIN).filter(|origin| self.origins.contains(origin)).cloned()
    }

    /// What a browser is told that asks before it calls.
    pub fn preflight(&self, headers: &HeaderMap) -> Option<Response> {
        let origin = self.origin(headers)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let told = response.headers_mut();
        told.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        told.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        told.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SENT));
        told.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED));
        told.insert(VARY, HeaderValue::from_static("origin"));
        Some(response)
    }
}

impl Service<Request<Body>> for Web {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let origin = self.origin(request.headers());
        let answering = self.inner.call(request);
        Box::pin(async move {
            let mut response = answering.await?.map(Body::new);
            if let Some(origin) = origin {
                let told = response.headers_mut();
                told.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                told.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
                told.insert(VARY, HeaderValue::from_static("origin"));
            }
            Ok(response)
        })
    }
}
