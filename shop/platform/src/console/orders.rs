//! The last orders, newest first; each opens to its saga.

use axum::extract::{Query, State};
use axum::response::Redirect;
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::events::Fragments;
use super::layout::{self, Here, Page};
use super::session::SignedIn;
use super::words::{date, empty, id, money, order_chip};
use super::{Console, Shop, escape_query, sample};
use crate::load::client::Call;

/// Orders on one page.
const SHOWN: usize = 50;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Older {
    cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    id: String,
}

pub(super) async fn page(
    State(console): State<Console>,
    who: SignedIn,
    Query(older): Query<Older>,
) -> Markup {
    let shop = &console.shop;
    let rows = rows(shop, older.cursor.as_deref()).await;
    // Older pages stand still: what is new is on the first one.
    let live = older.cursor.is_none().then(|| "/console/live/orders".to_owned());
    layout::page(Page {
        title: "Orders",
        here: Here::Orders,
        theme: who.theme,
        live,
        parked: sample::parked(shop).await,
        body: html! {
            h1 { "Orders" }
            p class="lead" {
                "Each order is led by a saga: verify, charge, reserve, ship, take stock; and back, "
                "when something is refused."
            }
            div #orders { (rows) }
        },
    })
}

/// An order by its whole id, as people paste it.
pub(super) async fn find(Query(wanted): Query<Wanted>, _: SignedIn) -> Redirect {
    let id = wanted.id.trim();
    if id.is_empty() {
        return Redirect::to("/console/orders");
    }
    Redirect::to(&format!("/console/orders/{}", escape_query(id)))
}

/// The pieces of the page that change.
pub(super) async fn fragments(shop: &Shop, cursor: Option<&str>) -> Fragments {
    let parked = sample::parked(shop).await;
    vec![("orders", rows(shop, cursor).await), ("parked-count", html! { (parked) })]
}

async fn rows(shop: &Shop, cursor: Option<&str>) -> Markup {
    let cursor = cursor.map(|cursor| format!("&cursor={}", escape_query(cursor)));
    let path = format!("/api/v1/orders?limit={SHOWN}{}", cursor.unwrap_or_default());
    let page = match read(shop, &path).await {
        Ok(page) => page,
        Err(why) => return unavailable(&why),
    };
    let items = page["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        return empty(
            "No order yet",
            html! {
                "Let some customers order: run " code { "switchboard demo" }
            " in a second terminal. "
                "They show up here at once."
            },
        );
    }
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Orders" {
            table class="rows" {
                thead { tr {
                    th { "Order" } th { "State" } th class="figure" { "Total" }
                    th class="wide" { "Customer" }
                    th { "Placed" }
                } }
                tbody { @for order in &items { (row(order)) } }
            }
        }
        @if let Some(next) = page["next"].as_str() {
            p class="more" {
                a href={ "/console/orders?cursor=" (escape_query(next)) } { "Older orders" }
            }
        }
    }
}

fn row(order: &Value) -> Markup {
    let text = |field: &str| order[field].as_str().unwrap_or_default();
    html! {
        tr {
            th scope="row" { a href={ "/console/orders/" (text("id")) } { (id(text("id"))) } }
            td { (order_chip(text("status"))) }
            td class="figure" { (money(&order["total"])) }
            td class="wide" { (id(text("user_id"))) }
            td { (date(text("created_at"))) }
        }
    }
}

/// What a service answers to the operator, or why it does not.
pub(super) async fn read(shop: &Shop, path: &str) -> Result<Value, String> {
    let call = Call { token: Some(shop.auth.operator_token()), ..Call::default() };
    match shop.client.call(Method::GET, path, &call).await {
        Ok(answer) if answer.status.is_success() => Ok(answer.body),
        Ok(answer) => Err(answer.body["detail"].as_str().unwrap_or("no reason given").to_owned()),
        Err(error) => Err(switchboard_core::chain(&error)),
    }
}

/// What is shown in the place of something that cannot be read now.
pub(super) fn unavailable(why: &str) -> Markup {
    html! { p class="notice warn" role="status" { "This cannot be shown now: " (why) } }
}
