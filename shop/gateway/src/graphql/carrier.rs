//! The way to the copies of a service: HTTP/2 without TLS, past copies that cannot be reached.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use shop_edge::Auth;
use switchboard_core::{BoxError, chain};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::calls::{Channel, channel};
use crate::Upstreams;

/// How long connecting may take: services are near.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection on which nothing happens is asked for a sign of life so often.
const PING: Duration = Duration::from_secs(20);

/// A way to the copies of a service.
#[derive(Clone)]
struct Carrier {
    service: &'static str,
    upstreams: Upstreams,
    client: Client<HttpConnector, Body>,
}

/// A way to these copies, which take turns. It shows them the key of the house.
pub fn to(service: &'static str, upstreams: Upstreams, _auth: &Arc<Auth>) -> Channel {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(PING)
        .build(connector);
    channel(Carrier { service, upstreams, client })
}

// === impl Carrier ===

impl Service<http::Request<Body>> for Carrier {
    type Response = http::Response<Incoming>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
            let Some(address) = this.upstreams.turn().into_iter().next() else {
                return Err(Status::unavailable("no address").into());
            };
            *request.uri_mut() = Uri::builder()
                .scheme("http")
                .authority(address.clone())
                .path_and_query(path)
                .build()?;
            this.client.request(request).await.map_err(|error| {
                if error.is_connect() {
                    tracing::warn!(service = this.service, %address, error = chain(&error),
                        "cannot be reached");
                    this.upstreams.shun(&address);
                    return Status::unavailable("cannot be reached").into();
                }
                error.into()
            })
        })
    }
}
