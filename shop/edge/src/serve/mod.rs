//! One listener with everything around its routes: request ids, problems for every error, safe headers, health, a bounded end.

mod accept;
mod aged;
mod around;
mod fork;
mod health;
mod refine;

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use switchboard_core::BoxError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};
use tower_http::catch_panic::CatchPanicLayer;

pub use health::Health;

use crate::Problem;
use crate::rpc::Rpc;
use around::Around;
use fork::Fork;

/// The largest body that is read, in bytes.
pub const BODY_LIMIT: usize = 1 << 20;
/// How long a connection may be idle before it is closed. Whoever keeps connections open for
/// later should let go of them sooner.
pub const IDLE: Duration = accept::IDLE;

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
    let routes = routes.merge(health.routes(shutdown.clone()));
    serve_bare(listener, routes, shutdown).await
}

/// The same with gRPC on the same port. Its health says what `/readyz` says.
///
/// # Errors
/// When the listener fails, or the services cannot be described.
pub async fn serve_with_rpc(
    listener: TcpListener,
    routes: Router,
    rpc: Rpc,
    health: Health,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    let guard = rpc.open(health.clone(), shutdown.clone())?;
    let routes = routes.merge(health.routes(shutdown.clone()));
    serve_bare_with_rpc(listener, routes, guard, shutdown).await
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
    // A listener that cannot be asked for its address cannot be accepted from either.
    listener.local_addr()?;
    accept::run(listener, wrap(routes), shutdown).await;
    Ok(())
}

/// The same with gRPC on the same port.
///
/// # Errors
/// When the listener fails.
pub async fn serve_bare_with_rpc<R>(
    listener: TcpListener,
    routes: Router,
    rpc: R,
    shutdown: CancellationToken,
) -> Result<(), BoxError>
where
    R: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    R::Future: Send + 'static,
{
    listener.local_addr()?;
    accept::run(listener, Fork::new(wrap(routes), rpc), shutdown).await;
    Ok(())
}

/// The layers around every service's routes. Sets no fallback, so that a router may bring its own.
pub fn wrap(routes: Router) -> Router {
    let inside = routes
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(around::name_route));
    let around = Arc::new(Around::new());
    // A router adds `Allow` outside of its own layers, so what reads it stands outside the router.
    let outside = middleware::from_fn(move |request: Request, next: Next| {
        let around = around.clone();
        async move { around.call(request, next).await }
    });
    Router::new().fallback_service(outside.layer(inside))
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
