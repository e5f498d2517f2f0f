//! What `/metrics` says, and what it asks for: nothing on this machine, the operator's token beyond it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shop_edge::{Auth, Problem};

use crate::platform;

/// `/metrics` of a process that has no gateway, guarded.
pub(crate) fn own_metrics(auth: Arc<Auth>, is_loopback: bool) -> Router {
    let Some(numbers) = platform::metrics() else { return Router::new() };
    let render = move || {
        let text = numbers.render();
        async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
    };
    metrics(Router::new().route("/metrics", get(render)), auth, is_loopback)
}

/// Guards `/metrics` unless only this machine can call.
pub(crate) fn metrics(router: Router, auth: Arc<Auth>, is_loopback: bool) -> Router {
    if is_loopback {
        return router;
    }
    router.layer(middleware::from_fn_with_state(auth, ask))
}

async fn ask(State(auth): State<Arc<Auth>>, request: Request, next: Next) -> Response {
    if request.uri().path() != "/metrics" || is_operator(&auth, &request) {
        return next.run(request).await;
    }
    Problem::unauthorized("Metrics ask for the operator's token.").into_response()
}

fn is_operator(auth: &Auth, request: &Request) -> bool {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|token| auth.is_operator(token.trim()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::StatusCode;
    use switchboard_core::SystemClock;
    use tower::ServiceExt;

    use super::*;

    async fn check(is_loopback: bool, token: Option<&str>, path: &str, expected: StatusCode) {
        let auth = Arc::new(Auth::ephemeral(Arc::new(SystemClock)).unwrap());
        let token = token.map(|token| token.replace("OPERATOR", auth.operator_token()));
        let ok = || async { "ok" };
        let router = Router::new().route("/metrics", get(ok)).route("/livez", get(ok));
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = metrics(router, auth, is_loopback).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), expected, "{is_loopback} {path}");
    }

    #[tokio::test]
    async fn metrics_are_open_on_this_machine_and_the_operators_beyond_it() {
        check(true, None, "/metrics", StatusCode::OK).await;
        check(false, None, "/metrics", StatusCode::UNAUTHORIZED).await;
        check(false, Some("Bearer nonsense"), "/metrics", StatusCode::UNAUTHORIZED).await;
        check(false, Some("Bearer OPERATOR"), "/metrics", StatusCode::OK).await;
        check(false, None, "/livez", StatusCode::OK).await;
    }
}
