//! One blocked key: what failed, what waits behind it, and what a replay would set in motion, before it does.

use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use maud::{Markup, html};
use serde::Deserialize;
use shop_edge::Problem;
use switchboard_core::{Key, Timestamp, Verdict};
use switchboard_handler::operator::{self, BlastRadius, BlockedKey, Letter};
use switchboard_store::CommitError;

use super::events::Fragments;
use super::layout::{self, Here, Page};
use super::orders::unavailable;
use super::parked::state;
use super::session::{SignedIn, from_our_page};
use super::words::{Tone, chip, empty, time};
use super::{Console, Shop, escape_query, sample};

/// Messages of one key that are shown, at most.
const SHOWN: usize = 20;

/// A key of a group of a service: where its page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    service: String,
    group: String,
    key: String,
}

/// What the last button did, as the address says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Done {
    pub(super) done: Option<String>,
}

/// The form that drops a message.
#[derive(Deserialize)]
pub(super) struct Skip {
    entry: u64,
    reason: String,
}

// === impl Place ===

impl Place {
    pub(super) fn new(service: &str, group: &str, key: &str) -> Self {
        Self { service: service.to_owned(), group: group.to_owned(), key: key.to_owned() }
    }

    /// Its page.
    pub(super) fn path(&self) -> String {
        let Self { service, group, key } = self;
        [service, group, key].iter().fold("/console/parked".to_owned(), |path, part| {
            format!("{path}/{}", escape_query(part))
        })
    }
}

pub(super) async fn page(
    State(console): State<Console>,
    who: SignedIn,
    Path((service, group, key)): Path<(String, String, String)>,
    Query(done): Query<Done>,
) -> Markup {
    let place = Place { service, group, key };
    let shop = &console.shop;
    layout::page(Page {
        title: "Parked key",
        here: Here::Parked,
        theme: who.theme,
        live: Some(place.path().replacen("/console/", "/console/live/", 1)),
        parked: sample::parked(shop).await,
        body: html! {
            p class="crumbs" { a href="/console/parked" { "Parked keys" } }
            h1 { "Key " code { (place.key.escape_debug()) } }
            (said(done.done.as_deref()))
            div #key { (look(shop, &place).await) }
        },
    })
}

/// The piece of one key's page that changes.
pub(super) async fn fragments(shop: &Shop, place: &Place) -> Fragments {
    let parked = sample::parked(shop).await;
    vec![("key", look(shop, place).await), ("parked-count", html! { (parked) })]
}

async fn look(shop: &Shop, place: &Place) -> Markup {
    let open = || {
        empty(
            "This key is open",
            html! {
                "Its messages were handled, or dropped, and new ones flow. "
                a href="/console/parked" { "Look at all parked keys" } "."
            },
        )
    };
    let Some(service) = shop.service(&place.service) else { return open() };
    let key = Key::from(&*place.key);
    let blocked = operator::show(&*service.store, &place.group, &key, SHOWN).await;
    let radius = operator::blast_radius(&*service.store, &place.group, &key).await;
    match (blocked, radius) {
        (Ok(Some(blocked)), Ok(Some(radius))) => drawn(place, &blocked, &radius, shop.clock.now()),
        (Ok(_), Ok(_)) => open(),
        (Err(error), _) | (_, Err(error)) => unavailable(&switchboard_core::chain(&error)),
    }
}

fn drawn(place: &Place, key: &BlockedKey, radius: &BlastRadius, now: Timestamp) -> Markup {
    let head = key.letters.first();
    html! {
        p class="sub" {
            (state(key, now))
            span { span class="owner" { (place.service) } " " code { (place.group) } }
        }
        div class="beside" {
            div {
                h2 { "What failed" }
                @if let Some(head) = head { (letter(head, true)) }
                h2 { "What waits behind it" }
                @if key.letters.len() < 2 {
                    p class="faint" { "Nothing. The next message of this key would." }
                }
                @for behind in key.letters.iter().skip(1) { (letter(behind, false)) }
                @if key.depth > SHOWN as u64 {
                    p class="faint" { "… and " (key.depth - SHOWN as u64) " more" }
                }
            }
            aside class="radius" aria-labelledby="radius-title" {
                h2 #radius-title { "What a replay would do" }
                (radius_markup(radius))
                form action={ (place.path()) "/replay" } method="post" {
                    button class="primary" {
                        "Replay " (radius.messages)
                        @if radius.messages == 1 { " message" } @else { " messages" }
                    }
                }
                @if let Some(head) = head { (skip_form(place, head)) }
            }
        }
    }
}

fn radius_markup(radius: &BlastRadius) -> Markup {
    html! {
        dl class="facts" {
            dt { "Messages" } dd { (radius.messages) ", in order, each at most once more" }
            dt { "Of these types" }
            dd { ul { @for (kind, count) in &radius.kinds {
                li { (count) " × "
                    @if kind == "?" { "cannot be read" } @else { code { (kind) } } }
            } } }
            @if let Some(oldest) = radius.oldest {
                dt { "The oldest is of" } dd { (time(&oldest.to_string())) }
            }
            dt { "Other keys" } dd { "are not touched" }
        }
        @if radius.hopeless {
            p class="notice warn" {
                "The first message cannot even be read: a replay parks it again. "
                "Deploy a program that reads it, or drop it."
            }
        }
    }
}

fn skip_form(place: &Place, head: &Letter) -> Markup {
    html! {
        details class="skip-form" {
            summary { "Drop the failed message instead" }
            form action={ (place.path()) "/skip" } method="post" {
                p {
                    "It is gone for good, and what waits behind it goes on. "
                    "The reason is recorded."
                }
                input type="hidden" name="entry" value=(head.entry);
                label for="reason" { "Reason" }
                input #reason name="reason" required minlength="3" maxlength="500"
                    autocomplete="off";
                button class="danger" { "Drop it" }
            }
        }
    }
}

fn letter(letter: &Letter, is_head: bool) -> Markup {
    html! {
        article class={ "letter " (if is_head { "head" } else { "" }) } {
            @match &letter.message {
                Some(message) => {
                    header { code { (message.kind) } (time(&message.time.to_string())) }
                    p class="faint" {
                        "from " (message.source) " on " code { (message.topic) } ", "
                        (letter.bytes) " bytes"
                        @if let Some(order) = order_of(&message.payload) {
                            @let path = format!("/console/orders/{}", escape_query(&order));
                            ", " a href=(path) { "its order" }
                        }
                    }
                    pre { (pretty(&message.payload)) }
                }
                None => {
                    header { strong { "Cannot be read" } }
                    @let why = letter.undecodable.as_deref().unwrap_or_default();
                    p { (why) ", " (letter.bytes) " bytes" }
                }
            }
            @if !letter.failures.is_empty() {
                ol class="failures" { @for failure in &letter.failures {
                    li {
                        (time(&failure.at.to_string()))
                        " attempt " (failure.attempt) " " (verdict(failure.verdict))
                        p { (failure.error) }
                    }
                } }
            }
        }
    }
}

fn verdict(verdict: Verdict) -> Markup {
    match verdict {
        Verdict::Retry => chip(Tone::Warn, "may pass"),
        Verdict::Terminal => chip(Tone::Bad, "always fails"),
        Verdict::Stuck => chip(Tone::Bad, "needs a person"),
    }
}

/// JSON with its lines, anything else as it is.
fn pretty(payload: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(payload) {
        Ok(value) => format!("{value:#}"),
        Err(_) => payload.to_owned(),
    }
}

fn order_of(payload: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(payload).ok()?;
    value["order_id"].as_str().map(str::to_owned)
}

/// What the last button did.
pub(super) fn said(done: Option<&str>) -> Markup {
    let (tone, text) = match done {
        Some("replayed") => ("good", "Replayed: its messages are tried again, in order."),
        Some("dropped") => ("good", "Dropped: what waited behind it goes on."),
        Some("moved") => (
            "warn",
            "Nothing was done: the key is open by now, or its first message is another one. \
             Look again.",
        ),
        _ => return html! {},
    };
    html! { p class={ "notice " (tone) } role="status" { (text) } }
}

pub(super) async fn replay(
    State(console): State<Console>,
    _: SignedIn,
    headers: HeaderMap,
    Path((service, group, key)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    from_our_page(&headers)?;
    let place = Place { service, group, key };
    let shop = &console.shop;
    let service = shop.service(&place.service).ok_or_else(Problem::not_found)?;
    tracing::warn!(?place, "an operator replays a parked key");
    let key = Key::from(&*place.key);
    let done = operator::replay(&*service.store, &*shop.clock, &place.group, &key).await;
    after(&place, done, "replayed")
}

pub(super) async fn skip(
    State(console): State<Console>,
    _: SignedIn,
    headers: HeaderMap,
    Path((service, group, key)): Path<(String, String, String)>,
    Form(skip): Form<Skip>,
) -> Result<Response, Problem> {
    from_our_page(&headers)?;
    let reason = skip.reason.trim();
    if !(3..=500).contains(&reason.chars().count()) {
        return Err(Problem::unprocessable("Give a reason of 3 to 500 characters."));
    }
    let place = Place { service, group, key };
    let shop = &console.shop;
    let service = shop.service(&place.service).ok_or_else(Problem::not_found)?;
    tracing::warn!(?place, skip.entry, reason, "an operator drops a message");
    let key = Key::from(&*place.key);
    let done = operator::skip(&*service.store, &place.group, &key, skip.entry, reason).await;
    after(&place, done, "dropped")
}

fn after(place: &Place, done: Result<(), CommitError>, word: &str) -> Result<Response, Problem> {
    let word = match done {
        Ok(()) => word,
        Err(CommitError::GateMoved) => "moved",
        Err(error) => return Err(error.into()),
    };
    Ok(Redirect::to(&format!("{}?done={word}", place.path())).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_segment_of_its_path_whatever_is_in_it() {
        let place = Place::new("payments", "payments.saga", "a/b?c");
        assert_eq!(place.path(), "/console/parked/payments/payments.saga/a%2Fb%3Fc");
    }

    #[test]
    fn a_payload_leads_to_its_order_if_it_names_one() {
        assert_eq!(order_of(r#"{"order_id":"7"}"#).as_deref(), Some("7"));
        assert_eq!(order_of("not json"), None);
        assert!(pretty(r#"{"a":1}"#).contains("\n"));
    }
}
