//! What a request brings along for everything that follows from it: its id and its context.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use switchboard_core::{Context, Id};

/// The header of the request's id, in requests and responses.
pub const REQUEST_ID: &str = "x-request-id";

/// The context of the action that a request begins: give it to the unit.
#[derive(Clone, Debug)]
pub struct RequestContext(pub Context);

// === impl RequestContext ===

impl RequestContext {
    /// From the headers that the serving layers have completed.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let id = text(REQUEST_ID).and_then(|id| id.parse().ok());
        let mut context = Context::of(id.unwrap_or(Id::from_bytes([0; 16])));
        context.traceparent = text("traceparent").filter(|it| it.len() == 55).map(Arc::from);
        Self(context)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}
