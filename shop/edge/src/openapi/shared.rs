//! What operations share: headers, parameters, problems, who may call.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::shapes::ID;
use crate::problem::{KINDS, Kind, PROBLEM_JSON};

/// The name of the only way to say who calls.
pub(super) const BEARER: &str = "bearer";
/// A cursor as the shop gives them out.
pub(super) const CURSOR: &str = "mD0k3u8Xw1nq5rJYb0tP2VsxNzY3MjI1NjAwMDAwMDAwLCIwMTlhIl0";
/// An idempotency key: 1 to 255 characters of ASCII, bare, or in quotes with a backslash before those
/// that belong to it.
const KEY: &str = r#"^(?:[!#-~](?:[\t -~]{0,253}[!-~])?|"(?:[\t !#-\[\]-~]|\\["\\]){1,255}")$"#;
/// The header of every answer.
pub(super) const REQUEST_ID: &str = "X-Request-Id";
/// Says of whatever is not for everybody that nobody may keep it.
pub(super) const CACHE_CONTROL: &str = "Cache-Control";
/// Headers of every answer to a call that is counted.
pub(super) const COUNTED: [&str; 2] = ["RateLimit", "RateLimit-Policy"];
/// Items on a page when nobody says how many.
pub(super) const PAGE: u16 = 20;
/// Headers of an answer that should be asked of a newer operation.
pub(super) const DEPRECATED: [&str; 3] = ["Deprecation", "Sunset", "Link"];

/// A header: its name, what it says, its schema, an example.
type Header = (&'static str, &'static str, &'static str, &'static str);

/// Every header that is declared. Those of numbers say so; all others are texts.
const HEADERS: &[Header] = &[
    ("Accept", "What is taken instead.", "string", "application/json"),
    ("Accept-Encoding", "How the body may be coded.", "string", "identity"),
    (
        "Accept-Patch",
        "As what a PATCH is taken.",
        "string",
        "application/merge-patch+json, application/json",
    ),
    ("Age", "How many seconds old a degraded answer is.", "integer", "12"),
    ("Allow", "The methods that the resource takes.", "string", "GET, HEAD, OPTIONS"),
    (CACHE_CONTROL, "Who may keep it.", "string", "no-store"),
    (
        "Deprecation",
        "Since when it should not be used any more (RFC 9745).",
        "string",
        "@1767225600",
    ),
    (
        "ETag",
        "The version of the representation, for `If-None-Match` and `If-Match`.",
        "string",
        "\"7\"",
    ),
    ("Idempotency-Replayed", "`true` when an earlier call had this answer.", "string", "true"),
    ("Link", "What to use instead.", "string", "</api/v2/users>; rel=\"successor-version\""),
    (
        "Location",
        "Where the new resource is, or the one that changes.",
        "string",
        "/api/v1/orders/019a4c1e-7d20-7c3a-9b51-2f6d8e0a4c11",
    ),
    ("RateLimit", "How much is left, and until when.", "string", "\"default\";r=599;t=1"),
    (
        "RateLimit-Policy",
        "How much a caller may ask in which time.",
        "string",
        "\"default\";q=600;w=1",
    ),
    ("Retry-After", "Seconds after which to try again.", "integer", "1"),
    ("Sunset", "When it will be gone (RFC 8594).", "string", "Fri, 01 Jan 2027 00:00:00 GMT"),
    ("Vary", "What the answer depends on.", "string", "Accept, Accept-Encoding"),
    ("WWW-Authenticate", "How to say who calls.", "string", "Bearer realm=\"switchboard\""),
    (
        "X-Degraded",
        "`stale`: the last good answer, while the service cannot give a new one.",
        "string",
        "stale",
    ),
    ("X-Request-Id", "By which the request is found in the traces.", "string", ID),
];

/// The headers that problems of a status carry besides.
fn headers_of(status: u16) -> &'static [&'static str] {
    match status {
        401 => &["WWW-Authenticate"],
        405 => &["Allow"],
        412 => &["ETag"],
        415 => &["Accept", "Accept-Encoding", "Accept-Patch"],
        409 | 429 | 503 => &["Retry-After"],
        _ => &[],
    }
}

/// A reference to a header.
pub(super) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// All headers.
pub(super) fn headers() -> Value {
    let header = |(name, about, kind, example): &Header| {
        let example = match *kind {
            "integer" => example.parse::<u64>().map_or_else(|_| (*example).into(), Value::from),
            _ => Value::from(*example),
        };
        let mut schema = json!({ "type": kind });
        if *kind == "integer" {
            schema["minimum"] = 0.into();
        }
        let header = json!({ "description": about, "schema": schema, "example": example });
        ((*name).to_owned(), header)
    };
    HEADERS.iter().map(header).collect::<Map<_, _>>().into()
}

/// A reference to the problems of a status, and of what is deprecated.
pub(super) fn response(status: u16, is_deprecated: bool) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", name(status, is_deprecated)) })
}

fn name(status: u16, is_deprecated: bool) -> String {
    format!("{}{}", name_of(status), if is_deprecated { "Deprecated" } else { "" })
}

/// `NotFound`, from the slug of the first kind of this status.
fn name_of(status: u16) -> String {
    let slug = kinds_of(status).next().map_or("problem", |kind| kind.slug);
    let capital = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_uppercase())
    };
    slug.split('-').map(capital).collect()
}

fn kinds_of(status: u16) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(move |kind| kind.status.as_u16() == status)
}

/// The problems of these statuses: one response each, with an example of every kind.
pub(super) fn responses(statuses: &BTreeSet<(u16, bool)>) -> Value {
    let response = |(status, is_deprecated): &(u16, bool)| {
        let kinds: Vec<_> = kinds_of(*status).collect();
        let about: Vec<_> =
            kinds.iter().map(|kind| format!("{}. {}", kind.title, kind.about)).collect();
        let examples: Map<_, _> =
            kinds.iter().map(|kind| (kind.slug.to_owned(), example(kind))).collect();
        let mut headers = vec![REQUEST_ID, CACHE_CONTROL];
        headers.extend(COUNTED.iter().chain(headers_of(*status)));
        headers.extend(DEPRECATED.iter().filter(|_| *is_deprecated));
        let headers: Map<_, _> = headers.iter().map(|it| ((*it).to_owned(), header(it))).collect();
        let content = json!({
            "schema": { "$ref": "#/components/schemas/Problem" },
            "examples": examples,
        });
        let response = json!({
            "description": about.join(" "),
            "headers": headers,
            "content": { PROBLEM_JSON: content },
        });
        (name(*status, *is_deprecated), response)
    };
    statuses.iter().map(response).collect::<Map<_, _>>().into()
}

fn example(kind: &Kind) -> Value {
    let mut problem = json!({
        "type": kind.uri(),
        "title": kind.title,
        "status": kind.status.as_u16(),
        "detail": kind.about,
        "instance": format!("urn:uuid:{ID}"),
    });
    if kind.slug == "validation" {
        let mistake = json!({
            "pointer": "#/items/0/quantity",
            "code": "out_of_range",
            "detail": "must lie between 1 and 1000000",
        });
        problem["detail"] = "#/items/0/quantity: must lie between 1 and 1000000".into();
        problem["errors"] = json!([mistake]);
    }
    json!({ "summary": kind.title, "value": problem })
}

/// Who calls.
pub(super) fn security() -> Value {
    json!({
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The token of a session (`POST /api/v1/sessions`), or the operator's \
                            token out of the data folder.",
        },
    })
}

/// `limit` and `cursor`, of pages that hold so many items when nobody says how many.
pub(super) fn page_parameters(items: u16) -> [Value; 2] {
    [
        json!({
            "in": "query",
            "name": "limit",
            "required": false,
            "description": "Items on the page, at most. More than 100 is taken as 100.",
            "schema": { "type": "integer", "minimum": 1, "default": items },
            "example": 20,
        }),
        json!({
            "in": "query",
            "name": "cursor",
            "required": false,
            "description": "Where the page begins: `next` of the page before. It is good for the \
                            same collection and the same filter only.",
            // No example: nobody can know one that is good.
            "schema": { "type": "string" },
        }),
    ]
}

/// The header `Idempotency-Key`.
pub(super) fn idempotency_key(required: bool) -> Value {
    json!({
        "in": "header",
        "name": "Idempotency-Key",
        "required": required,
        "description": "The caller's own name for this call, 1 to 255 characters, bare or in quotes. Sent again with \
                        the same body within 24 hours it has the same answer and no second \
                        effect; with another body it is refused.",
        "schema": { "type": "string", "minLength": 1, "pattern": KEY },
        "example": "order-2026-11-27-0001",
    })
}

/// The header `If-None-Match`.
pub(super) fn if_none_match() -> Value {
    json!({
        "in": "header",
        "name": "If-None-Match",
        "required": false,
        "description": "The `ETag` that the caller has. While it is still the same the answer is \
                        304, without a body.",
        "schema": { "type": "string" },
        "example": "\"7\"",
    })
}

/// The header `If-Match`.
pub(super) fn if_match(required: bool) -> Value {
    json!({
        "in": "header",
        "name": "If-Match",
        "required": required,
        "description": "The `ETag` of the version that the caller means. Another one is not \
                        changed: 412.",
        "schema": { "type": "string" },
        "example": "\"7\"",
    })
}

/// A collection of these items.
pub(super) fn collection(name: &str, items: Value, links: Value, paged: bool) -> Value {
    let about = if paged { "A page of a collection." } else { "A collection as a whole." };
    let mut collection = json!({
        "type": "object",
        "title": name,
        "description": about,
        "required": ["items"],
        "properties": {
            "items": { "type": "array", "description": "What it holds.", "items": items },
            "_links": {
                "type": "object",
                "description": "Where this page, the first and the next one are.",
                "additionalProperties": links,
            },
        },
    });
    if paged {
        collection["properties"]["next"] = json!({
            "type": "string",
            "description": "The cursor of the next page; left out on the last one.",
        });
    }
    collection
}

/// Removes shared parts that nobody refers to, until every part is referred to.
pub(super) fn leave_what_is_used(document: &mut Value) {
    loop {
        let mut used = BTreeSet::new();
        references(document, &mut used);
        let mut removed = false;
        for kind in ["schemas", "responses", "headers"] {
            let Some(parts) = document["components"][kind].as_object_mut() else { continue };
            let before = parts.len();
            parts.retain(|name, _| used.contains(&format!("#/components/{kind}/{name}")));
            removed |= parts.len() < before;
        }
        if !removed {
            return;
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(reference.to_owned());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}
