//! What is open on this machine and guarded beyond it: `/metrics`, and how much GraphQL tells of its schema.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shop_edge::{Auth, Problem};
use switchboard_resilience::Registry;

use crate::platform;

/// `/metrics` of this process, guarded unless only this machine can call.
///
/// Policies count for themselves, and are read when somebody looks.
pub(crate) fn metrics(auth: Arc<Auth>, policies: Registry, is_loopback: bool) -> Router {
    match platform::metrics() {
        Some(numbers) => {
            let render = move || {
                policies.publish();
                numbers.render()
            };
            rendered(render, auth, is_loopback)
        }
        None => Router::new(),
    }
}

/// How GraphQL is answered: for people who explore it on their own machine, more narrowly where
/// strangers reach it.
pub(crate) fn graphql(is_loopback: bool) -> shop_gateway::graphql::Options {
    use shop_gateway::graphql::Options;
    if is_loopback { Options::development() } else { Options::default() }
}

fn rendered(
    render: impl Fn() -> String + Clone + Send + Sync + 'static,
    auth: Arc<Auth>,
    is_loopback: bool,
) -> Router {
    let answer = move || {
        let text = render();
        async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
    };
    let router = Router::new().route("/metrics", get(answer));
    if is_loopback {
        return router;
    }
    router.route_layer(middleware::from_fn_with_state(auth, ask))
}

async fn ask(State(auth): State<Arc<Auth>>, request: Request, next: Next) -> Response {
    if is_operator(&auth, &request) {
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

    async fn check(is_loopback: bool, token: Option<&str>, expected: StatusCode) {
        let auth = Arc::new(Auth::ephemeral(Arc::new(SystemClock)).unwrap());
        let token = token.map(|token| token.replace("OPERATOR", auth.operator_token()));
        let router = rendered(|| "calls 1\n".to_owned(), auth, is_loopback);
        let mut request = Request::get("/metrics");
        if let Some(token) = &token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), expected, "{is_loopback} {token:?}");
        if expected == StatusCode::OK {
            let bytes = axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
            assert_eq!(bytes, "calls 1\n");
        }
    }

    #[tokio::test]
    async fn metrics_are_open_on_this_machine_and_the_operators_beyond_it() {
        check(true, None, StatusCode::OK).await;
        check(false, None, StatusCode::UNAUTHORIZED).await;
        check(false, Some("Bearer nonsense"), StatusCode::UNAUTHORIZED).await;
        check(false, Some("Bearer OPERATOR"), StatusCode::OK).await;
    }
}
