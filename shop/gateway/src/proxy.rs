//! Passing a call on: the head is rewritten, bodies stream through untouched in both directions.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
};
use http::header::{TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, StatusCode, Uri, Version};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Incoming};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::TokioExecutor;
use shop_edge::Problem;
use shop_edge::lent::Lender;
use shop_edge::rpc::judged::lapse;
use shop_edge::rpc::upload::Upload;
use shop_edge::serve::{BODY_LIMIT, method_of, unmeasured};
use switchboard_core::chain;
use switchboard_resilience::propagate::encode;
use switchboard_resilience::{Call, Outcome};
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::guards::Guards;
use crate::{Route, Upstreams};

/// How long a service may take to begin its answer. The answer's body may stream for longer.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a caller's body may take to arrive: as long as services wait for it.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// Of a caller's deadline so much is kept for the way back.
const HOP: Duration = Duration::from_millis(5);
/// How long connecting may take: services are near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle connections to one service that are kept for the next call.
const IDLE_CONNECTIONS: usize = 64;
/// How long they are kept: less than services keep theirs, so that no call meets a closing one.
const IDLE: Duration = Duration::from_secs(30);
const _: () = assert!(IDLE.as_secs() < shop_edge::serve::IDLE.as_secs());

/// Headers that belong to one connection and are never passed on (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    // A chunked body is chunked anew for the next connection; any other keeps its length.
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A pool of connections to services.
#[derive(Clone, Debug)]
pub struct Proxy {
    client: Client<HttpConnector, Body>,
}

/// What a caller sends, for whichever copy can be reached.
struct Sent {
    lender: Lender,
    upload: Upload,
}

impl Sent {
    fn of(body: Body) -> Self {
        let (body, upload) = Upload::of(body);
        Self { lender: Lender::new(body), upload }
    }
}

// === impl Proxy ===

impl Proxy {
    /// A proxy without connections yet.
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { client }
    }

    /// Sends the request to a copy of the service and answers what it answers.
    ///
    /// A copy that cannot be reached is passed over for the next one. When none can be reached that
    /// is a 503 with `Retry-After`: nothing has happened. One that breaks off is a 502, one that does
    /// not begin to answer a 504: what has happened is unknown, so no other copy is asked.
    pub async fn pass(
        &self,
        service: &str,
        upstreams: &Upstreams,
        request: Request<Body>,
    ) -> Response {
        let (head, body, _) = prepared(request);
        let sent = Sent::of(body);
        self.attempt(service, upstreams, head, &sent, HEAD_TIMEOUT).await.0
    }

    /// The same behind the policies that guard the service.
    ///
    /// A body is read to its end first, within 20 s: who sends slowly takes nobody's place. A call with a body is sent once, whatever its kind.
    pub async fn pass_guarded(
        &self,
        guards: &Guards,
        route: &Route,
        request: Request<Body>,
    ) -> Response {
        let (head, body, is_bodyless) = prepared(request);
        let Some(passing) = guards.passing(route, &head, is_bodyless) else {
            let (service, upstreams, sent) = (route.service, &route.upstreams, Sent::of(body));
            return self.attempt(service, upstreams, head, &sent, HEAD_TIMEOUT).await.0;
        };
        let body = match is_bodyless {
            true => Body::empty(),
            false => match whole(body, passing.patience()).await {
                Ok(body) => Body::from(body),
                Err(problem) => return problem.into_response(),
            },
        };
        let place = match passing.place().await {
            Ok(place) => place,
            Err(answer) => return answer,
        };
        let sent = &Sent::of(body);
        let attempt = |call: Call| {
            let mut head = head.clone();
            async move {
                let now = Instant::now();
                if encode(&call, now, HOP, &mut head.headers).is_err() {
                    let late = "There was no time left to ask the service.";
                    return (Problem::gateway_timeout(late).into_response(), Outcome::Ignore);
                }
                let patience = call.remaining(now).map_or(HEAD_TIMEOUT, |it| it.min(HEAD_TIMEOUT));
                let (service, upstreams) = (route.service, &route.upstreams);
                if is_bodyless {
                    let nothing = Sent::of(Body::empty());
                    self.attempt(service, upstreams, head, &nothing, patience).await
                } else {
                    self.attempt(service, upstreams, head, sent, patience).await
                }
            }
        };
        passing.attempts(place, &sent.upload, attempt).await
    }

    /// Asks one copy after another until one can be reached; with what that says of the service.
    async fn attempt(
        &self,
        service: &str,
        upstreams: &Upstreams,
        head: Parts,
        Sent { lender, upload }: &Sent,
        patience: Duration,
    ) -> (Response, Outcome) {
        let is_head = head.method == Method::HEAD;
        for address in upstreams.turn() {
            let Some(body) = lender.lend() else { break };
            let body = Body::new(Limited::new(body, BODY_LIMIT));
            let request = match addressed(head.clone(), &address, body) {
                Ok(request) => request,
                Err(problem) => return (problem.into_response(), Outcome::Ignore),
            };
            match tokio::time::timeout(patience, self.client.request(request)).await {
                Ok(Err(error)) if error.is_connect() => {
                    tracing::warn!(service, %address, error = chain(&error), "cannot be reached");
                    upstreams.shun(&address);
                }
                Ok(Err(_)) if upload.is_broken() => {
                    // Its caller's doing: it says nothing of the service.
                    let cut = Problem::bad_request("The body could not be read to its end.");
                    return (cut.into_response(), Outcome::Ignore);
                }
                Err(_) if !upload.is_whole() => {
                    return (Problem::request_timeout().into_response(), Outcome::Ignore);
                }
                answered => return answer(service, is_head, answered, patience),
            }
        }
        let away = Problem::unavailable(format!("The {service} service cannot be reached now."));
        (away.into_response(), Outcome::FAILURE)
    }
}

/// What the caller gets of what came back, and what it says of the service.
fn answer(
    service: &str,
    is_head: bool,
    answered: Result<Result<http::Response<Incoming>, ClientError>, Elapsed>,
    patience: Duration,
) -> (Response, Outcome) {
    match answered {
        Ok(Ok(answer)) => {
            let mut answer = answer.map(Body::new);
            strip(answer.headers_mut());
            if is_head && !answer.headers().contains_key(CONTENT_LENGTH) {
                *answer.body_mut() = unmeasured();
            }
            let outcome = said(answer.status(), patience);
            (answer, outcome)
        }
        Ok(Err(error)) if has_cause::<LengthLimitError>(&error) => {
            (Problem::too_large(BODY_LIMIT).into_response(), Outcome::Ignore)
        }
        Ok(Err(error)) => {
            tracing::warn!(service, error = chain(&error), "broke off");
            let broke_off = Problem::bad_gateway(format!("The {service} service broke off."));
            (broke_off.into_response(), Outcome::FAILURE)
        }
        Err(_) => {
            tracing::warn!(service, "did not answer in time");
            let late = format!("The {service} service did not answer in time.");
            (Problem::gateway_timeout(late).into_response(), lapse(patience))
        }
    }
}

/// What a status says of the service that sent it: a refusal is a good answer, and a caller that
/// asks too often, or has no patience, says nothing about whom they ask.
fn said(status: StatusCode, patience: Duration) -> Outcome {
    match status {
        StatusCode::GATEWAY_TIMEOUT => lapse(patience),
        StatusCode::NOT_IMPLEMENTED => Outcome::Success,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Ignore,
        status if status.is_server_error() => Outcome::FAILURE,
        _ => Outcome::Success,
    }
}

impl Default for Proxy {
    fn default() -> Self {
        Self::new()
    }
}

/// The head as a service gets it, whichever copy that is: same method, path and headers, but for
/// what belongs to the caller's connection; the body, for the copy that can be reached; and whether
/// there is none.
fn prepared(request: Request<Body>) -> (Parts, Body, bool) {
    let (mut head, body) = request.into_parts();
    let is_bodyless = HttpBody::is_end_stream(&body);
    let host = head.headers.remove(HOST);
    let host = host.or_else(|| HeaderValue::from_str(head.uri.authority()?.as_str()).ok());
    head.method = method_of(&head);
    head.version = Version::HTTP_11;
    strip(&mut head.headers);
    join_cookies(&mut head.headers);
    let peer = head.extensions.remove::<ConnectInfo<SocketAddr>>();
    // Whatever a caller claims about the way so far is not passed on.
    head.headers.remove(FORWARDED);
    if let Some(forwarded) = forwarded(peer.map(|peer| peer.0), host.as_ref()) {
        head.headers.insert(FORWARDED, forwarded);
    }
    (head, body, is_bodyless)
}

/// A body that has come to its end within this time.
async fn whole(body: Body, within: Duration) -> Result<Bytes, Problem> {
    let reading = Limited::new(body, BODY_LIMIT).collect();
    match tokio::time::timeout(within, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if has_cause::<LengthLimitError>(&*error) => {
            Err(Problem::too_large(BODY_LIMIT))
        }
        Ok(Err(_)) => Err(Problem::bad_request("The body could not be read to its end.")),
        Err(_) => Err(Problem::request_timeout()),
    }
}

/// The request to this copy.
fn addressed(mut head: Parts, to: &Authority, body: Body) -> Result<Request<Body>, Problem> {
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    head.uri = Uri::builder()
        .scheme("http")
        .authority(to.clone())
        .path_and_query(path)
        .build()
        .map_err(|_| Problem::bad_request("The path cannot be passed on."))?;
    Ok(Request::from_parts(head, body))
}

fn has_cause<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| cause.is::<E>())
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
}

/// HTTP/2 may send cookies apart; before them HTTP/1.1 had one header (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    match HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        Ok(whole) => headers.insert(COOKIE, whole),
        Err(_) => headers.remove(COOKIE),
    };
}

/// RFC 7239: who asks, and for which host.
fn forwarded(peer: Option<SocketAddr>, host: Option<&HeaderValue>) -> Option<HeaderValue> {
    let mut parts = Vec::new();
    if let Some(peer) = peer {
        parts.push(format!("for=\"{peer}\""));
    }
    let host = host.and_then(|host| host.to_str().ok());
    if let Some(host) = host.filter(|host| !host.contains(['"', '\\'])) {
        parts.push(format!("host=\"{host}\""));
    }
    parts.push("proto=http".to_owned());
    HeaderValue::from_str(&parts.join(";")).ok()
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

    #[test]
    fn the_service_learns_who_asked_and_not_what_the_caller_claims() {
        let mut request = Request::builder()
            .uri("http://shop.example/api/v1/orders?limit=2")
            .header("forwarded", "for=\"6.6.6.6\"")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .body(Body::empty())
            .unwrap();
        let peer = SocketAddr::from(([127, 0, 0, 1], 99));
        request.extensions_mut().insert(ConnectInfo(peer));
        let (head, _body, _) = prepared(request);
        let request = addressed(head, &"127.0.0.1:80".parse().unwrap(), Body::empty()).unwrap();
        assert_eq!(request.uri(), "http://127.0.0.1:80/api/v1/orders?limit=2");
        let forwarded = "for=\"127.0.0.1:99\";host=\"shop.example\";proto=http";
        assert_eq!(request.headers()["forwarded"], forwarded);
        assert_eq!(request.headers()["cookie"], "a=1; b=2");
    }
}
