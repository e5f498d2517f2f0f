//! Around each call: its id, its line in the traces, its place in the numbers.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderName, HeaderValue};
use parking_lot::Mutex;
use switchboard_core::{Id, Rng, SystemClock};

use super::{BODY_LIMIT, refine};
use crate::Problem;
use crate::metrics::Calls;
use crate::request::{CURRENT, REQUEST_ID};

/// What the calls of one listener share.
pub(super) struct Around {
    ids: Mutex<Rng>,
    calls: Calls,
}

// === impl Around ===

impl Around {
    pub(super) fn new() -> Self {
        Self { ids: Mutex::new(Rng::from_entropy()), calls: Calls::default() }
    }

    pub(super) async fn call(&self, mut request: Request, next: Next) -> Response {
        let begun = Instant::now();
        let id = self.id_of(&request);
        // The text of an id is visible ASCII, always.
        let id_value = HeaderValue::from_str(&id.to_string()).ok();
        let id_name = HeaderName::from_static(REQUEST_ID);
        if let Some(value) = id_value.clone() {
            request.headers_mut().insert(id_name.clone(), value);
        }
        let method = request.method().clone();
        // What a caller sent a secret for, or what changes something, is for that caller only.
        let private = request.headers().contains_key(AUTHORIZATION) || !method.is_safe();
        let answering = async {
            let response = if is_too_large(&request) {
                Problem::too_large(BODY_LIMIT).into_response()
            } else {
                next.run(request).await
            };
            refine::errors(&method, response)
        };
        let mut response = CURRENT.scope(id, answering).await;
        refine::headers(&mut response, private);
        if let Some(value) = id_value {
            response.headers_mut().insert(id_name, value);
        }
        let route = response.extensions_mut().remove::<MatchedPath>();
        let route = route.as_ref().map_or("-", MatchedPath::as_str);
        let (status, took) = (response.status(), begun.elapsed());
        self.calls.count(&method, route, status, took);
        let (code, micros) = (status.as_u16(), took.as_micros());
        // "Not ready yet" is an answer of a start, not a failure.
        if status.is_server_error() && route != "/readyz" {
            tracing::warn!(request_id = %id, %method, route, status = code, micros, "answered");
        } else {
            tracing::debug!(request_id = %id, %method, route, status = code, micros, "answered");
        }
        response
    }

    /// Takes the caller's id when it is a UUID, and makes one otherwise: nothing else is echoed.
    fn id_of(&self, request: &Request) -> Id {
        let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        given
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| Id::new(&SystemClock, &mut self.ids.lock()))
    }
}

/// Hands the route's template out to [`Around`], which stands where no route is known yet.
pub(super) async fn name_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// Whether the request announces more than is read. Without an announcement the reader counts.
fn is_too_large(request: &Request) -> bool {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    announced
        .and_then(|text| text.parse().ok())
        .is_some_and(|length: u64| length > BODY_LIMIT as u64)
}
