//! The kinds of problems there are: their types are stable, documented, and served where they point to.

use std::borrow::Cow;

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use tonic::Code;

use super::Problem;

/// One kind of problem. Its type is the URI reference `/problems/{slug}`.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The last segment of the type, stable: `validation`. Empty for `about:blank`.
    pub slug: &'static str,
    /// The HTTP status that it always has.
    pub status: StatusCode,
    /// The same over gRPC.
    pub code: Code,
    /// The stable word of `google.rpc.ErrorInfo`: the slug in capitals.
    pub reason: &'static str,
    /// The same words for every problem of this kind.
    pub title: &'static str,
    /// What a caller does about it.
    pub about: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:ident $code:ident $slug:literal $title:literal $about:literal;)*) => {
        $(pub(super) static $name: Kind = Kind {
            slug: $slug,
            status: StatusCode::$status,
            code: Code::$code,
            reason: stringify!($name),
            title: $title,
            about: $about,
        };)*
        /// Every kind, in the order of their statuses.
        pub static KINDS: &[&Kind] = &[$(&$name),*];
    };
}

/// Any status that has no kind of its own: its title is the status's reason.
pub(super) static BLANK: Kind = Kind {
    slug: "",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    code: Code::Unknown,
    reason: "",
    title: "",
    about: "",
};

kinds! {
    MALFORMED = BAD_REQUEST InvalidArgument "malformed" "Malformed request"
        "The request cannot be read as what it claims to be. Repair it; sent again it fails again.";
    UNAUTHORIZED = UNAUTHORIZED Unauthenticated "unauthorized" "Sign in first"
        "Send `Authorization: Bearer <token>` with a token from POST /api/v1/sessions.";
    FORBIDDEN = FORBIDDEN PermissionDenied "forbidden" "Not allowed"
        "The token is good and does not allow this. Only another caller can do it.";
    NOT_FOUND = NOT_FOUND NotFound "not-found" "Not found"
        "Nothing is here, or nothing that this caller may know of.";
    METHOD = METHOD_NOT_ALLOWED Unimplemented "method" "Method not allowed"
        "The resource is here and does not take this method; the header `Allow` names those it takes.";
    NOT_ACCEPTABLE = NOT_ACCEPTABLE InvalidArgument "not-acceptable" "Not acceptable"
        "No representation fits the request's `Accept`. Ask for application/json.";
    REQUEST_TIMEOUT = REQUEST_TIMEOUT DeadlineExceeded "request-timeout"
        "The request took too long to arrive"
        "The body did not arrive in time. Nothing has happened; send it again.";
    CONFLICT = CONFLICT FailedPrecondition "conflict" "Conflict with the present state"
        "The state of things does not allow it now. Look at the resource, then decide again.";
    GONE = GONE NotFound "gone" "Gone"
        "It was here and will not come back.";
    PRECONDITION_FAILED = PRECONDITION_FAILED Aborted "precondition-failed" "Precondition failed"
        "The resource has changed since the caller read it. Read it again.";
    TOO_LARGE = PAYLOAD_TOO_LARGE ResourceExhausted "too-large" "Body too large"
        "Send less, or in several requests.";
    URI_TOO_LONG = URI_TOO_LONG InvalidArgument "uri-too-long" "Address too long"
        "Shorten the address.";
    MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE InvalidArgument "media-type" "Unsupported media type"
        "Send the body as the header `Accept` (or `Accept-Patch`, `Accept-Encoding`) says.";
    VALIDATION = UNPROCESSABLE_ENTITY InvalidArgument "validation" "Invalid content"
        "The body is understood and its content is wrong. `errors` lists every mistake with its place.";
    UNPROCESSABLE = UNPROCESSABLE_ENTITY InvalidArgument "unprocessable" "Cannot be processed"
        "The request is understood and contradicts itself or an earlier one; `detail` says how.";
    PRECONDITION_REQUIRED = PRECONDITION_REQUIRED FailedPrecondition "precondition-required"
        "Precondition required"
        "Say which version you mean, with `If-Match`.";
    TOO_MANY_REQUESTS = TOO_MANY_REQUESTS ResourceExhausted "too-many-requests" "Too many requests"
        "Wait for as long as `Retry-After` says.";
    HEADERS_TOO_LARGE = REQUEST_HEADER_FIELDS_TOO_LARGE ResourceExhausted "headers-too-large"
        "Headers too large"
        "Send fewer or shorter headers.";
    INTERNAL = INTERNAL_SERVER_ERROR Internal "internal" "Internal error"
        "A mistake on our side. The `instance` helps to find it in the traces.";
    NOT_IMPLEMENTED = NOT_IMPLEMENTED Unimplemented "not-implemented" "Not implemented"
        "Nobody here understands this method.";
    BAD_GATEWAY = BAD_GATEWAY Unavailable "bad-gateway" "A service broke off"
        "It is unknown whether the request took effect. Repeat it with the same Idempotency-Key.";
    UNAVAILABLE = SERVICE_UNAVAILABLE Unavailable "unavailable" "Temporarily unavailable"
        "Nothing has happened. Try again after `Retry-After` seconds.";
    TIMEOUT = GATEWAY_TIMEOUT DeadlineExceeded "timeout" "No answer in time"
        "It is unknown whether the request took effect. Repeat it with the same Idempotency-Key.";
}

// === impl Kind ===

impl Kind {
    /// The type as problems carry it.
    pub fn uri(&self) -> String {
        uri(self.slug).into_owned()
    }

    /// What is served at the type's address.
    fn document(&self) -> Value {
        json!({
            "type": self.uri(),
            "title": self.title,
            "status": self.status.as_u16(),
            "about": self.about,
        })
    }
}

/// The type of the kind with this last segment.
pub(super) fn uri(slug: &str) -> Cow<'static, str> {
    match slug {
        "" => "about:blank".into(),
        slug => format!("/problems/{slug}").into(),
    }
}

/// Every kind at the address that its type names, and all of them under `/problems`.
pub fn routes() -> Router {
    Router::new().route("/problems", get(list)).route("/problems/{slug}", get(show))
}

async fn list() -> Json<Value> {
    let items: Vec<_> = KINDS.iter().map(|kind| kind.document()).collect();
    Json(json!({ "items": items }))
}

async fn show(Path(slug): Path<String>) -> Result<Json<Value>, Problem> {
    let kind = KINDS.iter().find(|kind| kind.slug == slug).ok_or_else(Problem::not_found)?;
    Ok(Json(kind.document()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn e1_types_are_unique_and_every_title_belongs_to_one() {
        let slugs: BTreeSet<_> = KINDS.iter().map(|kind| kind.slug).collect();
        let titles: BTreeSet<_> = KINDS.iter().map(|kind| kind.title).collect();
        assert_eq!((slugs.len(), titles.len()), (KINDS.len(), KINDS.len()));
        assert!(KINDS.is_sorted_by_key(|kind| kind.status));
        for kind in KINDS {
            assert_eq!(kind.reason, kind.slug.replace('-', "_").to_uppercase());
            assert!(kind.reason.len() <= 63 && kind.code != Code::Ok, "{kind:?}");
        }
    }
}
