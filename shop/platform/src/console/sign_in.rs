//! Signing in with the operator's token, signing out, and choosing between light and dark.

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::{HeaderMap, REFERER, SET_COOKIE};
use maud::{Markup, html};
use serde::Deserialize;
use shop_edge::Problem;

use super::session::{Theme, from_our_page};
use super::{Console, layout};

/// Where to go on after signing in.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

/// The form.
#[derive(Deserialize)]
pub(super) struct Credentials {
    token: String,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    theme: String,
}

pub(super) async fn page(headers: HeaderMap, Query(next): Query<Next>) -> Markup {
    form(&headers, &target(next.next), None)
}

pub(super) async fn sign_in(
    State(console): State<Console>,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Result<Response, Problem> {
    from_our_page(&headers)?;
    let target = target(credentials.next);
    if !console.shop.auth.is_operator(credentials.token.trim()) {
        let wrong = "This is not the operator's token of this platform.";
        let page = form(&headers, &target, Some(wrong));
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    }
    let cookie = console.sessions.begin(console.shop.clock.now())?;
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&target)).into_response())
}

pub(super) async fn sign_out(
    State(console): State<Console>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    from_our_page(&headers)?;
    let cookie = console.sessions.end(&headers);
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/console/sign-in")).into_response())
}

pub(super) async fn theme(
    headers: HeaderMap,
    Form(choice): Form<Choice>,
) -> Result<Response, Problem> {
    from_our_page(&headers)?;
    let cookie = Theme::named(&choice.theme).cookie();
    let referer = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let path = referer.and_then(|url| url.find("/console").map(|at| url[at..].to_owned()));
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&target(path))).into_response())
}

/// Only pages of the console are gone on to.
fn target(next: Option<String>) -> String {
    next.filter(|next| next == "/console" || next.starts_with("/console/"))
        .filter(|next| !next.starts_with("/console/sign-in"))
        .filter(|next| next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'))
        .unwrap_or_else(|| "/console".to_owned())
}

fn form(headers: &HeaderMap, next: &str, wrong: Option<&str>) -> Markup {
    layout::bare(
        "Sign in",
        Theme::of(headers),
        html! {
            form class="sign-in" action="/console/sign-in" method="post" {
                h1 { "Sign in" }
                p { "The console asks for the operator's token. " code { "switchboard up" }
                    " prints where it is: the file " code { "operator-token" }
                " in the data folder." }
                input type="hidden" name="next" value=(next);
                // Password managers want a name to keep a token under.
                input class="hidden" type="text" name="user" value="operator"
                    autocomplete="username" tabindex="-1" aria-hidden="true" readonly;
                label for="token" { "Operator's token" }
                input #token name="token" type="password" required autofocus
                    autocomplete="current-password" spellcheck="false"
                    aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "wrong")];
                @if let Some(wrong) = wrong { p #wrong class="wrong" role="alert" { (wrong) } }
                button class="primary" { "Sign in" }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_no_other_site() {
        let check = |next: &str, expected: &str| {
            assert_eq!(target(Some(next.to_owned())), expected, "{next}");
        };
        check("/console/orders/1", "/console/orders/1");
        check("/console", "/console");
        for elsewhere in ["https://evil.example", "//evil.example", "/consolex", "/console/sign-in"]
        {
            check(elsewhere, "/console");
        }
        check("/console/\\evil", "/console");
        assert_eq!(target(None), "/console");
    }
}
