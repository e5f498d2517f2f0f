//! The policies that stand between the shop and what it depends on: open breakers first, each with why, until when, and a hand on it.

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use maud::{Markup, html};
use serde::Deserialize;
use shop_edge::Problem;
use switchboard_core::Timestamp;
use switchboard_resilience::control::{Action, Record, Transition, View};

use super::events::Fragments;
use super::layout::{self, Here, Page};
use super::session::{SignedIn, from_our_page};
use super::words::{Tone, age, chip, empty, spaced};
use super::{Console, Shop, escape_query, sample};
use crate::resilience::{REASON, refused};

/// Changes of state that are shown of one policy.
const TRANSITIONS: usize = 3;
/// Acts of operators that are shown.
const RECORDS: usize = 10;
/// Who acts through the console.
const ACTOR: &str = "operator";

#[derive(Deserialize)]
pub(super) struct Reason {
    reason: String,
}

pub(super) async fn page(State(console): State<Console>, who: SignedIn) -> Markup {
    let shop = &console.shop;
    layout::page(Page {
        title: "Policies",
        here: Here::Policies,
        theme: who.theme,
        live: Some("/console/live/policies".to_owned()),
        parked: sample::parked(shop).await,
        body: html! {
            h1 { "Policies" }
            p class="lead" {
                "A breaker stops calls to what fails, a bulkhead bounds how many run, a budget "
                "bounds how many are repeated. An open breaker means degraded, not dead."
            }
            div #policies { (rows(shop)) }
            h2 { "What operators did" }
            div #policy-records { (records(shop)) }
        },
    })
}

/// The pieces of the page that change.
pub(super) async fn fragments(shop: &Shop) -> Fragments {
    let parked = sample::parked(shop).await;
    vec![
        ("policies", rows(shop)),
        ("policy-records", records(shop)),
        ("parked-count", html! { (parked) }),
    ]
}

/// Lets nothing through until released.
pub(super) async fn isolate(
    State(console): State<Console>,
    _: SignedIn,
    headers: HeaderMap,
    Path(name): Path<String>,
    Form(form): Form<Reason>,
) -> Result<Response, Problem> {
    act(&console, &headers, &name, Action::Isolate, &form.reason)
}

/// Gives a policy back its own judgement.
pub(super) async fn release(
    State(console): State<Console>,
    _: SignedIn,
    headers: HeaderMap,
    Path(name): Path<String>,
    Form(form): Form<Reason>,
) -> Result<Response, Problem> {
    act(&console, &headers, &name, Action::Release, &form.reason)
}

fn act(
    console: &Console,
    headers: &HeaderMap,
    name: &str,
    action: Action,
    reason: &str,
) -> Result<Response, Problem> {
    from_our_page(headers)?;
    let reason = reason.trim();
    if !REASON.contains(&reason.chars().count()) {
        return Err(Problem::unprocessable("Say why, in 3 to 500 characters."));
    }
    console.shop.policies.act(name, action, ACTOR, reason).map_err(refused)?;
    Ok(Redirect::to("/console/policies").into_response())
}

fn rows(shop: &Shop) -> Markup {
    let mut views = shop.policies.views();
    if views.is_empty() {
        return empty(
            "No policy is registered",
            html! { "This process calls nothing that a breaker or a limit stands before." },
        );
    }
    // What needs a look comes first; within that, by name.
    views.sort_by_key(|view| (tone(view.state) == Tone::Good, view.name.as_str()));
    let now = shop.clock.now();
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Policies" {
            table class="rows" {
                thead { tr {
                    th { "Policy" } th { "Kind" } th { "State" } th { "Now" }
                    th { "Last changes" } th { "By hand" }
                } }
                tbody { @for view in &views { (row(view, now)) } }
            }
        }
    }
}

fn row(view: &View, now: Timestamp) -> Markup {
    html! {
        tr {
            th scope="row" { code { (view.name) } }
            td { (spaced(view.kind)) }
            td { (chip(tone(view.state), &state(view))) }
            td class="figures" { @for (name, value) in &view.figures {
                span { (spaced(name)) " " b { (figure(*value)) } } " "
            } }
            td {
                @for change in view.transitions.iter().take(TRANSITIONS) {
                    (transition(change, now))
                }
            }
            td { (hand(view)) }
        }
    }
}

fn transition(change: &Transition, now: Timestamp) -> Markup {
    html! {
        p class="change" {
            (spaced(change.from)) " → " (spaced(change.to))
            span class="faint" { " " (age(now, change.at)) " ago: " (change.because) }
        }
    }
}

/// Only a breaker can be taken by hand here; thresholds change over the API.
fn hand(view: &View) -> Markup {
    if view.kind != "breaker" {
        return html! {};
    }
    let is_taken = matches!(view.state, "isolated" | "disabled" | "observing");
    let (verb, label, class) =
        if is_taken { ("release", "Release", "primary") } else { ("isolate", "Isolate", "danger") };
    let path = format!("/console/policies/{}/{verb}", escape_query(view.name.as_str()));
    html! {
        details class="skip-form" {
            summary { (label) }
            form action=(path) method="post" {
                label for={ "why-" (view.name) } { "Reason" }
                input id={ "why-" (view.name) } name="reason" required minlength="3"
                    maxlength="500" autocomplete="off";
                button class=(class) { (label) }
            }
        }
    }
}

fn records(shop: &Shop) -> Markup {
    let records = shop.policies.records();
    if records.is_empty() {
        return html! { p class="faint" { "Nothing since this process started." } };
    }
    let now = shop.clock.now();
    html! { ul { @for record in records.iter().take(RECORDS) { (said(record, now)) } } }
}

fn said(record: &Record, now: Timestamp) -> Markup {
    html! {
        li {
            (record.actor) ": " (record.action.name()) " " code { (record.policy) }
            ", " (spaced(record.before)) " → " (spaced(record.after))
            span class="faint" { " " (age(now, record.at)) " ago: " (record.why) }
        }
    }
}

fn state(view: &View) -> String {
    match view.remaining_open {
        Some(remaining) => format!("{} {} s more", spaced(view.state), remaining.as_secs()),
        None => spaced(view.state),
    }
}

fn tone(state: &str) -> Tone {
    match state {
        "closed" | "ok" => Tone::Good,
        "half_open" => Tone::Busy,
        "disabled" | "observing" => Tone::Quiet,
        "isolated" => Tone::Warn,
        _ => Tone::Bad,
    }
}

/// Whole numbers as such, shares with two digits.
fn figure(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
