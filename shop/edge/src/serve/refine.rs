//! What routes answer becomes what callers see: bare errors become problems, OPTIONS answers what is allowed, headers are made safe.

use axum::response::{IntoResponse, Response};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Method, StatusCode};

use crate::Problem;

/// Headers that every answer has, unless its route has set another value.
const SAFE: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// Makes a problem of an error that is not one yet: from an extractor, a layer, or nobody.
pub(super) fn errors(method: &Method, response: Response) -> Response {
    let status = response.status();
    if status == StatusCode::METHOD_NOT_ALLOWED && is_bare(&response) {
        let mut answer = methods(method, &response);
        *answer.extensions_mut() = response.into_parts().0.extensions;
        return answer;
    }
    if !(status.is_client_error() || status.is_server_error()) || !is_bare(&response) {
        return response;
    }
    let (bare, _body) = response.into_parts();
    let mut problem = Problem::of_status(status).into_response();
    *problem.extensions_mut() = bare.extensions;
    for (name, value) in &bare.headers {
        if *name != CONTENT_TYPE && *name != CONTENT_LENGTH {
            problem.headers_mut().append(name, value.clone());
        }
    }
    problem
}

/// A wrong method is a problem that names the right ones; OPTIONS answers just those.
fn methods(method: &Method, response: &Response) -> Response {
    let allowed = response.headers().get(ALLOW).and_then(|allow| allow.to_str().ok());
    let mut allow: Vec<_> =
        allowed.unwrap_or_default().split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    allow.push("OPTIONS");
    let accept_patch = allow.contains(&"PATCH");
    let allow = allow.join(", ");
    if method != Method::OPTIONS {
        return Problem::method_not_allowed(&allow).into_response();
    }
    let mut response = (StatusCode::NO_CONTENT, [(ALLOW, allow)]).into_response();
    if accept_patch {
        let kinds = HeaderValue::from_static("application/merge-patch+json, application/json");
        response.headers_mut().insert(HeaderName::from_static("accept-patch"), kinds);
    }
    response
}

/// Whether nobody has given the error a form: it has no body, or a line of plain text.
fn is_bare(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

/// Adds what browsers and caches must know. `private` answers are stored by nobody.
pub(super) fn headers(response: &mut Response, private: bool) {
    let headers = response.headers_mut();
    for (name, value) in SAFE {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if private {
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}
