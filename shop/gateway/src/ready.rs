//! Whether the whole shop can take orders: of every service, one copy says so.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::uri::Authority;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value, json};

use switchboard_resilience::control::Health;

use crate::Upstreams;
use crate::proxy::Proxy;

/// A service that has not answered by then is not ready.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a service's own word that are read.
const WORD_MAX: usize = 16 << 10;

/// Asks every copy of every service and answers 200 if each service has one that is ready, 503
/// otherwise, with each one's own word: `ready`, `not ready` with the names of what does not hold,
/// or `unreachable`. A service of which only some copies are ready says how many.
///
/// Whoever is answered by something else than its dependency is degraded, not dead: it is named and
/// changes nothing.
pub async fn ready(
    proxy: &Proxy,
    services: &BTreeMap<&'static str, Upstreams>,
    degraded: &[Health],
) -> Response {
    let answers = join_all(services.iter().map(|(service, upstreams)| async move {
        let copies = upstreams.all().map(|at| async {
            let answer = tokio::time::timeout(PATIENCE, ask(proxy, service, at)).await;
            answer.unwrap_or((false, Value::from("no answer")))
        });
        (*service, summed(join_all(copies).await))
    }))
    .await;
    let all = answers.iter().all(|(_, (ready, _))| *ready);
    let services: Map<_, _> =
        answers.into_iter().map(|(name, (_, word))| (name.to_owned(), word)).collect();
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if all { "ready" } else { "not ready" };
    let mut body = json!({ "status": word, "services": services });
    if !degraded.is_empty() {
        let told =
            |it: &Health| json!({ "policy": it.policy, "state": it.state, "detail": it.detail });
        body["degraded"] = degraded.iter().map(told).collect();
    }
    (status, Json(body)).into_response()
}

/// What the copies of a service come to.
fn summed(mut copies: Vec<(bool, Value)>) -> (bool, Value) {
    let (all, ready) = (copies.len(), copies.iter().filter(|(ready, _)| *ready).count());
    match ready {
        0 => copies.pop().unwrap_or((false, Value::from("no address"))),
        some if some < all => (true, format!("ready: {some} of {all} copies").into()),
        _ => (true, Value::from("ready")),
    }
}

async fn ask(proxy: &Proxy, service: &str, at: &Authority) -> (bool, Value) {
    let Ok(request) = Request::get("/readyz").body(Body::empty()) else {
        return (false, Value::from("unreachable"));
    };
    let only = Upstreams::new([at.clone()]);
    let (head, body) = proxy.pass(service, &only, request).await.into_parts();
    if head.status.is_success() {
        return (true, Value::from("ready"));
    }
    let bytes = Limited::new(body, WORD_MAX).collect().await.map(|body| body.to_bytes());
    let word: Value =
        bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    // A service's own word has checks; a problem about it has not.
    let Some(checks) = word["checks"].as_object() else {
        return (false, Value::from("unreachable"));
    };
    let missing: Vec<_> =
        checks.iter().filter(|(_, holds)| **holds != true).map(|(name, _)| name.as_str()).collect();
    if missing.is_empty() {
        return (false, word["status"].clone());
    }
    (false, Value::from(format!("not ready: {}", missing.join(", "))))
}
