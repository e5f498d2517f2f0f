//! Whether the whole shop can take orders: every service says so.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::{Request, StatusCode};
use serde_json::{Map, Value, json};

use crate::proxy::Proxy;

/// A service that has not answered by then is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks every service and answers 200 if all are ready, 503 otherwise, with each one's own word.
pub async fn ready(proxy: &Proxy, services: &[(&'static str, SocketAddr)]) -> Response {
    let answers = join_all(services.iter().map(|&(service, at)| async move {
        (service, is_ready(proxy, service, at).await)
    }))
    .await;
    let all = answers.iter().all(|(_, ready)| *ready);
    let word = |ready: bool| Value::from(if ready { "ready" } else { "not ready" });
    let services: Map<_, _> =
        answers.iter().map(|(name, ready)| ((*name).to_owned(), word(*ready))).collect();
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "status": word(all), "services": services }))).into_response()
}

async fn is_ready(proxy: &Proxy, service: &str, at: SocketAddr) -> bool {
    let Ok(request) = Request::get("/readyz").body(Body::empty()) else { return false };
    let answer = tokio::time::timeout(PATIENCE, proxy.pass(service, at, request)).await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
