//! What is refused before any route is looked for: unknown methods, long addresses, many headers, large bodies.
//!
//! Whatever goes beyond what HTTP's own reader allows never comes here: it answers 431 or 414 by itself, without a body.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method};

use super::BODY_LIMIT;
use crate::{Problem, negotiate};

/// Bytes of path and query, at most.
const URI_MAX: usize = 8 << 10;
/// Bytes of all headers together, names included, at most.
const HEADERS_MAX: usize = 32 << 10;
/// What every route of a service answers to a call that changes something.
const JSON: &str = "application/json";

/// The methods that there are. Whatever else is asked is not understood by anybody here.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// One that is registered and not served anywhere here: it is known, and so not allowed.
const QUERY: &str = "QUERY";

/// The refusal of a request that no route should see.
pub(super) fn refused(request: &Request) -> Option<Problem> {
    if !METHODS.contains(request.method()) && request.method().as_str() != QUERY {
        return Some(Problem::not_implemented());
    }
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > URI_MAX) {
        return Some(Problem::uri_too_long(URI_MAX));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADERS_MAX {
        return Some(Problem::headers_too_large(HEADERS_MAX));
    }
    announced(headers).filter(|length| *length > BODY_LIMIT as u64)?;
    Some(Problem::too_large(BODY_LIMIT))
}

/// Refuses a change whose answer its caller does not want, before it happens. A read is judged by
/// what it would answer; calls of another protocol have their own rules.
pub(super) fn unacceptable(request: &Request) -> Option<Response> {
    if request.method().is_safe() || negotiate::accepts(request.headers(), JSON) {
        return None;
    }
    let kind = request.headers().get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if kind.starts_with(b"application/grpc") {
        return None;
    }
    Some(Problem::not_acceptable(JSON).into_response())
}

/// The length that a request announces. Without one the reader counts.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
