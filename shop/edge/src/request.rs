//! What a request brings along for everything that follows from it: its id and its context.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath};
use http::request::Parts;
use http::{HeaderMap, Request};
use switchboard_core::{Context, Id};

/// The header of the request's id, in requests and responses.
pub const REQUEST_ID: &str = "x-request-id";
/// The header of W3C Trace Context.
pub(crate) const TRACEPARENT: &str = "traceparent";

tokio::task_local! {
    /// The request that the present task answers, so that problems can name it.
    pub(crate) static CURRENT: Current;
}

/// What is known of a request while it is answered.
#[derive(Debug)]
pub(crate) struct Current {
    id: Id,
    /// Who calls, once a handler has asked.
    principal: RefCell<Option<String>>,
    /// The template of the route, once it is found.
    route: RefCell<Option<MatchedPath>>,
}

/// The context of the action that a request begins: give it to the unit.
///
/// The request's id becomes the correlation, so that everything that follows can be found by it.
/// A deadline is not taken over: what has been accepted is done, however long the caller waits.
#[derive(Clone, Debug)]
pub struct RequestContext(pub Context);

/// The request that the present task answers; `None` outside of the serving layers.
pub(crate) fn current() -> Option<Id> {
    CURRENT.try_with(|current| current.id).ok()
}

/// Notes who makes the request that the present task answers, for its line in the access log.
pub fn made_by(user_id: &str) {
    // Outside of the serving layers there is no line to write.
    let _noted = CURRENT.try_with(|current| {
        *current.principal.borrow_mut() = Some(user_id.to_owned());
    });
}

/// Who makes the request, as far as anybody has asked; forgotten with the question.
pub(crate) fn maker() -> Option<String> {
    CURRENT.try_with(|current| current.principal.take()).ok().flatten()
}

/// Notes which route answers the request. The layers around all routes stand where none is known.
pub(crate) fn routed<B>(request: Request<B>) -> Request<B> {
    let found = request.extensions().get::<MatchedPath>().cloned();
    let _noted = CURRENT.try_with(|current| *current.route.borrow_mut() = found);
    request
}

/// The route that answers the request, if there is one.
pub(crate) fn route() -> Option<MatchedPath> {
    CURRENT.try_with(|current| current.route.take()).ok().flatten()
}

/// Removes what claims to be a trace context and is not, so that nobody behind takes it over.
pub(crate) fn keep_sound_trace(headers: &mut HeaderMap) {
    let Some(value) = headers.get(TRACEPARENT) else { return };
    if !value.to_str().is_ok_and(is_traceparent) {
        headers.remove(TRACEPARENT);
        headers.remove("tracestate");
    }
}

// === impl Current ===

impl Current {
    /// A request of this id, by nobody yet.
    pub(crate) fn of(id: Id) -> Self {
        Self { id, principal: RefCell::default(), route: RefCell::default() }
    }
}

// === impl RequestContext ===

impl RequestContext {
    /// From the headers that the serving layers have completed.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let id = text(REQUEST_ID).and_then(|id| id.parse().ok()).or_else(current);
        let mut context = Context::of(id.unwrap_or(Id::from_bytes([0; 16])));
        context.traceparent = text(TRACEPARENT).filter(|it| is_traceparent(it)).map(Arc::from);
        Self(context)
    }
}

/// W3C Trace Context, version 00: `00-<trace>-<span>-<flags>`, lower-case hexadecimal, not zero.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id =
        |part: &str, length: usize| is_hex(part, length) && part.bytes().any(|byte| byte != b'0');
    matches!(parts.as_slice(), ["00", trace, span, flags]
        if is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2))
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(traceparent: &str, expected: bool) {
        assert_eq!(is_traceparent(traceparent), expected, "{traceparent}");
    }

    #[test]
    fn e11_only_a_sound_traceparent_is_passed_on() {
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false);
        check("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", false);
        check(&"0".repeat(55), false);
    }
}
