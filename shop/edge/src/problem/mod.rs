//! Every error that a caller can see: problem details for HTTP APIs (RFC 9457).
//!
//! A problem says what kind it is (`type`, stable), what is wrong this time (`detail`), and by which request it can be found in the
//! traces (`instance`). It never shows what only we should see.

mod kinds;

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use switchboard_core::chain;
use switchboard_store::{CommitError, StoreError};
use tonic::Code;

pub use kinds::{KINDS, Kind, routes};

use crate::request;

/// What problems are sent as.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, for a caller: a stable type, a status, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind's, but for `about:blank`, whose title is the status's own.
    status: StatusCode,
    kind: &'static Kind,
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    parameter: Option<Box<ParameterError>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One mistake in a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ParameterError {
    /// Which parameter.
    parameter: &'static str,
    /// What kind of mistake, stable.
    code: &'static str,
    /// For people.
    detail: String,
}

/// One mistake in a body.
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
    r#type: Cow<'static, str>,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Mistakes::is_empty")]
    errors: Mistakes<'a>,
}

/// All mistakes in one list, wherever they are.
struct Mistakes<'a>(&'a [FieldError], Option<&'a ParameterError>);

// === impl Problem ===

impl Problem {
    fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self {
            status: kind.status,
            kind,
            code: kind.code,
            detail: detail.into(),
            errors: Vec::new(),
            parameter: None,
            headers: Vec::new(),
        }
    }

    /// The problem of a bare status, for errors that came from somewhere below.
    pub fn of_status(status: StatusCode) -> Self {
        match KINDS.iter().find(|kind| kind.status == status) {
            Some(kind) => Self::new(kind, kind.about),
            None => {
                let code = crate::rpc::status::code_of(status);
                let blank = Self { status, code, ..Self::new(&kinds::BLANK, "") };
                Self { detail: blank.title().to_owned(), ..blank }
            }
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.retain(|(present, _)| *present != name);
            self.headers.push((name, value));
        }
        self
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(&kinds::MALFORMED, detail)
    }

    /// 400: a parameter of the query is not what it must be.
    pub fn bad_parameter(
        parameter: &'static str,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let detail = detail.into();
        let parameter = ParameterError { parameter, code, detail: detail.clone() };
        Self { parameter: Some(Box::new(parameter)), ..Self::bad_request(detail) }
    }

    /// 401: who calls is unknown.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(&kinds::UNAUTHORIZED, detail)
            .with_header(WWW_AUTHENTICATE, "Bearer realm=\"switchboard\"")
    }

    /// 401: a token was shown, and is not good (RFC 6750).
    pub fn invalid_token(detail: impl Into<String>) -> Self {
        const CHALLENGE: &str = "Bearer realm=\"switchboard\", error=\"invalid_token\"";
        Self::unauthorized(detail).with_header(WWW_AUTHENTICATE, CHALLENGE)
    }

    /// 403: who calls is known and may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(&kinds::FORBIDDEN, detail)
    }

    /// 404: there is no such thing, or none that the caller may know of.
    pub fn not_found() -> Self {
        let detail = "There is nothing at this address, or nothing that you may see.";
        Self::new(&kinds::NOT_FOUND, detail)
    }

    /// 405: the thing is there and cannot be called like this.
    pub fn method_not_allowed(allow: &str) -> Self {
        let detail = format!("Allowed here: {allow}.");
        Self::new(&kinds::METHOD, detail).with_header(ALLOW, allow)
    }

    /// 406: nobody has it in a form that the caller accepts.
    pub fn not_acceptable(offered: &str) -> Self {
        Self::new(&kinds::NOT_ACCEPTABLE, format!("Offered here: {offered}."))
    }

    /// 408: the body did not arrive in time.
    pub fn request_timeout() -> Self {
        Self::new(&kinds::REQUEST_TIMEOUT, "The body did not arrive in time.")
            .with_header(http::header::CONNECTION, "close")
    }

    /// 409: the state of things does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(&kinds::CONFLICT, detail)
    }

    /// 409: it would be there twice.
    pub fn taken(detail: impl Into<String>) -> Self {
        Self::conflict(detail).with_code(Code::AlreadyExists)
    }

    /// 410: it was there once.
    pub fn gone(detail: impl Into<String>) -> Self {
        Self::new(&kinds::GONE, detail)
    }

    /// 412: it has changed since the caller looked.
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(&kinds::PRECONDITION_FAILED, detail)
    }

    /// 414: the address is longer than anybody reads.
    pub fn uri_too_long(limit: usize) -> Self {
        let detail = format!("Path and query may have at most {limit} bytes.");
        Self::new(&kinds::URI_TOO_LONG, detail)
    }

    /// 428: the caller must say which version is meant.
    pub fn precondition_required() -> Self {
        let detail = "Send `If-Match` with the `ETag` of the version that you have read.";
        Self::new(&kinds::PRECONDITION_REQUIRED, detail)
    }

    /// 431: more headers, or longer ones, than anybody reads.
    pub fn headers_too_large(limit: usize) -> Self {
        let detail = format!("The headers may have at most {limit} bytes together.");
        Self::new(&kinds::HEADERS_TOO_LARGE, detail)
    }

    /// 501: a method that nobody here understands.
    pub fn not_implemented() -> Self {
        Self::new(&kinds::NOT_IMPLEMENTED, "The method is not one of HTTP's.")
    }

    /// 413: the body is larger than anybody reads.
    pub fn too_large(limit: usize) -> Self {
        Self::new(&kinds::TOO_LARGE, format!("The body may hold at most {limit} bytes."))
    }

    /// 415: the body is of a type that nobody reads here.
    pub fn unsupported_media_type(accepted: &str) -> Self {
        Self::new(&kinds::MEDIA_TYPE, format!("Send the body as {accepted}."))
            .with_header(ACCEPT, accepted)
    }

    /// 415: the body is compressed in a way that nobody reads here.
    pub fn unsupported_encoding() -> Self {
        Self::new(&kinds::MEDIA_TYPE, "Send the body without Content-Encoding.")
            .with_header(ACCEPT_ENCODING, "identity")
    }

    /// 422: the request is understood and its content is wrong; with all mistakes.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} fields are wrong.", many.len()),
        };
        Self { errors, ..Self::new(&kinds::VALIDATION, detail) }
    }

    /// 422 for something else than fields.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(&kinds::UNPROCESSABLE, detail)
    }

    /// 429: too often.
    pub fn too_many_requests(detail: impl Into<String>, seconds: u64) -> Self {
        Self::new(&kinds::TOO_MANY_REQUESTS, detail).retry_after(seconds)
    }

    /// 500: our mistake. What exactly goes to the traces, never to the caller.
    pub fn internal() -> Self {
        let detail = "Something went wrong on our side. The request id helps to find it.";
        Self::new(&kinds::INTERNAL, detail)
    }

    /// 502: a service behind this one began and did not finish.
    pub fn bad_gateway(detail: impl Into<String>) -> Self {
        Self::new(&kinds::BAD_GATEWAY, detail)
    }

    /// 503: not now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(&kinds::UNAVAILABLE, detail).retry_after(1)
    }

    /// 504: a service behind this one did not answer in time.
    pub fn gateway_timeout(detail: impl Into<String>) -> Self {
        Self::new(&kinds::TIMEOUT, detail)
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with_header(RETRY_AFTER, &seconds.to_string())
    }

    /// The same, more exactly said over gRPC: a conflict can be that something exists already.
    #[must_use]
    pub fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// A problem that was told before: from its JSON form, as it was stored or came from a service.
    pub fn of_json(told: &serde_json::Value) -> Self {
        let kind = KINDS.iter().find(|kind| told["type"] == *kind.uri());
        let status = told["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let problem = match kind {
            Some(kind) => Self::new(kind, ""),
            None => Self::of_status(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),
        };
        let detail = told["detail"].as_str().map_or_else(|| problem.detail.clone(), str::to_owned);
        Self { detail, ..problem }
    }

    pub(crate) fn of_kind(kind: &'static Kind, detail: String, errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(kind, detail) }
    }

    /// Its status over gRPC.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Its kind as a stable word in capitals; empty for `about:blank`.
    pub fn reason(&self) -> &'static str {
        self.kind.reason
    }

    pub(crate) fn title(&self) -> &'static str {
        match self.kind.title {
            "" => self.status.canonical_reason().unwrap_or("Error"),
            title => title,
        }
    }

    pub(crate) fn uri(&self) -> Cow<'static, str> {
        kinds::uri(self.kind.slug)
    }

    /// After how many seconds it may be tried again, if it says so.
    pub fn seconds(&self) -> Option<u64> {
        let (_, value) = self.headers.iter().find(|(name, _)| *name == RETRY_AFTER)?;
        value.to_str().ok()?.parse().ok()
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

    /// A header that it is sent with.
    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.iter().find(|(present, _)| present == name).map(|(_, value)| value)
    }

    /// The same, about something that is not there: the detail says what is there instead.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Its JSON form.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self.shape()).unwrap_or_default()
    }

    fn shape(&self) -> Shape<'_> {
        Shape {
            r#type: self.uri(),
            title: self.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance: request::current().map(|id| format!("urn:uuid:{id}")),
            errors: Mistakes(&self.errors, self.parameter.as_deref()),
        }
    }
}

// === impl Mistakes ===

impl Mistakes<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty() && self.1.is_none()
    }
}

impl Serialize for Mistakes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list =
            serializer.serialize_seq(Some(self.0.len() + usize::from(self.1.is_some())))?;
        self.0.iter().try_for_each(|field| list.serialize_element(field))?;
        self.1.iter().try_for_each(|parameter| list.serialize_element(parameter))?;
        list.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.shape())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
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
            CommitError::Unknown(_) => {
                Self::unavailable("The store failed, and whether this has happened shows later.")
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_an_unknown_kind_is_about_blank_with_the_reason_as_title() {
        let teapot = Problem::of_status(StatusCode::IM_A_TEAPOT).to_json();
        assert_eq!(teapot["type"], "about:blank");
        assert_eq!((&teapot["title"], &teapot["status"]), (&"I'm a teapot".into(), &418.into()));
    }

    #[test]
    fn a_store_in_trouble_is_to_be_tried_again_and_a_programs_mistake_is_not() {
        let away = || "disk".into();
        let retry = Problem::from(CommitError::Unavailable(away())).into_response();
        assert_eq!(
            (retry.status().as_u16(), &retry.headers()[RETRY_AFTER]),
            (503, &"1".parse().unwrap())
        );
        assert_eq!(Problem::from(CommitError::Conflict("row".into())).status(), 503);
        assert_eq!(Problem::from(CommitError::Invalid("table".into())).status(), 500);
        assert_eq!(Problem::from(StoreError::Unavailable(away())).status(), 503);
        assert_eq!(Problem::from(StoreError::Invalid("table".into())).status(), 500);
    }
}
