//! One listener with everything around its routes: request ids, problems for every error, safe headers, health, a bounded end.

mod accept;
mod access;
mod aged;
mod around;
mod bounds;
mod fork;
mod health;
mod mask;
mod opening;
mod refine;
mod represent;

use std::any::Any;
use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use switchboard_core::BoxError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::Service;

pub use access::Access;
pub use health::Health;
pub use represent::{Passed, method_of, unmeasured};

use crate::rpc::Rpc;
use crate::{Problem, problem, versions};
use around::Served;
use fork::Fork;

/// The largest body that is read, in bytes.
pub const BODY_LIMIT: usize = 1 << 20;
/// How long a connection may be idle before it is closed. Whoever keeps connections open for
/// later should let go of them sooner.
pub const IDLE: Duration = accept::IDLE;

/// How a listener serves.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is written about requests. Default: failures.
    pub access: Access,
    /// Between "not ready" and the closed port, so that whoever asks `/readyz` sends nobody any
    /// more before nobody is accepted. Default 250 ms.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { access: Access::default(), drain: Duration::from_millis(250) }
    }
}

/// Serves a service until shutdown. Then it is not ready any more, goes on accepting for as long as
/// its options say, closes the port, and gives the calls that are running three seconds to end.
///
/// Adds `/livez`, `/readyz`, `/startupz`, the pages that problems and versions point to, and makes
/// every error a problem: unknown paths, wrong methods, bodies that are too large, panics.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    health: Health,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    let options = health.options().clone();
    let routes = with_pages(routes, health, &shutdown);
    run(listener, around(routes, options.access, true), options.drain, shutdown).await
}

/// Routes with those that every service has.
fn with_pages(routes: Router, health: Health, shutdown: &CancellationToken) -> Router {
    let health = health.routes(shutdown.clone());
    routes.merge(health).merge(problem::routes()).merge(versions::routes())
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
    let options = health.options().clone();
    let routes = with_pages(routes, health, &shutdown);
    let routes = Fork::new(around(routes, options.access, true), guard);
    run(listener, routes, options.drain, shutdown).await
}

/// The same without health routes and pages, for routers that bring their own.
///
/// # Errors
/// When the listener fails.
pub async fn serve_bare(
    listener: TcpListener,
    routes: Router,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    serve_with(listener, routes, Options::default(), shutdown).await
}

/// The same with other options.
///
/// # Errors
/// When the listener fails.
pub async fn serve_with(
    listener: TcpListener,
    routes: Router,
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    run(listener, around(routes, options.access, false), options.drain, shutdown).await
}

async fn run<S>(
    listener: TcpListener,
    routes: S,
    drain: Duration,
    shutdown: CancellationToken,
) -> Result<(), BoxError>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    // A listener that cannot be asked for its address cannot be accepted from either.
    listener.local_addr()?;
    accept::run(listener, routes, drain, shutdown).await;
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
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), BoxError>
where
    R: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    R::Future: Send + 'static,
{
    let routes = Fork::new(around(routes, options.access, false), rpc);
    run(listener, routes, options.drain, shutdown).await
}

/// The layers around every service's routes. Sets no fallback, so that a router may bring its own.
pub fn wrap(routes: Router) -> Router {
    wrap_with(routes, Access::default())
}

/// The same around routes that bring their own, as [`serve_bare`] does it: they say themselves which
/// forms of answers they have.
pub fn wrap_bare(routes: Router) -> Router {
    Router::new().fallback_service(around(routes, Access::default(), false))
}

/// The same, with an access log of its own.
pub fn wrap_with(routes: Router, access: Access) -> Router {
    Router::new().fallback_service(around(routes, access, true))
}

fn around(routes: Router, access: Access, is_service: bool) -> Served {
    Served::new(routes, access, is_service)
}

/// What callers get of a handler that panicked.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(panic = text, "a handler panicked");
    Problem::internal().into_response()
}
