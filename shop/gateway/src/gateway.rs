//! The public port: health, whatever the platform mounts, and everything else by its path.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::Method;
use serde_json::json;
use shop_edge::rpc::CONTENT_TYPE as GRPC;
use shop_edge::serve::{serve_bare, serve_bare_with_rpc};
use shop_edge::{Auth, Problem};
use switchboard_core::BoxError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::proxy::Proxy;
use crate::routes::{Route, Routes};
use crate::rpc::{self, Lines, Web};
use crate::{graphql, ready};

/// The door. Clones share its connections.
#[derive(Clone)]
pub struct Gateway {
    routes: Arc<Routes>,
    proxy: Proxy,
    extra: Router,
    rpc: Option<(Lines, Web)>,
}

// === impl Gateway ===

impl Gateway {
    /// A door to these services.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        Self {
            routes: Arc::new(Routes::new(routes)),
            proxy: Proxy::new(),
            extra: Router::new(),
            rpc: None,
        }
    }

    /// Serves these routes itself, before any service is looked for.
    #[must_use]
    pub fn with_routes(mut self, extra: Router) -> Self {
        self.extra = self.extra.merge(extra);
        self
    }

    /// Speaks gRPC too, until `end`; serve it with [`Gateway::serve`].
    ///
    /// # Errors
    /// When the services cannot be described, which is a mistake of ours.
    pub fn with_rpc(
        mut self,
        auth: &Arc<Auth>,
        options: rpc::Options,
        end: CancellationToken,
    ) -> Result<Self, BoxError> {
        let lines = Lines::new(&self.routes.services(), auth);
        let web = lines.open(auth.clone(), options, end)?;
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
        shutdown: CancellationToken,
    ) -> Result<(), BoxError> {
        let router = self.router();
        match self.rpc {
            Some((_, web)) => serve_bare_with_rpc(listener, router, web, shutdown).await,
            None => serve_bare(listener, router, shutdown).await,
        }
    }

    /// What has no route may be meant for gRPC without saying so.
    fn not_passed(&self, request: &Request<Body>) -> Response {
        let Some((_, web)) =
            self.rpc.as_ref().filter(|(lines, _)| lines.cover(request.uri().path()))
        else {
            return Problem::not_found().into_response();
        };
        let preflight = (request.method() == Method::OPTIONS)
            .then(|| web.preflight(request.headers()))
            .flatten();
        preflight.unwrap_or_else(|| Problem::unsupported_media_type(GRPC).into_response())
    }

    /// Everything behind the public port but gRPC, to be served with
    /// [`serve_bare`](shop_edge::serve::serve_bare).
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(index))
            .route("/livez", get(|| async { Json(json!({ "status": "alive" })) }))
            .route("/readyz", get(readyz))
            .fallback(pass)
            .with_state(self.clone())
            .merge(shop_edge::problem::routes())
            .merge(self.extra.clone())
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
            ["console", "graphql", "problems", "readyz", "metrics"]
                .map(|name| (name.to_owned(), json!({ "href": format!("/{name}") }))),
        )
        .collect();
    Json(json!({ "name": "Switchboard shop", "_links": links })).into_response()
}

async fn readyz(State(gateway): State<Gateway>) -> Response {
    ready::ready(&gateway.proxy, &gateway.routes.services()).await
}

async fn pass(State(gateway): State<Gateway>, request: Request<Body>) -> Response {
    match gateway.routes.find(request.uri().path()) {
        Some(route) => gateway.proxy.pass(route.service, &route.upstreams, request).await,
        None => gateway.not_passed(&request),
    }
}
