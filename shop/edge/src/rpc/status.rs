//! A problem as a gRPC status and back: the same kinds, so that a caller who knows one protocol knows the errors of the other.
//!
//! Every status carries `google.rpc.ErrorInfo` with a stable word, and whatever else says what to do: fields, a delay, the precondition
//! that does not hold, the request's id. The word decides which problem it is again; without one the code alone does.
//!
//! A conflict (409) is FAILED_PRECONDITION here: a refusal that only another state of things changes. ABORTED, which invites to try
//! again at once, is kept for a version that was overtaken and for a key in flight.

use std::collections::HashMap;
use std::time::Duration;

use http::StatusCode;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::deadline::whole_seconds;
use crate::problem::{FieldError, KINDS, Kind, Problem};
use crate::request;

/// Whose words the reasons are.
pub const DOMAIN: &str = "switchboard";
/// Marks an error that no handler has answered: the protocol's own, such as a frame that is none.
const MADE_BY: (&str, &str) = ("made_by", "protocol");
/// After how many milliseconds a client may try again (gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The codes of fields' mistakes that are known here; others come back as the last.
const FIELD_CODES: &[&str] = &[
    "required",
    "length",
    "characters",
    "type",
    "email",
    "out_of_range",
    "format",
    "duplicate",
    "unknown",
    "not_an_object",
    "invalid",
];

/// The code that an HTTP status means (the table of `google.rpc.Code`, read backwards).
pub fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 410 => Code::NotFound,
        405 | 501 => Code::Unimplemented,
        408 | 504 => Code::DeadlineExceeded,
        409 | 412 => Code::Aborted,
        413 | 429 | 431 => Code::ResourceExhausted,
        428 => Code::FailedPrecondition,
        499 => Code::Cancelled,
        502 | 503 => Code::Unavailable,
        400..=499 => Code::InvalidArgument,
        500..=599 => Code::Internal,
        _ => Code::Unknown,
    }
}

/// The HTTP status of a code (the table of `google.rpc.Code`).
pub fn http_of(code: Code) -> StatusCode {
    let number = match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
    };
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What an answer means that is not gRPC at all, such as that of a proxy on the way (the protocol's
/// own table, which is another one than [`code_of`]).
pub fn code_of_a_strange_answer(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// A status without a problem behind it, with the details that every status has.
pub fn bare(code: Code, message: impl Into<String>) -> Status {
    let message = message.into();
    with_details(code, &message, ErrorDetails::with_error_info(word(code), DOMAIN, HashMap::new()))
}

/// Whether a service has answered this in its own words, rather than the protocol for it.
pub(super) fn is_own(status: &Status) -> bool {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN);
    info.is_some_and(|info| !info.metadata.contains_key(MADE_BY.0))
}

/// The same status with the details that every status has, if it has none.
pub(super) fn completed(status: Status) -> Status {
    if !status.details().is_empty() || status.code() == Code::Ok {
        return status;
    }
    let message = match status.message() {
        "" => status.code().description(),
        message => message,
    };
    let code = status.code();
    let made_by = HashMap::from([(MADE_BY.0.to_owned(), MADE_BY.1.to_owned())]);
    let details = ErrorDetails::with_error_info(word(code), DOMAIN, made_by);
    let mut whole = with_details(code, message, details);
    *whole.metadata_mut() = status.metadata().clone();
    whole
}

fn with_details(code: Code, message: &str, mut details: ErrorDetails) -> Status {
    if let Some(id) = request::current() {
        details.set_request_info(id.to_string(), "");
    }
    Status::with_error_details(code, message, details)
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let code = problem.code();
        let reason = if problem.reason().is_empty() { word(code) } else { problem.reason() };
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        if !problem.errors().is_empty() {
            let violation = |error: &FieldError| {
                let reason = error.code.to_uppercase();
                let mut violation = FieldViolation::new(path(&error.pointer), &*error.detail);
                violation.reason = reason;
                violation
            };
            details.set_bad_request(problem.errors().iter().map(violation).collect::<Vec<_>>());
        }
        if matches!(code, Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists) {
            details.add_precondition_failure_violation(reason, "", problem.detail());
        }
        if code == Code::ResourceExhausted && problem.seconds().is_some() {
            details.add_quota_failure_violation("caller", problem.detail());
        }
        if let Some(seconds) = problem.seconds() {
            details.set_retry_info(Some(Duration::from_secs(seconds)));
        }
        if !problem.reason().is_empty() {
            details.add_help_link(problem.title(), problem.uri());
        }
        let mut status = with_details(code, problem.detail(), details);
        if let Some(seconds) = problem.seconds()
            && let Ok(pause) = MetadataValue::try_from(seconds.saturating_mul(1_000).to_string())
        {
            status.metadata_mut().insert(PUSHBACK, pause);
        }
        status
    }
}

impl From<&Status> for Problem {
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        let ours = details.error_info().filter(|info| info.domain == DOMAIN);
        let kind =
            ours.and_then(|info| KINDS.iter().find(|kind| kind.reason == info.reason).copied());
        let violations = details.bad_request().map_or(&[][..], |it| &*it.field_violations);
        let errors = violations.iter().map(field_error).collect();
        let problem = match kind {
            Some(kind) => Self::of_kind(kind, status.message().to_owned(), errors),
            None => Self::of_code(status),
        };
        let problem = problem.with_code(status.code());
        match details.retry_info().and_then(|info| info.retry_delay) {
            Some(delay) => problem.retry_after(whole_seconds(delay)),
            None => problem,
        }
    }
}

impl Problem {
    /// By the code alone. What went wrong inside of somebody else stays there.
    fn of_code(status: &Status) -> Self {
        let http = http_of(status.code());
        match KINDS.iter().copied().find(|kind: &&Kind| kind.status == http) {
            Some(kind) if !http.is_server_error() && !status.message().is_empty() => {
                Self::of_kind(kind, status.message().to_owned(), Vec::new())
            }
            _ => Self::of_status(http),
        }
    }
}

/// A code by its name in the protocol.
pub(super) fn word_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The reason of a status with no problem behind it: that of the problem it would be.
pub(super) fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "MALFORMED",
        Code::DeadlineExceeded => "TIMEOUT",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists | Code::FailedPrecondition => "CONFLICT",
        Code::PermissionDenied => "FORBIDDEN",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::Aborted => "PRECONDITION_FAILED",
        Code::OutOfRange => "TOO_LARGE",
        Code::Unimplemented => "NOT_IMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHORIZED",
    }
}

/// `#/items/0/quantity` as `items[0].quantity`.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.trim_start_matches('#').split('/').filter(|step| !step.is_empty()) {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{step}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(step);
        }
    }
    path
}

/// `items[0].quantity` as `#/items/0/quantity`.
fn pointer(path: &str) -> String {
    let steps = path.split(['.', '[', ']']).filter(|step| !step.is_empty());
    steps.fold("#".to_owned(), |pointer, step| pointer + "/" + step)
}

fn field_error(violation: &FieldViolation) -> FieldError {
    let code = violation.reason.to_lowercase();
    let known = FIELD_CODES.iter().find(|known| **known == code);
    FieldError {
        pointer: pointer(&violation.field),
        code: known.copied().unwrap_or("invalid"),
        detail: violation.description.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: [Code; 16] = [
        Code::Cancelled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];

    #[test]
    fn p1_codes_have_their_http_statuses_and_most_come_back() {
        let table = CODES.map(|code| http_of(code).as_u16());
        let expected =
            [499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
        assert_eq!(table, expected);
        for code in CODES {
            // What HTTP does not tell apart comes back as the most general of its codes.
            let again = match code {
                Code::Unknown | Code::DataLoss => Code::Internal,
                Code::FailedPrecondition | Code::OutOfRange => Code::InvalidArgument,
                Code::AlreadyExists => Code::Aborted,
                code => code,
            };
            assert_eq!(code_of(http_of(code)), again, "{code:?}");
        }
    }

    #[test]
    fn p1_an_answer_that_is_not_grpc_has_a_table_of_its_own() {
        let read = |status| code_of_a_strange_answer(StatusCode::from_u16(status).unwrap());
        assert_eq!((read(400), read(404)), (Code::Internal, Code::Unimplemented));
        assert_eq!((read(401), read(403)), (Code::Unauthenticated, Code::PermissionDenied));
        for status in [429, 502, 503, 504] {
            assert_eq!(read(status), Code::Unavailable);
        }
        assert_eq!((read(200), read(500)), (Code::Unknown, Code::Unknown));
    }

    #[test]
    fn p2_every_kind_of_problem_comes_back_as_it_was() {
        for kind in KINDS {
            let problem = Problem::of_kind(kind, "This is what is wrong.".to_owned(), Vec::new());
            let problem = problem.retry_after(3);
            let status = Status::from(problem.clone());
            let details = status.get_error_details();
            let info = details.error_info().unwrap();
            assert_eq!((&*info.reason, &*info.domain), (kind.reason, DOMAIN));
            assert_eq!((status.code(), status.message()), (kind.code, problem.detail()));
            assert_eq!(details.help().unwrap().links[0].url, kind.uri());
            assert_eq!(Problem::from(&status), problem, "{}", kind.slug);
        }
    }

    #[test]
    fn p2_every_mistake_comes_back_with_its_place_and_its_code() {
        let error = |pointer: &str, code| FieldError {
            pointer: pointer.to_owned(),
            code,
            detail: format!("is {code}"),
        };
        let mut errors: Vec<_> =
            FIELD_CODES.iter().map(|code| error("#/items/0/quantity", code)).collect();
        errors.push(error("#/name", "length"));
        errors.push(error("#", "not_an_object"));
        let problem = Problem::validation(errors);
        let status = Status::from(problem.clone());
        let violations = status.get_error_details().bad_request().unwrap().field_violations.clone();
        assert_eq!(
            (&*violations[0].field, &*violations[0].reason),
            ("items[0].quantity", "REQUIRED")
        );
        assert_eq!(Problem::from(&status).errors(), problem.errors());
    }

    #[test]
    fn p2_a_refusal_names_its_precondition_and_a_delay_is_told_twice() {
        let refused = Status::from(Problem::conflict("Refused: too little money."));
        let failed = refused.get_error_details().precondition_failure().unwrap().violations.clone();
        assert_eq!((&*failed[0].r#type, refused.code()), ("CONFLICT", Code::FailedPrecondition));
        let busy = Status::from(Problem::too_many_requests("Too often.", 7));
        let details = busy.get_error_details();
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(7)));
        assert_eq!(details.quota_failure().unwrap().violations[0].subject, "caller");
        assert_eq!(busy.metadata().get(PUSHBACK).unwrap(), "7000");
    }

    #[test]
    fn p2_a_conflict_that_is_more_exact_over_grpc_is_the_same_problem() {
        let taken = Problem::conflict("Taken.").with_code(Code::AlreadyExists);
        let status = Status::from(taken.clone());
        assert_eq!(status.code(), Code::AlreadyExists);
        let again = Problem::from(&status);
        assert_eq!((&again, again.status().as_u16()), (&taken, 409));
    }

    #[test]
    fn p2_a_status_from_elsewhere_is_judged_by_its_code_and_its_insides_stay_there() {
        let problem = Problem::from(&Status::not_found("no such row"));
        assert_eq!((problem.status().as_u16(), problem.detail()), (404, "no such row"));
        let problem = Problem::from(&Status::internal("password=hunter2"));
        assert_eq!(problem.status().as_u16(), 500);
        assert!(!problem.detail().contains("hunter2"));
        let whole = completed(Status::out_of_range(""));
        assert_eq!(whole.get_error_details().error_info().unwrap().reason, "TOO_LARGE");
        assert!(!whole.message().is_empty());
    }
}
