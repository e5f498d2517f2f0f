//! What a service says about itself: alive, and ready or not.

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::Options;
use crate::Deps;
use crate::deps::Probe;

/// What has not answered by then does not hold. Whoever asks for `/readyz` waits a little longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What must hold before a service takes calls, asked at every `/readyz`; and the routes that its
/// process has beside its own.
#[derive(Clone, Default)]
pub struct Health {
    checks: Vec<(&'static str, Probe)>,
    beside: Router,
    options: Options,
    /// Whether everything has held once.
    started: Arc<AtomicBool>,
}

// === impl Health ===

impl Health {
    /// Ready at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ready when everything answers that the process stands on.
    pub fn of(deps: &Deps) -> Self {
        let mut options = deps.process.extra::<Options>().unwrap_or_default();
        options.access.name = deps.store.identity().source.as_str().into();
        let (checks, beside) = (deps.process.probes().collect(), deps.process.beside());
        Self { checks, beside, options, started: Arc::default() }
    }

    /// The same, served with these options. [`Health::of`] takes those that the process has as an
    /// extra.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// One more condition of being ready. It must be quick.
    #[must_use]
    pub fn check(
        mut self,
        name: &'static str,
        holds: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        self.checks.push((name, Arc::new(move || Box::pin(ready(holds())))));
        self
    }

    /// `/livez`, `/readyz`, `/startupz` and what the process has; nobody is ready once `shutdown`
    /// has begun.
    pub(super) fn routes(self, shutdown: CancellationToken) -> Router {
        let beside = self.beside.clone();
        let starting = self.clone();
        let started = move || {
            let health = starting.clone();
            async move { health.has_started().await }
        };
        let ready = move || {
            let (health, draining) = (self.clone(), shutdown.is_cancelled());
            async move { health.answer(draining).await }
        };
        Router::new()
            .route("/livez", get(|| async { Json(json!({ "status": "alive" })) }))
            .route("/readyz", get(ready))
            .route("/startupz", get(started))
            .merge(beside)
    }

    /// Started is for good: what goes away later makes nobody start the process anew.
    async fn has_started(&self) -> Response {
        if !self.started.load(Ordering::Relaxed) {
            let answer = self.answer(false).await;
            if !self.started.load(Ordering::Relaxed) {
                return answer;
            }
        }
        Json(json!({ "status": "started" })).into_response()
    }

    /// Whether everything holds now.
    pub(crate) async fn holds(&self) -> bool {
        self.asked().await.iter().all(|(_, holds)| *holds)
    }

    async fn asked(&self) -> Vec<(&'static str, bool)> {
        let asked = self.checks.iter().map(|(name, holds)| async {
            (*name, tokio::time::timeout(PATIENCE, holds()).await.unwrap_or(false))
        });
        join_all(asked).await
    }

    async fn answer(&self, draining: bool) -> Response {
        let asked = self.asked().await;
        let named = asked.into_iter().map(|(name, holds)| (name.to_owned(), Value::from(holds)));
        let checks: Map<_, _> = named.collect();
        let holds = checks.values().all(|holds| *holds == true);
        if holds {
            self.started.store(true, Ordering::Relaxed);
        }
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
        f.debug_list().entries(self.checks.iter().map(|(name, _)| name)).finish()
    }
}
