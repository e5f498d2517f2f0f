//! One order: its path through the states, its saga drawn as it stands, and what happened, in one line of time.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{Markup, PreEscaped, html};
use serde_json::Value;
use switchboard_core::Timestamp;

use super::events::Fragments;
use super::layout::{self, Here, Page};
use super::orders::read;
use super::session::SignedIn;
use super::words::{Tone, chip, date, empty, id, money, order_chip, spaced, time};
use super::{Console, Shop, escape_query, sample, stuck};

pub(super) async fn page(
    State(console): State<Console>,
    who: SignedIn,
    Path(order): Path<String>,
) -> Response {
    let shop = &console.shop;
    let parked = sample::parked(shop).await;
    let Some(pieces) = fragments(shop, &order).await else {
        let page = layout::page(Page {
            title: "No such order",
            here: Here::Orders,
            theme: who.theme,
            live: None,
            parked,
            body: html! {
                (crumbs())
                h1 { "No such order" }
                (empty("There is no order with this id", html! {
                    code { (order) } " may be cut off, or of another data folder. "
                    "Ids are whole in the answer to " code { "POST /api/v1/orders" } "."
                }))
            },
        });
        return (StatusCode::NOT_FOUND, page).into_response();
    };
    let piece = |id: &str| pieces.iter().find(|(known, _)| *known == id).map(|(_, piece)| piece);
    layout::page(Page {
        title: "Order",
        here: Here::Orders,
        theme: who.theme,
        live: Some(format!("/console/live/orders/{}", escape_query(&order))),
        parked,
        body: html! {
            (crumbs())
            @for part in ["order", "path", "saga"] {
                div id=(part) class=(part) { @if let Some(it) = piece(part) { (it) } }
            }
            div class="beside" {
                div #events { @if let Some(it) = piece("events") { (it) } }
                div #facts { @if let Some(it) = piece("facts") { (it) } }
            }
        },
    })
    .into_response()
}

fn crumbs() -> Markup {
    html! { p class="crumbs" { a href="/console/orders" { "Orders" } } }
}

/// The pieces of the page; `None` when there is no such order.
pub(super) async fn fragments(shop: &Shop, order_id: &str) -> Option<Fragments> {
    let name = escape_query(order_id);
    let order = read(shop, &format!("/api/v1/orders/{name}")).await.ok()?;
    let trail = read(shop, &format!("/api/v1/orders/{name}/events")).await.unwrap_or_default();
    let saga = read(shop, &format!("/api/v1/operator/sagas/{name}")).await.ok();
    let drawing = match &saga {
        Some(_) => read(shop, &format!("/api/v1/operator/sagas/{name}/diagram.svg")).await.ok(),
        None => None,
    };
    let parked = sample::parked(shop).await;
    Some(vec![
        ("order", heading(&order)),
        ("path", path(&order)),
        ("saga", drawn(saga.as_ref(), drawing.as_ref())),
        ("events", events(&trail, saga.as_ref())),
        ("facts", facts(&order)),
        ("parked-count", html! { (parked) }),
    ])
}

fn heading(order: &Value) -> Markup {
    let text = |field: &str| order[field].as_str().unwrap_or_default();
    html! {
        h1 { "Order " code { (text("id")) } }
        p class="sub" { (order_chip(text("status"))) span class="sum" { (money(&order["total"])) } }
    }
}

/// The states it came to, with the time between them.
fn path(order: &Value) -> Markup {
    let history = order["history"].as_array().cloned().unwrap_or_default();
    let at = |past: &Value| past["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    html! {
        ol aria-label="The states it came to" {
            @for (index, past) in history.iter().enumerate() {
                @let status = past["status"].as_str().unwrap_or_default();
                @let since = index.checked_sub(1).and_then(|before| at(&history[before]));
                li class={ "past " (tone(status)) } {
                    span class="took" {
                        @if let Some((now, since)) = at(past).zip(since) {
                            "+" (now.since(since).as_millis()) " ms"
                        }
                    }
                    strong { (spaced(status)) }
                    (time(past["at"].as_str().unwrap_or_default()))
                    @if let Some(reason) = past["reason"].as_str() {
                        span class="reason" { (spaced(reason)) }
                    }
                }
            }
        }
    }
}

fn tone(status: &str) -> &'static str {
    match status {
        "completed" => "good",
        "failed" | "payment_cancelled" | "compensate_inventory" => "warn",
        "undo_failed" => "bad",
        _ => "busy",
    }
}

fn drawn(saga: Option<&Value>, drawing: Option<&Value>) -> Markup {
    let Some(saga) = saga else {
        return empty(
            "No saga began",
            html! {
                "The order was refused before anything was asked of another service, "
                "so there is nothing to undo."
            },
        );
    };
    let phase = saga["phase"].as_str().unwrap_or_default();
    html! {
        header {
            h2 { "Saga" }
            (chip(match phase {
                "completed" => Tone::Good,
                "undone" => Tone::Quiet,
                "undoing" => Tone::Warn,
                "stuck" => Tone::Bad,
                _ => Tone::Busy,
            }, phase))
            ul class="legend" aria-label="How steps stand" {
                @for state in ["done", "running", "remaining", "refused", "undone", "stuck"] {
                    li class={ "step " (state) } { i {} (state) }
                }
                li class="pivot" { i {} "the last that can be refused" }
            }
        }
        @if phase == "stuck" {
            (stuck::forms(saga["instance"].as_str().unwrap_or_default(), saga))
        }
        // Made by the saga itself, with every name escaped.
        div class="scroll" tabindex="0" role="region" aria-label="The saga's steps" {
            @if let Some(svg) = drawing.and_then(Value::as_str) { (PreEscaped(svg)) }
        }
    }
}

/// One line of what happened.
struct Line {
    at: String,
    /// `order` or `saga`: whose stream it is in.
    whose: &'static str,
    what: String,
    detail: String,
}

impl Line {
    fn rank(&self) -> u8 {
        match (self.whose, &*self.what) {
            ("order", "Placed") => 0,
            ("saga", _) => 1,
            _ => 2,
        }
    }
}

/// The order's audit trail and its saga's journal, merged by time.
fn events(trail: &Value, saga: Option<&Value>) -> Markup {
    let list = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let mut lines: Vec<_> =
        list(trail, "items").iter().map(|event| line("order", event, "timestamp")).collect();
    if let Some(saga) = saga {
        lines.extend(list(saga, "events").iter().map(|event| line("saga", event, "at")));
    }
    // Of one commit's facts the answer comes before the state that it led to.
    lines.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.rank().cmp(&b.rank())));
    html! {
        h2 { "What happened" }
        ol class="timeline" {
            @for line in &lines {
                li class=(line.whose) {
                    (time(&line.at))
                    span class="whose" { (line.whose) }
                    strong { (line.what) }
                    @if !line.detail.is_empty() { span class="detail" { (line.detail) } }
                }
            }
        }
    }
}

fn line(whose: &'static str, event: &Value, at: &str) -> Line {
    let data = &event["data"];
    // The journal's data is the whole enum, `{"Answered": {…}}`; the trail's is what is in it.
    let kind = event["type"].as_str().unwrap_or_default();
    let inner = data.get(kind).unwrap_or(data);
    let text = |field: &str| inner[field].as_str().unwrap_or_default();
    let (what, detail) = match kind {
        "Entered" => (spaced(text("status")), spaced(text("reason"))),
        "Answered" => {
            let undo = if text("action") == "undo" { "undo " } else { "" };
            let reason = if text("reason").is_empty() {
                String::new()
            } else {
                format!(": {}", spaced(text("reason")))
            };
            (format!("{undo}{}", text("step")), format!("{}{reason}", text("outcome")))
        }
        "Retried" => ("Retried".to_owned(), format!("by {}", text("by"))),
        "Resolved" => {
            ("Resolved by hand".to_owned(), format!("by {}: {}", text("by"), text("reason")))
        }
        "Shipped" => ("Shipped".to_owned(), text("tracking_number").to_owned()),
        other => (words(other), String::new()),
    };
    let at = event[at].as_str().unwrap_or_default().to_owned();
    Line { at, whose, what, detail }
}

/// `CancelRequested` as words.
fn words(name: &str) -> String {
    let mut words = String::new();
    for (index, letter) in name.chars().enumerate() {
        if index > 0 && letter.is_uppercase() {
            words.push(' ');
            words.extend(letter.to_lowercase());
        } else {
            words.push(letter);
        }
    }
    words
}

fn facts(order: &Value) -> Markup {
    let text = |field: &str| order[field].as_str().unwrap_or_default();
    let to = &order["ship_to"];
    let place = |field: &str| to[field].as_str().unwrap_or_default();
    let items = order["items"].as_array().cloned().unwrap_or_default();
    html! {
        h2 { "Order" }
        dl class="facts" {
            dt { "Items" }
            dd {
                ul { @for item in &items {
                    @let sku = item["sku"].as_str().unwrap_or_default();
                    li { (item["quantity"]) " × " code { (sku) } }
                } }
            }
            dt { "Total" } dd { (money(&order["total"])) }
            dt { "Ship to" }
            dd {
                (place("name")) br; (place("address")) br;
                (place("city")) ", " (place("country"))
            }
            dt { "Customer" } dd { (id(text("user_id"))) }
            dt { "Account" } dd { (id(text("account_id"))) }
            @if !text("shipment_id").is_empty() {
                dt { "Shipment" }
                dd { (id(text("shipment_id"))) br; code { (text("tracking_number")) } }
            }
            dt { "Placed" } dd { (date(text("created_at"))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_of_the_journal_says_what_was_asked_and_what_came_of_it() {
        let event = json!({
            "type": "Answered", "at": "2026-01-01T00:00:00Z",
            "data": { "Answered": {
                "step": "ship", "action": "do", "outcome": "rejected",
                "reason": "country_not_served", "epoch": 1,
            } },
        });
        let line = line("saga", &event, "at");
        assert_eq!((&*line.what, &*line.detail), ("ship", "rejected: country not served"));
    }

    #[test]
    fn what_came_first_stands_first_whoever_wrote_it() {
        let trail = json!({ "items": [
            { "type": "Placed", "timestamp": "2026-01-01T00:00:01Z", "data": {} },
            { "type": "Entered", "timestamp": "2026-01-01T00:00:03Z",
              "data": { "status": "completed", "reason": null } },
        ] });
        let saga = json!({ "events": [
            { "type": "Started", "at": "2026-01-01T00:00:02Z", "data": { "Started": {} } },
        ] });
        let html = events(&trail, Some(&saga)).into_string();
        let places: Vec<_> =
            ["Placed", "Started", "completed"].iter().map(|it| html.find(it).unwrap()).collect();
        assert!(places.is_sorted(), "{html}");
    }

    #[test]
    fn names_of_facts_read_as_words() {
        assert_eq!(words("CancellationRequested"), "Cancellation requested");
    }
}
