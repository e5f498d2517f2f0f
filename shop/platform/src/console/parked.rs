//! Keys that are blocked behind a failed message, in all services: what waits for a person first.

use axum::extract::{Query, State};
use maud::{Markup, html};
use switchboard_core::Timestamp;
use switchboard_handler::operator::{self, BlockedKey, Letter};

use super::events::Fragments;
use super::key::{Done, Place, said};
use super::layout::{self, Here, Page};
use super::sample::GATES_LISTED;
use super::session::SignedIn;
use super::words::{Tone, age, chip, empty};
use super::{Console, Shop, Watched};

pub(super) async fn page(
    State(console): State<Console>,
    who: SignedIn,
    Query(done): Query<Done>,
) -> Markup {
    let (rows, parked) = rows(&console.shop).await;
    layout::page(Page {
        title: "Parked keys",
        here: Here::Parked,
        theme: who.theme,
        live: Some("/console/live/parked".to_owned()),
        parked,
        body: html! {
            h1 { "Parked keys" }
            p class="lead" {
                "A message that cannot be handled blocks its key, and only its key: what follows "
                "waits behind it in order, everything else flows."
            }
            (said(done.done.as_deref()))
            div #parked { (rows) }
        },
    })
}

/// The pieces of the list that change.
pub(super) async fn fragments(shop: &Shop) -> Fragments {
    let (rows, parked) = rows(shop).await;
    vec![("parked", rows), ("parked-count", html! { (parked) })]
}

async fn rows(shop: &Shop) -> (Markup, usize) {
    let mut all: Vec<(&Watched, BlockedKey)> = Vec::new();
    for service in &shop.services {
        let blocked = operator::blocked(&*service.store, None, GATES_LISTED).await;
        all.extend(blocked.unwrap_or_default().into_iter().map(|key| (service, key)));
    }
    // What waits for a person first, and of that what has waited longest.
    all.sort_by_key(|(_, key)| (key.due.is_some(), key.since));
    let parked = all.iter().filter(|(_, key)| key.due.is_none()).count();
    if all.is_empty() {
        let none = empty(
            "Nothing is parked",
            html! {
                "A message is tried four times at once and then three times with pauses. If it "
                "still fails, or cannot even be read, its key is parked and shows up here, with "
                "every failure and a button to replay it."
            },
        );
        return (none, 0);
    }
    let now = shop.clock.now();
    let rows = html! {
        div class="scroll" tabindex="0" role="region" aria-label="Blocked keys" {
            table class="rows" {
                thead { tr {
                    th { "Key" } th { "Group" } th { "State" } th class="figure" { "Messages" }
                    th { "Failed message" } th { "Last failure" }
                } }
                tbody { @for (service, key) in &all { (row(service, key, now)) } }
            }
        }
    };
    (rows, parked)
}

fn row(service: &Watched, key: &BlockedKey, now: Timestamp) -> Markup {
    let place = Place::new(service.name, &key.group, &key.key);
    let head = key.letters.first();
    html! {
        tr {
            th scope="row" { a href=(place.path()) { code { (key.key.escape_debug()) } } }
            td { span class="owner" { (service.name) } " " code { (key.group) } }
            td { (state(key, now)) }
            td class="figure" { (key.depth) }
            td {
                @match head.and_then(|head| head.message.as_ref()) {
                    Some(message) => { code { (message.kind) } }
                    None => { span class="faint" { "cannot be read" } }
                }
            }
            td class="failure" { (head.map(last_failure).unwrap_or_default()) }
        }
    }
}

pub(super) fn state(key: &BlockedKey, now: Timestamp) -> Markup {
    match key.due {
        None => chip(Tone::Bad, &format!("parked {}", age(now, key.since))),
        Some(due) => chip(Tone::Warn, &format!("again in {}", age(due, now))),
    }
}

fn last_failure(letter: &Letter) -> String {
    match (&letter.undecodable, letter.failures.last()) {
        (Some(why), _) => why.clone(),
        (None, Some(failure)) => failure.error.clone(),
        (None, None) => String::new(),
    }
}
