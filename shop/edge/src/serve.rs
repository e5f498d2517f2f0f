//! One listener with everything around its routes: request ids, problems for every error, safe headers, health, a bounded end.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde_json::json;
use switchboard_core::{BoxError, Id, Rng, SystemClock};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::Problem;
use crate::request::REQUEST_ID;

/// The largest body that is read, in bytes.
pub const BODY_LIMIT: usize = 1 << 20;
/// How long calls that are running may take to end after shutdown began.
const PATIENCE: Duration = Duration::from_secs(3);

/// What must hold before a service takes calls.
#[derive(Clone, Default)]
pub struct Health(Vec<(&'static str, Arc<dyn Fn() -> bool + Send + Sync>)>);

// === impl Health ===

impl Health {
    /// Ready at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more condition of being ready.
    #[must_use]
    pub fn check(
        mut self,
        name: &'static str,
        holds: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        self.0.push((name, Arc::new(holds)));
        self
    }

    fn answer(&self) -> Response {
        let checks: Vec<_> = self.0.iter().map(|(name, holds)| (*name, holds())).collect();
        let ready = checks.iter().all(|(_, holds)| *holds);
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let checks: serde_json::Map<_, _> =
            checks.into_iter().map(|(name, holds)| (name.to_owned(), holds.into())).collect();
        let word = if ready { "ready" } else { "not ready" };
        (status, Json(json!({ "status": word, "checks": checks }))).into_response()
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Serves until shutdown; then calls that are running have three seconds to end.
///
/// Adds `/livez` and `/readyz`, and makes every error a problem: unknown paths, wrong methods,
/// bodies that are too large, panics.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    health: Health,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    let routes = routes
        .route("/livez", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/readyz", get(move || async move { health.answer() }));
    serve_bare(listener, routes, shutdown).await
}

/// The same without health routes, for routers that bring their own.
///
/// # Errors
/// When the listener fails.
pub async fn serve_bare(
    listener: TcpListener,
    routes: Router,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    // Small answers must not wait for more to send.
    let listener = listener.tap_io(|stream| {
        let _only_slower_without = stream.set_nodelay(true);
    });
    let ending = shutdown.clone();
    let serving = axum::serve(listener, wrap(routes))
        .with_graceful_shutdown(async move { ending.cancelled().await });
    tokio::select! {
        served = serving.into_future() => Ok(served?),
        () = async { shutdown.cancelled().await; tokio::time::sleep(PATIENCE).await } => Ok(()),
    }
}

/// The layers around every service's routes.
pub fn wrap(routes: Router) -> Router {
    let ids = Arc::new(Mutex::new(Rng::from_entropy()));
    routes
        .fallback(|| async { Problem::not_found() })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            around(ids.clone(), request, next)
        }))
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(panic = text, "a handler panicked");
    Problem::internal().into_response()
}

async fn around(ids: Arc<Mutex<Rng>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(&ids, &request);
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let signed_in = request.headers().contains_key(http::header::AUTHORIZATION);
    let mut response = methods(&method, next.run(request).await);
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        (REQUEST_ID, &*id),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if signed_in && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    tracing::info!(
        request_id = id,
        %method,
        route = matched.as_deref().unwrap_or("-"),
        status = response.status().as_u16(),
        micros = begun.elapsed().as_micros(),
        "answered"
    );
    response
}

/// Takes the caller's id when it is a UUID, and makes one otherwise: nothing else is echoed.
fn request_id(ids: &Mutex<Rng>, request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match given.and_then(|text| text.parse::<Id>().ok()) {
        Some(id) => id.to_string(),
        None => Id::new(&SystemClock, &mut ids.lock()).to_string(),
    }
}

/// A wrong method is a problem that names the right ones; OPTIONS answers just those.
fn methods(method: &Method, response: Response) -> Response {
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
    if response.status() != StatusCode::METHOD_NOT_ALLOWED || is_problem {
        return response;
    }
    let allowed = response.headers().get(ALLOW).and_then(|allow| allow.to_str().ok());
    let mut allow: Vec<_> = allowed.unwrap_or_default().split(',').filter(|it| !it.is_empty()).collect();
    allow.push("OPTIONS");
    let allow = allow.join(",");
    if method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [(ALLOW, allow)]).into_response();
    }
    Problem::method_not_allowed(&allow).into_response()
}
