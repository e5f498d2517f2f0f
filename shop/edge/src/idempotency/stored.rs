//! Answers that outlive their call.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION};
use serde_json::Value as Body;
use switchboard_core::Timestamp;
use switchboard_store::{Row, Value};

use crate::problem::PROBLEM_JSON;
use crate::{ETag, Problem};

/// An answer that is stored with its effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The HTTP status.
    pub status: StatusCode,
    /// Where the resource is.
    pub location: Option<String>,
    /// The body.
    pub body: Body,
    /// Whether it was stored by an earlier call.
    pub replayed: bool,
}

// === impl Stored ===

impl Stored {
    /// 201 with the whole resource and where it is; its tag goes with it.
    pub fn created(location: impl Into<String>, body: Body) -> Self {
        let (status, location) = (StatusCode::CREATED, Some(location.into()));
        Self { status, location, body, replayed: false }
    }

    /// A refusal: an answer like any other, stored with its key.
    pub fn refused(problem: &Problem) -> Self {
        let (status, body) = (problem.status(), problem.to_json());
        Self { status, location: None, body, replayed: false }
    }

    pub(super) fn of(row: &Row) -> Self {
        let status = u16::try_from(row.integer("status")).ok();
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let location = row.text("location");
        Self {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            location: (!location.is_empty()).then(|| location.to_owned()),
            body: serde_json::from_str(row.text("body")).unwrap_or_default(),
            replayed: true,
        }
    }

    pub(super) fn cells(&self, fingerprint: &str, at: Timestamp) -> [(&'static str, Value); 5] {
        [
            ("fingerprint", Value::from(fingerprint)),
            ("status", Value::from(i64::from(self.status.as_u16()))),
            ("location", Value::from(self.location.clone())),
            ("body", Value::from(self.body.to_string())),
            ("at", Value::from(at)),
        ]
    }
}

impl IntoResponse for Stored {
    fn into_response(self) -> Response {
        let is_problem = self.status.is_client_error() || self.status.is_server_error();
        let tag = (self.status == StatusCode::CREATED).then(|| ETag::of(&self.body).value());
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        if is_problem {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        }
        if let Some(location) = self.location.and_then(|at| HeaderValue::from_str(&at).ok()) {
            headers.insert(LOCATION, location);
        }
        if let Some(tag) = tag {
            headers.insert(ETAG, tag);
        }
        if self.replayed {
            let name = HeaderName::from_static("idempotency-replayed");
            headers.insert(name, HeaderValue::from_static("true"));
        }
        response
    }
}
