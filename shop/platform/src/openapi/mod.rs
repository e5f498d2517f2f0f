//! The interface's document (OpenAPI 3.1), put together from what every service says, and the page that shows it.
//!
//! The document is the same for every shop, so it is made once and committed as `docs/openapi.json`: a change of the interface is seen in
//! review, and `cargo xtask documents` compares it with what was published.

mod archive;
mod page;
pub mod policies;
pub mod shapes;

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::Value;
use shop_edge::openapi::{About, Part};

use crate::topology;

/// Where the document is.
pub const DOCUMENT: &str = "/openapi.json";
/// Where the page is that shows it.
pub const PAGE: &str = "/docs";

/// Operations of the program that the document leaves out, each by the beginning of its name: pages
/// for people, GraphQL, which its own schema describes, and a switch that exists for proofs only.
pub const LEFT_OUT: &[&str] = &[
    "GET /console",
    "POST /console",
    "GET /docs",
    "GET /graphql",
    "POST /graphql",
    "POST /api/v1/operator/broker",
];

const ABOUT: About = About {
    title: "Switchboard shop",
    version: "1.0.0",
    description: "A shop of separate services behind one door.\n\n\
        - **Who calls**: sign up (`POST /api/v1/users`), sign in (`POST /api/v1/sessions`), and send \
        the token as `Authorization: Bearer …`.\n\
        - **Errors** are problems (RFC 9457); `type` leads to what a caller can do about them.\n\
        - **Collections** come a page at a time: ask again with `cursor` set to `next` until there \
        is no `next`.\n\
        - **Money** is a whole number of minor units with its currency.\n\
        - **Repeating a call** is safe with the same `Idempotency-Key`.\n\
        - **Changes** keep old callers working: fields and operations may be added within a version.",
};

static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));

/// What every part of the shop says of itself, in the order in which it is shown.
pub fn parts() -> Vec<Part> {
    let services = topology::services().into_iter().map(|service| (service.openapi)());
    services.chain([shop_gateway::openapi(), shapes::openapi()]).collect()
}

/// The document.
pub fn document() -> Value {
    shop_edge::openapi::document(&ABOUT, &parts())
}

/// The document as it is served and committed: indented, its names in order, a line's end last.
pub fn text() -> &'static str {
    &TEXT
}

/// The document and its page; both are public.
pub(crate) fn routes() -> Router {
    let answer = || async {
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
        (headers, text()).into_response()
    };
    Router::new().route(DOCUMENT, get(answer)).merge(page::routes())
}

#[cfg(test)]
mod tests;
