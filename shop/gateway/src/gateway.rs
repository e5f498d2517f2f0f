//! The public port: health, whatever the platform mounts, and everything else by its prefix.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use shop_edge::{Auth, Problem};
use tokio_util::sync::CancellationToken;

use crate::proxy::Proxy;
use crate::routes::{Route, Routes};
use crate::{Upstreams, graphql, ready};

/// The door. Clones share its connections.
#[derive(Clone)]
pub struct Gateway {
    routes: Arc<Routes>,
    proxy: Proxy,
    extra: Router,
}

// === impl Gateway ===

impl Gateway {
    /// A door to these services.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        Self { routes: Arc::new(Routes::new(routes)), proxy: Proxy::new(), extra: Router::new() }
    }

    /// Serves these routes itself, before any service is looked for.
    #[must_use]
    pub fn with_routes(mut self, extra: Router) -> Self {
        self.extra = self.extra.merge(extra);
        self
    }

    /// Answers GraphQL at `/graphql`, over the gRPC of the services that the routes lead to. One that
    /// no route leads to counts as away. Streams end with `end`.
    #[must_use]
    pub fn with_graphql(
        self,
        auth: &Arc<Auth>,
        options: graphql::Options,
        end: CancellationToken,
    ) -> Self {
        let known = self.routes.services();
        let to = |name| {
            let upstreams = known.get(name).cloned().unwrap_or_else(|| Upstreams::new([]));
            graphql::carrier::to(name, upstreams, auth)
        };
        let services = graphql::Services {
            users: to("users"),
            content: to("content"),
            orders: to("orders"),
            payments: to("payments"),
            inventory: to("inventory"),
            shipping: to("shipping"),
        };
        let routes = graphql::shop(services, auth.clone(), options, end).routes();
        self.with_routes(routes)
    }

    /// Everything behind the public port, to be served with
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
    let links = ["users", "sessions", "products", "accounts", "orders", "notifications"];
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
        None => Problem::not_found().into_response(),
    }
}
