//! A page to ask with: an editor, variables, a token, the result, and the schema to read beside it.
//!
//! Everything comes from our own origin: one script, one sheet, and a policy that lets nothing else in. Without a script the page says how
//! to ask with `curl`.

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, VARY,
    X_FRAME_OPTIONS,
};
use maud::{DOCTYPE, Markup, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Nothing but our own files, no inline style or script, and nobody frames us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// Versions of the files: a sum of their content, so that a new program brings new files.
static STYLE_AT: LazyLock<String> = LazyLock::new(|| versioned("explorer.css", STYLE));
static SCRIPT_AT: LazyLock<String> = LazyLock::new(|| versioned("explorer.js", SCRIPT));

/// Two jacks and a cord.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
    viewBox='0 0 32 32'%3E\
    %3Crect width='32' height='32' rx='7' fill='%230b5d66'/%3E\
    %3Cpath d='M10 11C10 26 22 6 22 21' fill='none' stroke='%23e9c46a' stroke-width='3'/%3E\
    %3Ccircle cx='10' cy='10' r='4' fill='%23fff'/%3E\
    %3Ccircle cx='22' cy='22' r='4' fill='%23fff'/%3E%3C/svg%3E";

/// The files of the page.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/graphql/explorer.css", get(|| asset("text/css; charset=utf-8", STYLE)))
        .route("/graphql/explorer.js", get(|| asset("text/javascript; charset=utf-8", SCRIPT)))
}

/// The page.
pub(super) fn page() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (CACHE_CONTROL, "no-store"),
        (VARY, "Accept"),
    ];
    (headers, document().into_string()).into_response()
}

/// A file of ours. Its address carries a sum of its content, so it may be kept for ever.
async fn asset(kind: &'static str, text: &'static str) -> Response {
    let kept = "public, max-age=31536000, immutable";
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, kept)], text).into_response()
}

fn versioned(file: &str, text: &str) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let sum: String = sum.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("/graphql/{file}?v={sum}")
}

fn document() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme="auto" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "GraphQL · Switchboard" }
                link rel="stylesheet" href=(*STYLE_AT);
                link rel="icon" href=(ICON);
                script src=(*SCRIPT_AT) defer {}
            }
            body {
                a class="skip" href="#query" { "Skip to the editor" }
                (bar())
                main {
                    (editor())
                    (result())
                    (schema())
                }
                noscript {
                    p class="without" {
                        "This page needs its script. Without it, ask with: "
                        code {
                            "curl -H 'content-type: application/json' -d '{\"query\":\"{ \
                             __typename }\"}' …/graphql"
                        }
                    }
                }
            }
        }
    }
}

fn bar() -> Markup {
    html! {
        header class="bar" {
            a class="brand" href="/console" {
                svg viewBox="0 0 32 32" aria-hidden="true" {
                    rect width="32" height="32" rx="7" {}
                    path d="M10 11C10 26 22 6 22 21" {}
                    circle cx="10" cy="10" r="4" {}
                    circle cx="22" cy="22" r="4" {}
                }
                span { "Switchboard" }
            }
            h1 { "GraphQL" }
            label class="token" {
                span { "Token" }
                input #token type="password" autocomplete="off" spellcheck="false"
                    placeholder="none: only what is public";
            }
            div class="theme" role="group" aria-label="Theme" {
                @for theme in ["light", "auto", "dark"] {
                    button type="button" data-choose=(theme) aria-pressed="false" { (theme) }
                }
            }
        }
    }
}

fn editor() -> Markup {
    html! {
        section class="ask" aria-labelledby="ask" {
            div class="head" {
                h2 #ask { "Ask" }
                label class="examples" {
                    span class="hidden" { "Examples" }
                    select #examples { option value="" { "Examples …" } }
                }
                button #run class="primary" type="button" aria-keyshortcuts="Control+Enter" {
                    "Run"
                }
            }
            label class="hidden" for="query" { "Document" }
            textarea #query spellcheck="false" autocapitalize="off" autocomplete="off"
                aria-describedby="keys" {}
            p #keys class="hint" {
                kbd { "Ctrl" } " " kbd { "Enter" } " runs · " kbd { "Esc" } " then " kbd { "Tab" }
                " leaves the editor"
            }
            div class="more" {
                label for="variables" { "Variables" span class="hint" { " JSON" } }
                textarea #variables spellcheck="false" placeholder="{ }" {}
                details {
                    summary { "Headers" }
                    label class="hidden" for="headers" { "Headers, one a line" }
                    textarea #headers spellcheck="false" placeholder="x-request-timeout-ms: 2000" {}
                }
            }
        }
    }
}

fn result() -> Markup {
    html! {
        section class="answer" aria-labelledby="answer" {
            div class="head" {
                h2 #answer { "Answer" }
                p #facts class="facts" role="status" {}
            }
            pre #result tabindex="0" aria-label="Result" { "Nothing was asked yet." }
        }
    }
}

fn schema() -> Markup {
    html! {
        aside class="schema" aria-labelledby="schema" {
            div class="head" {
                h2 #schema { "Schema" }
                label class="find" {
                    span class="hidden" { "Find a type or a field" }
                    input #find type="search" placeholder="Find a type or a field"
                        autocomplete="off";
                }
            }
            nav #trail class="trail" aria-label="Way" {}
            div #browser { p class="hint" { "Reading the schema …" } }
        }
    }
}
