//! Around each gRPC call: its id, its key, its deadline, its place in the numbers; and a status for whatever goes wrong.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Request, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use switchboard_core::{Id, Rng, SystemClock};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tower::{Service, ServiceExt};

use super::access::Line;
use super::body::{Watched, completed, panicked, too_late};
use super::call::Called;
use super::deadline::Deadline;
use super::methods::{Counting, Method, Methods};
use super::{SERVICE_KEY, is_open};
use crate::request::{self, CURRENT, Current, REQUEST_ID};
use crate::serve::Access;
use crate::{Auth, Problem};

/// gRPC routes with everything that is around them. Clones share it.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
    access: Option<Access>,
}

/// Who comes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Only the shop's own services, who show the service key.
    Inside,
    /// Everybody.
    Public,
}

struct Inner {
    routes: Router,
    methods: Methods,
    auth: Arc<Auth>,
    door: Door,
    ids: Mutex<Rng>,
    end: CancellationToken,
}

// === impl Guard ===

impl Guard {
    pub(super) fn new(
        routes: Router,
        methods: Methods,
        auth: Arc<Auth>,
        door: Door,
        end: CancellationToken,
    ) -> Self {
        let ids = Mutex::new(Rng::from_entropy());
        let inner = Arc::new(Inner { routes, methods, auth, door, ids, end });
        Self { inner, access: None }
    }

    /// The same, which writes a line of each call into the access log.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { access: Some(access), ..self }
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("door", &self.inner.door).finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Guard
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { inner, access } = self.clone();
        let request = request.map(Body::new);
        Box::pin(async move { Ok(inner.answer(request, access).await) })
    }
}

// === impl Inner ===

impl Inner {
    async fn answer(&self, mut request: Request<Body>, access: Option<Access>) -> Response<Body> {
        let id = self.id_of(&request);
        let name = HeaderName::from_static(REQUEST_ID);
        // The text of an id is visible ASCII, always.
        let value = HeaderValue::from_str(&id.to_string()).ok();
        if let Some(value) = value.clone() {
            request.headers_mut().insert(name.clone(), value);
        }
        request::keep_sound_trace(request.headers_mut());
        let method = Arc::clone(self.methods.at(request.uri().path()));
        let path = request.uri().path().to_owned();
        let counting = Counting::new(Arc::clone(&method));
        let is_watched = path.starts_with(super::HEALTH);
        let line = access.map(|access| Line::of(access, id, request.headers(), is_watched));
        // Whoever gives up midway is counted, and has a line too.
        let mut counting = counting.with_line(line.map(Box::new));
        let answering = async {
            let answered = match self.admitted(&mut request, &method) {
                Ok(deadline) => (self.called(request, deadline).await, deadline),
                Err(problem) => (refused(problem), Deadline::after(method.longest)),
            };
            (answered, request::maker())
        };
        let ((response, deadline), maker) = CURRENT.scope(Current::of(id), answering).await;
        counting.made_by(maker);
        // Health says itself that this process ends.
        let cut = method.streams && !is_watched;
        let mut response = watched(response, id, cut.then_some(&self.end), deadline, counting);
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
        let code = response.headers().get(Status::GRPC_STATUS).and_then(|code| code.to_str().ok());
        tracing::debug!(request_id = %id, path, code = code.unwrap_or("-"), "answered");
        response
    }

    /// What a call must have before any handler sees it.
    fn admitted(&self, request: &mut Request<Body>, method: &Method) -> Result<Deadline, Problem> {
        let path = request.uri().path();
        if self.door == Door::Inside && !is_open(path) {
            let key = request.headers_mut().remove(SERVICE_KEY);
            if !key.is_some_and(|key| self.auth.is_service_key(key.as_bytes())) {
                let detail = "This port is for the shop's own services: call the gateway.";
                return Err(Problem::unauthorized(detail));
            }
        }
        let deadline = Deadline::of(request.headers(), method.longest)?;
        if deadline.is_over() {
            return Err(Problem::gateway_timeout("The deadline had passed on arrival."));
        }
        let called = Called::new(self.auth.clone(), deadline);
        request.extensions_mut().insert(called);
        Ok(deadline)
    }

    async fn called(&self, request: Request<Body>, deadline: Deadline) -> Response<Body> {
        let handling = AssertUnwindSafe(self.routes.clone().oneshot(request)).catch_unwind();
        match tokio::time::timeout_at(deadline.instant(), handling).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Err(panic)) => panicked(&*panic).into_http(),
            Err(_) => too_late().into_http(),
        }
    }

    /// Takes the caller's id when it is a UUID, and makes one otherwise: nothing else is echoed.
    fn id_of(&self, request: &Request<Body>) -> Id {
        let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        given
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| Id::new(&SystemClock, &mut self.ids.lock()))
    }
}

fn refused(problem: Problem) -> Response<Body> {
    Status::from(problem).into_http()
}

fn watched(
    response: Response<Body>,
    id: Id,
    end: Option<&CancellationToken>,
    deadline: Deadline,
    mut counting: Counting,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(code) = CURRENT.sync_scope(Current::of(id), || completed(&mut parts.headers)) {
        // The headers say it all, and nothing follows.
        counting.ended(code);
        return Response::from_parts(parts, body);
    }
    let mut watched = Watched::new(body, id, deadline).counted(counting);
    if let Some(end) = end {
        watched = watched.until(end);
    }
    Response::from_parts(parts, Body::new(watched))
}
