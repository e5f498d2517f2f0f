//! Passing a call on: the head is rewritten, bodies stream through untouched in both directions.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER};
use http::header::{TRANSFER_ENCODING, UPGRADE};
use http::{Request, Uri, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use shop_edge::Problem;

/// How long a service may take to begin its answer. The answer's body may stream for longer.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle connections to one service that are kept for the next call.
const IDLE_CONNECTIONS: usize = 64;

/// Headers that belong to one connection and are never passed on (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    UPGRADE,
];

/// A pool of connections to services.
#[derive(Clone, Debug)]
pub struct Proxy {
    client: Client<HttpConnector, Body>,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy without connections yet.
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Self { client }
    }

    /// Sends the request to the service and answers what it answers. A service that cannot be
    /// reached is a 503 with `Retry-After`, one that does not begin to answer a 504.
    pub async fn pass(
        &self,
        service: &str,
        upstream: SocketAddr,
        mut request: Request<Body>,
    ) -> Response {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let Ok(uri) = format!("http://{upstream}{path}").parse::<Uri>() else {
            return Problem::bad_request("the path cannot be passed on").into_response();
        };
        let host = request.headers().get(HOST).cloned();
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        strip(request.headers_mut());
        request.headers_mut().remove(HOST);
        if let Some(forwarded) = forwarded(host.as_ref()) {
            request.headers_mut().insert(FORWARDED, forwarded);
        }
        match tokio::time::timeout(HEAD_TIMEOUT, self.client.request(request)).await {
            Ok(Ok(answer)) => {
                let mut answer = answer.map(Body::new);
                strip(answer.headers_mut());
                answer
            }
            Ok(Err(error)) => {
                tracing::warn!(service, %error, "cannot be reached");
                Problem::unavailable(format!("the {service} service cannot be reached now"))
                    .into_response()
            }
            Err(_) => {
                tracing::warn!(service, "did not answer within {HEAD_TIMEOUT:?}");
                Problem::gateway_timeout(format!("the {service} service did not answer in time"))
                    .into_response()
            }
        }
    }
}

impl Default for Proxy {
    fn default() -> Self {
        Self::new()
    }
}

/// Removes what belongs to one connection, and whatever `Connection` names beside.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    // The body keeps its framing unless it was chunked, which the next connection does anew.
    headers.remove(TRANSFER_ENCODING);
}

/// RFC 7239: which host the caller asked for.
fn forwarded(host: Option<&HeaderValue>) -> Option<HeaderValue> {
    let host = host?.to_str().ok()?;
    HeaderValue::from_str(&format!("host=\"{host}\";proto=http")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_one_connection_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, x-secret"),
            ("keep-alive", "timeout=5"),
            ("x-secret", "1"),
            ("transfer-encoding", "chunked"),
            ("authorization", "Bearer t"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["authorization"]);
    }
}
