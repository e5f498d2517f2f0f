//! Errors as GraphQL callers see them: the same kinds as everywhere in the shop, in `extensions.code`, and nothing of ours beside.
//!
//! A [`Problem`] becomes an error with its kind as code, its status, the mistakes with their places, and the request by which it can be
//! found in the traces; [`problem_of`] reads that back. What a document itself does wrong has four codes of its own, which clients know.

use std::sync::Arc;

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};
use http::StatusCode;
use serde_json::json;
use shop_edge::Problem;

/// Codes that only GraphQL has; all others are kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// The document is no GraphQL.
    ParseFailed,
    /// The document does not fit the schema, or its variables do not fit it.
    ValidationFailed,
    /// The document is beyond a limit; `extensions.limit` says which.
    LimitExceeded,
    /// The hash is not known here: send the document along.
    PersistedQueryNotFound,
    /// Only registered documents run here.
    PersistedQueryOnly,
}

/// The error that a problem is in an answer.
pub(super) fn error_of(problem: &Problem) -> ServerError {
    let mut error = ServerError::new(problem.detail(), None);
    error.extensions = Some(extensions_of(problem));
    error.source = Some(Arc::new(problem.clone()));
    error
}

/// What a resolver answers for a problem.
pub(super) fn field_error(problem: &Problem) -> async_graphql::Error {
    let mut error = async_graphql::Error::new(problem.detail());
    error.extensions = Some(extensions_of(problem));
    error.source = Some(Arc::new(problem.clone()));
    error
}

fn extensions_of(problem: &Problem) -> ErrorExtensionValues {
    let body = problem.to_json();
    let mut all = ErrorExtensionValues::default();
    let mut set = |name: &str, value: serde_json::Value| {
        if let Ok(value) = Value::from_json(value)
            && value != Value::Null
        {
            all.set(name, value);
        }
    };
    set("code", problem.reason().into());
    set("status", problem.status().as_u16().into());
    set("type", body["type"].clone());
    set("title", body["title"].clone());
    set("instance", body["instance"].clone());
    if !problem.errors().is_empty() {
        set("errors", json!(problem.errors()));
    }
    if let Some(seconds) = problem.seconds() {
        set("retryAfter", seconds.into());
    }
    all
}

/// The same error with the service that it came from. `is_away` marks it for [`gather_away`].
pub(super) fn of_service(
    mut error: async_graphql::Error,
    service: &str,
    is_away: bool,
) -> async_graphql::Error {
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("service", service);
    if is_away {
        extensions.set("unavailable", true);
    }
    error
}

/// Names the services that were away, once each, in the answer's own extensions: `unavailable`.
pub(super) fn gather_away(response: &mut Response) {
    let mut away: Vec<Value> = Vec::new();
    for error in &response.errors {
        let Some(extensions) = &error.extensions else { continue };
        if let (Some(service), Some(_)) = (extensions.get("service"), extensions.get("unavailable"))
            && !away.contains(service)
        {
            away.push(service.clone());
        }
    }
    if !away.is_empty() {
        response.extensions.insert("unavailable".to_owned(), Value::List(away));
    }
}

/// The problem that an error of an answer was, as far as it can be told from outside: its kind,
/// what it says, and how long to wait. `None` for errors of the document itself.
pub fn problem_of(error: &ServerError) -> Option<Problem> {
    if let Some(problem) = error.source::<Problem>() {
        return Some(problem.clone());
    }
    let told = error.extensions.as_ref()?;
    let field = |name: &str| told.get(name).and_then(|value| value.clone().into_json().ok());
    let (kind, status) = (field("type")?, field("status")?);
    let told = json!({ "type": kind, "status": status, "detail": error.message });
    let problem = Problem::of_json(&told);
    let seconds = field("retryAfter").and_then(|seconds| seconds.as_u64());
    Some(match seconds {
        Some(seconds) => problem.retry_after(seconds),
        None => problem,
    })
}

/// The same error with a code, unless it has one.
pub(super) fn with_code(mut error: ServerError, code: Code) -> ServerError {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code.as_str());
    }
    error
}

/// A document that is beyond a limit.
pub(super) fn beyond(limit: &str, found: u64, allowed: u64) -> ServerError {
    let words = limit.replace('_', " ");
    let text = format!("The document is beyond the limit of {words}: {allowed} at most.");
    let mut error = with_code(ServerError::new(text, None), Code::LimitExceeded);
    let limit = json!({ "name": limit, "allowed": allowed, "found": found });
    if let Ok(limit) = Value::from_json(limit) {
        error.extensions.get_or_insert_default().set("limit", limit);
    }
    error
}

/// The code that an error carries.
pub(super) fn carried(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// Gives every error of an answer a code, and hides what was not meant for callers.
///
/// An error without a code came from the library. Before anything ran it is about the document, and
/// useful; afterwards it is about a value that a service gave us, which is our mistake.
pub(super) fn mask(response: &mut Response, has_run: bool) {
    for error in &mut response.errors {
        if carried(error).is_some() {
            continue;
        }
        let owned = std::mem::replace(error, ServerError::new("", None));
        let is_about_input = owned.message.starts_with("Failed to parse \"")
            || owned.message.starts_with("Invalid value");
        *error = if !has_run || is_about_input {
            with_code(owned, Code::ValidationFailed)
        } else {
            tracing::error!(error = %owned.message, path = ?owned.path, "a field failed");
            let hidden = error_of(&Problem::internal());
            ServerError { locations: owned.locations, path: owned.path, ..hidden }
        };
    }
}

/// The status of an answer without data, by its first error.
pub(super) fn status_of(error: &ServerError) -> Option<StatusCode> {
    problem_of(error).map(|problem| problem.status())
}

// === impl Code ===

impl Code {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::PersistedQueryOnly => "PERSISTED_QUERY_ONLY",
        }
    }
}

#[cfg(test)]
mod tests {
    use shop_edge::FieldError;
    use shop_edge::problem::KINDS;

    use super::*;

    #[test]
    fn g7_every_kind_of_problem_has_a_code_and_comes_back_as_itself() {
        for kind in KINDS {
            let told = json!({ "type": kind.uri(), "detail": "This is what is wrong." });
            let problem = Problem::of_json(&told).retry_after(3);
            let error = error_of(&problem);
            assert_eq!(carried(&error), Some(kind.reason));
            assert_eq!(problem_of(&error), Some(problem.clone()));
            // Over the wire the source is gone, and what it says is enough.
            let wire: ServerError =
                serde_json::from_value(serde_json::to_value(&error).unwrap()).unwrap();
            let back = problem_of(&wire).unwrap();
            assert_eq!((back.reason(), back.status()), (kind.reason, kind.status));
            assert_eq!((back.detail(), back.seconds()), (problem.detail(), Some(3)));
            // Nor does the way over gRPC change it.
            let over = Problem::from(&tonic::Status::from(problem.clone()));
            assert_eq!(error_of(&over).extensions, error.extensions);
        }
    }

    #[test]
    fn g7_mistakes_keep_their_places_and_waits_their_length() {
        let mistake =
            FieldError { pointer: "#/name".to_owned(), code: "length", detail: "long".to_owned() };
        let error = serde_json::to_value(error_of(&Problem::validation(vec![mistake]))).unwrap();
        assert_eq!(error["extensions"]["code"], "VALIDATION");
        assert_eq!(error["extensions"]["errors"][0]["pointer"], "#/name");
        let wait = serde_json::to_value(error_of(&Problem::too_many_requests("wait", 7))).unwrap();
        assert_eq!(wait["extensions"]["retryAfter"], 7);
    }

    #[test]
    fn g7_what_was_not_meant_for_callers_is_hidden() {
        let mut response = Response::from_errors(vec![
            ServerError::new("the secret of the house", None),
            ServerError::new("Failed to parse \"Int\": no", None),
        ]);
        mask(&mut response, true);
        let codes: Vec<_> = response.errors.iter().map(|it| carried(it).unwrap()).collect();
        assert_eq!(codes, ["INTERNAL", "GRAPHQL_VALIDATION_FAILED"]);
        assert!(!response.errors[0].message.contains("secret"));
    }
}
