//! The public port: health, whatever the platform mounts, and everything else by its path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use http::{Method, StatusCode};
use serde_json::json;
use shop_edge::idempotency::{KEPT, KEY_MAX};
use shop_edge::rpc::CONTENT_TYPE as GRPC;
use shop_edge::serve::{self, Passed, serve_bare_with_rpc, serve_with};
use shop_edge::{Auth, Problem, versions};
use switchboard_core::BoxError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::callers::{self, Callers};
use crate::guards::Guards;
use crate::proxy::Proxy;
use crate::routes::{Route, Routes};
use crate::rpc::{self, Lines, Web};
use crate::{graphql, ready};

/// The door. Clones share its connections.
#[derive(Clone)]
pub struct Gateway {
    routes: Arc<Routes>,
    proxy: Proxy,
    guards: Option<Guards>,
    extra: Router,
    rpc: Option<(Lines, Web)>,
    callers: Option<Callers>,
    /// No longer ready, once this is cancelled.
    end: CancellationToken,
    /// Whether the whole shop was ready once.
    started: Arc<AtomicBool>,
}

// === impl Gateway ===

impl Gateway {
    /// A door to these services.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        Self {
            routes: Arc::new(Routes::new(routes)),
            proxy: Proxy::new(),
            guards: None,
            extra: Router::new(),
            rpc: None,
            callers: None,
            end: CancellationToken::new(),
            started: Arc::default(),
        }
    }

    /// Passes calls on behind these policies; gRPC too, if that is asked for afterwards. Default: none, and every call is passed on at once.
    #[must_use]
    pub fn with_guards(mut self, guards: Guards) -> Self {
        self.guards = Some(guards);
        self
    }

    /// Counts the calls of each caller, and refuses those that are too many. Default: nobody counts.
    #[must_use]
    pub fn with_callers(mut self, callers: Callers) -> Self {
        self.callers = Some(callers);
        self
    }

    /// Is not ready once `end` is cancelled, so that nobody is sent here who would find the port
    /// closed.
    #[must_use]
    pub fn with_end(mut self, end: CancellationToken) -> Self {
        self.end = end;
        self
    }

    /// Serves these routes itself, before any service is looked for.
    #[must_use]
    pub fn with_routes(mut self, extra: Router) -> Self {
        self.extra = self.extra.merge(extra);
        self
    }

    /// Speaks gRPC too, until `end`; serve it with [`Gateway::serve`]. Whoever counts calls counts
    /// these as well, if that was said before.
    ///
    /// # Errors
    /// When the services cannot be described, which is a mistake of ours.
    pub fn with_rpc(
        mut self,
        auth: &Arc<Auth>,
        options: rpc::Options,
        end: CancellationToken,
    ) -> Result<Self, BoxError> {
        let lines = Lines::new(&self.routes.services(), auth, self.guards.as_ref());
        let web = lines.open(auth.clone(), options, self.callers.clone(), end)?;
        self.rpc = Some((lines, web));
        Ok(self)
    }

    /// The ways to the services, for whoever calls them; `None` without gRPC.
    pub fn lines(&self) -> Option<&Lines> {
        self.rpc.as_ref().map(|(lines, _)| lines)
    }

    /// Answers GraphQL at `/graphql`, over the gRPC of the services: say
    /// [`with_rpc`](Gateway::with_rpc) first. A service without a line counts as away. Streams end
    /// with `end`.
    #[must_use]
    pub fn with_graphql(
        self,
        auth: &Arc<Auth>,
        options: graphql::Options,
        end: CancellationToken,
    ) -> Self {
        let services = graphql::Services::by(|name| self.lines().and_then(|lines| lines.to(name)));
        let routes = graphql::shop(services, auth.clone(), options, end).routes();
        self.with_routes(routes)
    }

    /// Serves everything until shutdown.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        options: serve::Options,
        shutdown: CancellationToken,
    ) -> Result<(), BoxError> {
        let router = self.router();
        match self.rpc {
            Some((_, web)) => {
                let web = web.with_access(options.access.clone());
                serve_bare_with_rpc(listener, router, web, options, shutdown).await
            }
            None => serve_with(listener, router, options, shutdown).await,
        }
    }

    /// What has no route may be meant for gRPC without saying so.
    fn not_passed(&self, request: &Request<Body>) -> Response {
        let Some((_, web)) =
            self.rpc.as_ref().filter(|(lines, _)| lines.cover(request.uri().path()))
        else {
            let unknown = versions::unknown(request.uri().path());
            return unknown.unwrap_or_else(Problem::not_found).into_response();
        };
        let preflight = (request.method() == Method::OPTIONS)
            .then(|| web.preflight(request.headers()))
            .flatten();
        preflight.unwrap_or_else(|| Problem::unsupported_media_type(GRPC).into_response())
    }

    /// Everything behind the public port but gRPC, to be served with
    /// [`serve_bare`](shop_edge::serve::serve_bare).
    pub fn router(&self) -> Router {
        let routes = Router::new()
            .route("/", get(index))
            .route("/livez", get(|| async { Json(json!({ "status": "alive" })) }))
            .route("/readyz", get(readyz))
            .route("/startupz", get(startupz))
            .fallback(pass)
            .with_state(self.clone())
            .merge(shop_edge::problem::routes())
            .merge(versions::routes())
            .merge(self.extra.clone());
        match &self.callers {
            Some(callers) => {
                routes.layer(middleware::from_fn_with_state(callers.clone(), callers::count))
            }
            None => routes,
        }
    }
}

impl Gateway {
    /// Asks the services whether they are ready, and remembers that they once were.
    async fn asked(&self) -> Response {
        let degraded = self.guards.as_ref().map(Guards::degraded).unwrap_or_default();
        let answer = ready::ready(&self.proxy, &self.routes.services(), &degraded).await;
        if answer.status().is_success() {
            self.started.store(true, Ordering::Relaxed);
        }
        answer
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("routes", &self.routes).finish_non_exhaustive()
    }
}

async fn index() -> Response {
    let links =
        ["users", "sessions", "posts", "tags", "products", "accounts", "orders", "notifications"];
    let links: serde_json::Map<_, _> = links
        .into_iter()
        .map(|name| (name.to_owned(), json!({ "href": format!("/api/v1/{name}") })))
        .chain(
            ["console", "graphql", "problems", "versions", "readyz", "metrics"]
                .map(|name| (name.to_owned(), json!({ "href": format!("/{name}") }))),
        )
        .collect();
    let idempotency = json!({
        "header": "Idempotency-Key",
        "length_max": KEY_MAX,
        "kept_seconds": KEPT.as_secs(),
    });
    let shop = json!({ "name": "Switchboard shop", "idempotency": idempotency, "_links": links });
    Json(shop).into_response()
}

async fn readyz(State(gateway): State<Gateway>) -> Response {
    if gateway.end.is_cancelled() {
        let draining = json!({ "status": "draining", "services": {} });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(draining)).into_response();
    }
    gateway.asked().await
}

/// Started is for good: a service that goes away later makes nobody start the door anew.
async fn startupz(State(gateway): State<Gateway>) -> Response {
    if !gateway.started.load(Ordering::Relaxed) {
        let answer = gateway.asked().await;
        if !answer.status().is_success() {
            return answer;
        }
    }
    Json(json!({ "status": "started" })).into_response()
}

async fn pass(State(gateway): State<Gateway>, request: Request<Body>) -> Response {
    match gateway.routes.find(request.uri().path()) {
        Some(route) => {
            let passed = Passed(route.prefix);
            let mut answer = match &gateway.guards {
                Some(guards) => gateway.proxy.pass_guarded(guards, route, request).await,
                None => gateway.proxy.pass(route.service, &route.upstreams, request).await,
            };
            answer.extensions_mut().insert(passed);
            answer
        }
        None => gateway.not_passed(&request),
    }
}
