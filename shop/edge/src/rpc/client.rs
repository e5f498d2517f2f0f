//! Calls that go out: one line to each service, over a few connections that all calls share.
//!
//! ```no_run
//! use shop_edge::rpc::{Line, OnBehalf};
//! # fn clients(auth: &shop_edge::Auth, upstreams: shop_edge::Upstreams, called: &shop_edge::rpc::Called) {
//! let line = Line::new("orders", upstreams, auth);
//! // Whatever a generated client sends through it carries who asked, and until when.
//! let stub = line.on_behalf(OnBehalf::of(called.headers(), called.deadline()));
//! # let _ = stub;
//! # }
//! ```
//!
//! A copy of a service that cannot be reached is passed over for the next one. When none can be, that is UNAVAILABLE at once: nobody
//! waits for a connection, and nothing is tried again. Layers that do so belong around [`Line::send`], the one place where calls leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use futures_util::future::BoxFuture;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, FORWARDED, HOST, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version, request::Parts};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use switchboard_core::{Id, chain};
use switchboard_resilience::{Breaker, Outcome, Rejected};
use tonic::Status;
use tower::Service;

use super::SERVICE_KEY;
use super::body::{Watched, too_late};
use super::deadline::{Deadline, TIMEOUT, whole_seconds};
use super::judged::{Judged, given, said};
use super::status::{bare, code_of_a_strange_answer};
use super::upload::Upload;
use crate::lent::Lender;
use crate::request::{REQUEST_ID, current};
use crate::{Auth, Problem, Upstreams};

/// Connections to each copy of a service. A service lets so many calls share one that a few carry
/// all watches of a gateway, and none of them is the only one.
const LANES: usize = 4;
/// How long connecting may take: services are near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection is asked for a sign of life after so long in silence, while calls wait on it.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// One that gives none for so long is closed.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection is kept for so long: less than services keep theirs.
const IDLE: Duration = Duration::from_secs(30);

/// The way to all copies of one service. Clones share its connections.
#[derive(Clone)]
pub struct Line {
    to: Arc<Inner>,
    breaker: Option<Breaker>,
}

struct Inner {
    service: &'static str,
    upstreams: Upstreams,
    key: HeaderValue,
    lanes: Vec<Client<HttpConnector, Body>>,
    turn: AtomicUsize,
}

/// Who has asked for what a call is part of, and until when.
#[derive(Clone, Debug)]
pub struct OnBehalf {
    headers: HeaderMap,
    deadline: Deadline,
}

/// A line on somebody's behalf: what generated clients are made of.
#[derive(Clone, Debug)]
pub struct Stub {
    line: Line,
    on: OnBehalf,
}

// === impl Line ===

impl Line {
    /// A line without connections yet.
    pub fn new(service: &'static str, upstreams: Upstreams, auth: &Auth) -> Self {
        Self::with(service, upstreams, auth, None)
    }

    /// The same behind a breaker: the one that every other way to the service has.
    pub fn guarded(
        service: &'static str,
        upstreams: Upstreams,
        auth: &Auth,
        breaker: Breaker,
    ) -> Self {
        Self::with(service, upstreams, auth, Some(breaker))
    }

    fn with(
        service: &'static str,
        upstreams: Upstreams,
        auth: &Auth,
        breaker: Option<Breaker>,
    ) -> Self {
        // A key is base64, which every header takes.
        let key = HeaderValue::from_str(auth.service_key())
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        let lanes = (0..LANES).map(|_| client()).collect();
        let turn = AtomicUsize::new(0);
        Self { to: Arc::new(Inner { service, upstreams, key, lanes, turn }), breaker }
    }

    /// The same connections without the breaker, for what is no call of anybody's.
    #[must_use]
    pub fn unguarded(&self) -> Self {
        Self { to: Arc::clone(&self.to), breaker: None }
    }

    /// The service.
    pub fn service(&self) -> &'static str {
        self.to.service
    }

    /// The same for calls on somebody's behalf.
    pub fn on_behalf(&self, on: OnBehalf) -> Stub {
        Stub { line: self.clone(), on }
    }

    /// Sends a gRPC request with its headers, less what belongs to one connection, and with the
    /// service key. What is answered is passed on as it streams.
    ///
    /// # Errors
    /// UNAVAILABLE when no copy can be reached or the breaker is open (nothing has happened), or one breaks off before it
    /// answers (it is unknown what has happened); whatever an answer means that is not gRPC.
    ///
    /// # Cancel safety
    /// Dropping the future, or the answer's body, cancels the call there.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        self.attempt(request).await.0
    }

    /// The same, with what the answer says of the service; `None` when the breaker let nothing
    /// through, which another attempt would not change.
    pub async fn attempt(
        &self,
        request: Request<Body>,
    ) -> (Result<Response<Body>, Status>, Option<Outcome>) {
        let pass = match self.breaker.as_ref().map(Breaker::admit_owned).transpose() {
            Ok(pass) => pass,
            Err(rejected) => return (Err(self.held_back(&rejected)), None),
        };
        let (head, body) = request.into_parts();
        let (body, upload) = Upload::of(body);
        let judged = pass.map(|pass| Judged::new(pass, upload.clone()));
        let (answer, outcome) = self.sent(head, body, &upload).await;
        if let Some(judged) = judged {
            judged.record(outcome);
        }
        (answer, Some(outcome))
    }

    fn held_back(&self, rejected: &Rejected) -> Status {
        let service = self.to.service;
        let detail = format!("The {service} service has failed too often and is left alone.");
        let wait = rejected.retry_after.map_or(1, |wait| whole_seconds(wait).max(1));
        Problem::unavailable(detail).retry_after(wait).into()
    }

    /// The answer, and what it says of the service.
    async fn sent(
        &self,
        mut head: Parts,
        body: Body,
        upload: &Upload,
    ) -> (Result<Response<Body>, Status>, Outcome) {
        self.prepare(&mut head);
        let given = given(&head.headers);
        let (service, lender) = (self.to.service, Lender::new(body));
        let turn = self.to.turn.fetch_add(1, Ordering::Relaxed);
        let lane = &self.to.lanes[turn % LANES];
        for address in self.to.upstreams.turn() {
            let Some(body) = lender.lend() else { break };
            // Its length is not told: gRPC has lengths of its own, and one that was translated from
            // gRPC-Web has another than it claims.
            let body = Body::new(body.map_frame(|frame| frame));
            let request = match addressed(&head, &address, body) {
                Ok(request) => request,
                Err(status) => return (Err(status), Outcome::Ignore),
            };
            match lane.request(request).await {
                Ok(response) => {
                    // A service that waits for its caller has had no time of its own.
                    let given = if upload.is_whole() { given } else { Duration::ZERO };
                    return answered(response.map(Body::new), given);
                }
                Err(error) if error.is_connect() => {
                    tracing::warn!(service, %address, error = chain(&error), "cannot be reached");
                    self.to.upstreams.shun(&address);
                }
                Err(_) if upload.is_broken() => {
                    let problem = Problem::bad_request("The call broke off before its end.");
                    return (Err(problem.into()), Outcome::Ignore);
                }
                Err(error) => {
                    tracing::warn!(service, error = chain(&error), "broke off");
                    let detail = format!("The {service} service broke off.");
                    return (Err(Problem::bad_gateway(detail).into()), Outcome::FAILURE);
                }
            }
        }
        let detail = format!("The {service} service cannot be reached now.");
        (Err(Problem::unavailable(detail).into()), Outcome::FAILURE)
    }

    fn prepare(&self, head: &mut Parts) {
        head.version = Version::HTTP_2;
        for name in [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE, FORWARDED] {
            head.headers.remove(name);
        }
        head.headers.insert(TE, HeaderValue::from_static("trailers"));
        // In the place of whatever a caller may have sent.
        head.headers.insert(SERVICE_KEY, self.to.key.clone());
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { service, upstreams, .. } = &*self.to;
        f.debug_struct("Line").field("service", service).field("upstreams", upstreams).finish()
    }
}

fn client() -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(KEEPALIVE)
        .http2_keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connector)
}

fn addressed(head: &Parts, to: &Authority, body: Body) -> Result<Request<Body>, Status> {
    let mut head = head.clone();
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let uri = Uri::builder().scheme("http").authority(to.clone()).path_and_query(path).build();
    head.uri = uri.map_err(|_| Problem::bad_request("The path cannot be passed on."))?;
    Ok(Request::from_parts(head, body))
}

/// An answer that is not gRPC has no status, and gets the one that it means. One that refuses the
/// caller's request says nothing of the service.
fn answered(
    response: Response<Body>,
    given: Duration,
) -> (Result<Response<Body>, Status>, Outcome) {
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        let outcome = said(response.headers(), given);
        return (Ok(response), outcome);
    }
    let status = response.status();
    let outcome = if status.is_client_error() { Outcome::Ignore } else { Outcome::FAILURE };
    let detail = format!("What answered is not gRPC: {status}.");
    (Err(bare(code_of_a_strange_answer(status), detail)), outcome)
}

// === impl OnBehalf ===

impl OnBehalf {
    /// Of somebody whose headers these are: their token, the request's id and its trace.
    pub fn of(headers: &HeaderMap, deadline: Deadline) -> Self {
        let passed = [
            AUTHORIZATION,
            HeaderName::from_static(REQUEST_ID),
            HeaderName::from_static("traceparent"),
        ];
        let mut own: HeaderMap = passed
            .into_iter()
            .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())))
            .collect();
        if let Some(id) = current().and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
            own.entry(REQUEST_ID).or_insert(id);
        }
        Self { headers: own, deadline }
    }

    /// Of nobody in particular.
    pub fn nobody(deadline: Deadline) -> Self {
        Self::of(&HeaderMap::new(), deadline)
    }

    /// Until when.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }
}

// === impl Stub ===

impl Service<Request<tonic::body::Body>> for Stub {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let Self { line, on } = self.clone();
        Box::pin(async move {
            let mut request = request.map(Body::new);
            for (name, value) in &on.headers {
                request.headers_mut().insert(name, value.clone());
            }
            let onward = on.deadline.onward().ok_or_else(too_late)?;
            request.headers_mut().insert(TIMEOUT, onward);
            let sending = line.send(request);
            let answer = tokio::time::timeout_at(on.deadline.instant(), sending).await;
            let id = current().unwrap_or(Id::from_bytes([0; 16]));
            let watch = |body| Body::new(Watched::new(body, id, on.deadline));
            Ok(answer.map_err(|_| too_late())??.map(watch))
        })
    }
}
