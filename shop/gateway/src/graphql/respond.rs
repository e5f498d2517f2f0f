//! From a result to an HTTP answer: its form, its status, and no `data` where nothing was run.

use async_graphql::{Response as GraphQlResponse, ServerError};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use shop_edge::Problem;

use super::errors;
use super::negotiate::Media;
use super::options::HttpProfile;

/// Data with errors beside it, in the draft of 2026.
const PARTIAL: u16 = 294;

/// How an operation went.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) response: GraphQlResponse,
    /// Whether it was run. If not, there is no data, not even `null`.
    pub(super) has_run: bool,
}

/// A response without `data`.
#[derive(Serialize)]
struct Refused<'a> {
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    extensions: &'a std::collections::BTreeMap<String, async_graphql::Value>,
}

// === impl Outcome ===

impl Outcome {
    /// An operation that was not run.
    pub(super) fn refused(error: ServerError) -> Self {
        let response = GraphQlResponse::from_errors(vec![error]);
        Self { response, has_run: false }
    }

    /// The body.
    pub(super) fn to_json(&self) -> String {
        let GraphQlResponse { errors, extensions, .. } = &self.response;
        let text = if self.has_run {
            serde_json::to_string(&self.response)
        } else {
            serde_json::to_string(&Refused { errors, extensions })
        };
        // All of it is values that were made here; that is always JSON.
        text.unwrap_or_else(|_| r#"{"errors":[{"message":"no JSON"}]}"#.to_owned())
    }

    /// The answer in one of the two forms of JSON.
    pub(super) fn into_answer(self, media: Media, profile: HttpProfile) -> Response {
        let status = self.status(media, profile);
        // What is not a success must not look like any other JSON that a proxy may have made.
        let media = if status.is_success() { media } else { Media::Response };
        let mut headers = headers(media);
        for error in &self.response.errors {
            if let Some(problem) = errors::problem_of(error) {
                carry(&problem, &mut headers);
            }
        }
        (status, headers, Body::from(self.to_json())).into_response()
    }

    fn status(&self, media: Media, profile: HttpProfile) -> StatusCode {
        let Some(error) = self.response.errors.first() else { return StatusCode::OK };
        if self.has_run && self.response.data != async_graphql::Value::Null {
            let partial = StatusCode::from_u16(PARTIAL).unwrap_or(StatusCode::OK);
            return match profile {
                HttpProfile::Audit2025 => StatusCode::OK,
                HttpProfile::Draft2026 => partial,
            };
        }
        // A kind of problem knows its status, in every form: proxies and clients act on it.
        if let Some(status) = errors::status_of(error) {
            return match (media, self.has_run) {
                (Media::Json, true) => StatusCode::OK,
                _ => status,
            };
        }
        match (profile, media, errors::carried(error)) {
            (HttpProfile::Audit2025, Media::Json, _) => StatusCode::OK,
            (HttpProfile::Audit2025, _, _) => StatusCode::BAD_REQUEST,
            (HttpProfile::Draft2026, _, Some("GRAPHQL_PARSE_FAILED")) => StatusCode::BAD_REQUEST,
            (HttpProfile::Draft2026, _, _) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// The answer to a request that could not be read.
pub(super) fn unread(problem: &Problem, profile: HttpProfile) -> Response {
    let error = errors::error_of(problem);
    let status = match (profile, problem.status()) {
        (HttpProfile::Audit2025, StatusCode::UNPROCESSABLE_ENTITY) => StatusCode::BAD_REQUEST,
        (_, status) => status,
    };
    let mut headers = headers(Media::Response);
    carry(problem, &mut headers);
    (status, headers, Body::from(Outcome::refused(error).to_json())).into_response()
}

/// The headers of every answer of this form.
fn headers(media: Media) -> HeaderMap {
    let kind = match media {
        Media::Json => "application/json; charset=utf-8",
        _ => "application/graphql-response+json; charset=utf-8",
    };
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (VARY, HeaderValue::from_static("Accept")),
    ])
}

/// Headers of a problem that clients act on.
fn carry(problem: &Problem, headers: &mut HeaderMap) {
    let own = problem.clone().into_response().into_parts().0.headers;
    for name in [RETRY_AFTER, WWW_AUTHENTICATE] {
        if let Some(value) = own.get(&name) {
            headers.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Value;

    use super::super::errors::{Code, error_of, with_code};
    use super::*;

    fn answer(response: GraphQlResponse, has_run: bool) -> [u16; 4] {
        let profiles = [HttpProfile::Audit2025, HttpProfile::Draft2026];
        let cases = profiles.map(|it| [(Media::Response, it), (Media::Json, it)]).concat();
        let mut statuses = [0; 4];
        for (slot, (media, profile)) in statuses.iter_mut().zip(cases) {
            let mut copy = GraphQlResponse::new(response.data.clone());
            copy.errors.clone_from(&response.errors);
            let answer = Outcome { response: copy, has_run }.into_answer(media, profile);
            *slot = answer.status().as_u16();
            let kind = answer.headers()[CONTENT_TYPE].to_str().unwrap();
            let is_json = kind.starts_with("application/json");
            assert_eq!(is_json, media == Media::Json && *slot / 100 == 2, "{profile:?} {kind}");
        }
        statuses
    }

    fn failed(code: Code) -> GraphQlResponse {
        GraphQlResponse::from_errors(vec![with_code(ServerError::new("no", None), code)])
    }

    #[test]
    fn g1_statuses_of_both_profiles_in_both_forms() {
        let data = Value::from_json(serde_json::json!({ "a": 1 })).unwrap();
        assert_eq!(answer(GraphQlResponse::new(data.clone()), true), [200, 200, 200, 200]);
        let mut partial = GraphQlResponse::new(data);
        partial.errors.push(error_of(&Problem::not_found()));
        assert_eq!(answer(partial, true), [200, 200, 294, 294]);
        assert_eq!(answer(failed(Code::ParseFailed), false), [400, 200, 400, 400]);
        assert_eq!(answer(failed(Code::ValidationFailed), false), [400, 200, 422, 422]);
        let limited = error_of(&Problem::too_many_requests("wait", 3));
        let limited = GraphQlResponse::from_errors(vec![limited]);
        assert_eq!(answer(limited, false), [429, 429, 429, 429]);
        let nothing = GraphQlResponse::from_errors(vec![error_of(&Problem::unavailable("no"))]);
        assert_eq!(answer(nothing, true), [503, 200, 503, 200]);
    }

    #[test]
    fn g2_what_was_not_run_has_no_data_and_what_failed_whole_has_null() {
        let refused = Outcome { response: failed(Code::ParseFailed), has_run: false }.to_json();
        assert!(!refused.contains("data"), "{refused}");
        let null = Outcome { response: failed(Code::ParseFailed), has_run: true }.to_json();
        assert!(null.contains("\"data\":null"), "{null}");
    }

    #[test]
    fn g1_a_wait_and_a_challenge_are_headers_too() {
        let wait = error_of(&Problem::too_many_requests("wait", 3));
        let answer = Outcome::refused(wait).into_answer(Media::Json, HttpProfile::Audit2025);
        assert_eq!(answer.headers()[RETRY_AFTER], "3");
        let stranger = unread(&Problem::invalid_token("no"), HttpProfile::Audit2025);
        assert!(stranger.headers().contains_key(WWW_AUTHENTICATE));
        assert_eq!(stranger.status(), 401);
    }
}
