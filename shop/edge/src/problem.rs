//! Every error that a caller can see: problem details for HTTP APIs (RFC 9457).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::StatusCode;
use serde::Serialize;
use switchboard_core::chain;
use switchboard_store::{CommitError, StoreError};

/// What went wrong, for a caller: a stable type, a status, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    /// The last segment of the type's URI, stable: `validation`.
    slug: &'static str,
    title: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One mistake in a body or a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where: a JSON Pointer into the body, `#/items/0/quantity`.
    pub pointer: String,
    /// What kind of mistake, stable: `out_of_range`.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

#[derive(Serialize)]
struct Shape<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

// === impl Problem ===

impl Problem {
    fn new(
        status: StatusCode,
        slug: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let detail = detail.into();
        Self { status, slug, title, detail, errors: Vec::new(), headers: Vec::new() }
    }

    fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "Malformed request", detail)
    }

    /// 401: who calls is unknown.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Sign in first", detail)
            .with_header(WWW_AUTHENTICATE, "Bearer realm=\"switchboard\"")
    }

    /// 403: who calls is known and may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    /// 404: there is no such thing, or none that the caller may know of.
    pub fn not_found() -> Self {
        let detail = "There is nothing at this address, or nothing that you may see.";
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 405: the thing is there and cannot be called like this.
    pub fn method_not_allowed(allow: &str) -> Self {
        let detail = format!("Allowed here: {allow}.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed", detail)
            .with_header(ALLOW, allow)
    }

    /// 409: the state of things does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Conflict with the present state", detail)
    }

    /// 413: the body is larger than anybody reads.
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("The body may hold at most {limit} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large", detail)
    }

    /// 415: the body is of a type that nobody reads here.
    pub fn unsupported_media_type(accepted: &str) -> Self {
        let detail = format!("Send the body as {accepted}.");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "media-type", "Unsupported media type", detail)
            .with_header(http::header::ACCEPT, accepted)
    }

    /// 422: the request is understood and its content is wrong; with all mistakes.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} fields are wrong.", many.len()),
        };
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let mut problem = Self::new(status, "validation", "Invalid content", detail);
        problem.errors = errors;
        problem
    }

    /// 422 for something else than fields.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "unprocessable", "Cannot be processed", detail)
    }

    /// 429: too often.
    pub fn too_many_requests(detail: impl Into<String>, seconds: u64) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "too-many-requests", "Too many requests", detail)
            .with_header(RETRY_AFTER, &seconds.to_string())
    }

    /// 500: our mistake. What exactly goes to the traces, never to the caller.
    pub fn internal() -> Self {
        let detail = "Something went wrong on our side. The request id helps to find it.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    /// 503: not now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "unavailable", "Temporarily unavailable", detail)
            .with_header(RETRY_AFTER, "1")
    }

    /// 504: a service behind this one did not answer in time.
    pub fn gateway_timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "No answer in time", detail)
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.retain(|(name, _)| name != RETRY_AFTER);
        self.with_header(RETRY_AFTER, &seconds.to_string())
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says to people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The mistakes that it lists.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Its JSON form.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self.shape()).unwrap_or_default()
    }

    fn shape(&self) -> Shape<'_> {
        Shape {
            r#type: format!("/problems/{}", self.slug),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.shape())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}

/// A unit that was not committed: a conflict that outlived its retries, or a store in trouble.
impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        tracing::warn!(error = chain(&error), "not committed");
        match error {
            CommitError::Conflict(_) => Self::unavailable("Too many changes at once; try again."),
            CommitError::Invalid(_) => Self::internal(),
            _ => Self::unavailable("The store cannot write now; nothing has happened. Try again."),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = chain(&error), "not read");
        match error {
            StoreError::Unavailable(_) => Self::unavailable("The store cannot be read now."),
            _ => Self::internal(),
        }
    }
}
