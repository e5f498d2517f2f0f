//! What a service says about itself: alive, and ready or not.

use std::fmt;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Map, json};
use tokio_util::sync::CancellationToken;

/// Tells whether something holds now; asked at every `/readyz`, so it must be quick.
type Check = Arc<dyn Fn() -> bool + Send + Sync>;

/// What must hold before a service takes calls.
#[derive(Clone, Default)]
pub struct Health(Vec<(&'static str, Check)>);

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

    /// `/livez` and `/readyz`; nobody is ready once `shutdown` has begun.
    pub(super) fn routes(self, shutdown: CancellationToken) -> Router {
        Router::new()
            .route("/livez", get(|| async { Json(json!({ "status": "alive" })) }))
            .route("/readyz", get(move || async move { self.answer(shutdown.is_cancelled()) }))
    }

    fn answer(&self, draining: bool) -> Response {
        let checks: Map<_, _> =
            self.0.iter().map(|(name, holds)| ((*name).to_owned(), holds().into())).collect();
        let holds = checks.values().all(|holds| *holds == true);
        let (status, word) = match (draining, holds) {
            (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            (false, true) => (StatusCode::OK, "ready"),
            (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        };
        (status, Json(json!({ "status": word, "checks": checks }))).into_response()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
