//! Orders over REST.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{FromRef, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::{LOCATION, RETRY_AFTER};
use serde_json::{Value, json};
use shop_contracts::Money;
use shop_contracts::inventory::Item;
use shop_contracts::shipping::ShipTo;
use shop_edge::links::segment;
use shop_edge::{
    Auth, Collection, Deps, IdempotencyKey, Idempotent, Input, Links, Page, Principal, Problem,
    RequestContext, Stored, operator,
};
use switchboard_core::{Context, Timestamp};
use switchboard_store::{Row, StoredEvent};

use crate::app::{App, Error, View, Wanted};
use crate::domain::order::may_be_cancelled;

/// Lines of one order, at most.
const LINES_MAX: usize = 50;
/// Pieces of one product in one order, at most.
const QUANTITY_MAX: i64 = 1_000_000;

#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) app: App,
    pub(crate) auth: Arc<Auth>,
    idempotent: Idempotent,
}

impl FromRef<Edge> for Arc<Auth> {
    fn from_ref(edge: &Edge) -> Self {
        edge.auth.clone()
    }
}

impl Edge {
    pub(super) fn new(app: App, deps: &Deps) -> Self {
        let idempotent = Idempotent::new(deps.store.clone(), deps.clock.clone());
        Self { app, auth: deps.auth.clone(), idempotent }
    }
}

/// All routes of the service.
pub fn routes(app: App, deps: &Deps) -> Router {
    let sagas = super::sagas::routes(app.clone(), deps);
    Router::new()
        .route("/api/v1/orders", get(list).post(place))
        .route("/api/v1/orders/{id}", get(show))
        .route("/api/v1/orders/{id}/events", get(events))
        .route("/api/v1/orders/{id}/cancellation", post(cancel))
        .with_state(Edge::new(app, deps))
        .nest("/api/v1/operator/orders", operator::routes(deps))
        .nest("/api/v1/operator/sagas", sagas)
}

async fn place(
    State(edge): State<Edge>,
    caller: Principal,
    RequestContext(context): RequestContext,
    IdempotencyKey(key): IdempotencyKey,
    input: Input,
) -> Result<Stored, Problem> {
    placed(&edge, caller, context, key, input).await
}

/// Places the order that the input describes, in whatever protocol it came, once for each key.
pub(super) async fn placed(
    edge: &Edge,
    caller: Principal,
    context: Context,
    key: String,
    mut input: Input,
) -> Result<Stored, Problem> {
    let body = input.as_value();
    let wanted = wanted(&caller, &mut input);
    input.finish()?;
    edge.idempotent
        .once(&caller.user_id, "place an order", &key, &body, |ticket| async move {
            let answer = |view: &View| {
                let location = format!("/api/v1/orders/{}", view.row.key);
                Stored::created(location, representation(view))
            };
            Ok(edge.app.place(context, wanted, &ticket, answer).await?)
        })
        .await
}

fn wanted(caller: &Principal, input: &mut Input) -> Wanted {
    let account_id = input.text("account_id", 1..=100);
    let items = input.list("items", 1..=LINES_MAX, |item| Item {
        sku: item.text("sku", 1..=100),
        quantity: item.integer("quantity", 1..=QUANTITY_MAX),
    });
    let skus: BTreeSet<_> = items.iter().map(|item| &item.sku).collect();
    if skus.len() < items.len() {
        input.wrong("items", "duplicate", "must name each product once; add up its quantities");
    }
    let mut ship_to = ShipTo {
        name: String::new(),
        address: String::new(),
        city: String::new(),
        country: String::new(),
    };
    input.object("ship_to", |to| {
        ship_to.name = to.text("name", 1..=100);
        ship_to.address = to.text("address", 1..=200);
        ship_to.city = to.text("city", 1..=100);
        ship_to.country = to.capitals("country", 2);
    });
    Wanted { user_id: caller.user_id.clone(), account_id, items, ship_to }
}

async fn list(
    State(edge): State<Edge>,
    caller: Principal,
    page: Page,
) -> Result<Response, Problem> {
    let of = (!caller.is_operator()).then_some(&*caller.user_id);
    let filter = format!("orders of {}", of.unwrap_or("all"));
    let turn = page.turn(&edge.auth, filter)?;
    let rows = edge.app.orders(of, turn.seek(), turn.rows()).await?;
    let place = |row: &Row| (row.integer("created_at").into(), row.key.clone());
    let collection = turn.collect(&edge.auth, rows, place).act("place", "POST", "/api/v1/orders");
    Ok(collection.map(|row| summary(&row)).into_response())
}

pub(super) async fn own(edge: &Edge, caller: &Principal, id: &str) -> Result<View, Problem> {
    let view = edge.app.order(id).await?;
    caller.owns_or_404(view.row.text("user_id"))?;
    Ok(view)
}

async fn show(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(representation(&own(&edge, &caller, &id).await?)))
}

async fn events(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Collection<Value>, Problem> {
    own(&edge, &caller, &id).await?;
    let items: Vec<_> = edge.app.events(&id).await?.iter().map(event_json).collect();
    let order = format!("/api/v1/orders/{id}");
    Ok(Collection::whole(items, &format!("{order}/events")).to("order", order))
}

async fn cancel(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    RequestContext(context): RequestContext,
) -> Result<Response, Problem> {
    own(&edge, &caller, &id).await?;
    let view = edge.app.cancel(context, &id).await?;
    // What becomes of it shows at the order itself, and usually soon.
    let order = format!("/api/v1/orders/{id}");
    let headers = [(LOCATION, order), (RETRY_AFTER, "1".to_owned())];
    Ok((StatusCode::ACCEPTED, headers, Json(representation(&view))).into_response())
}

fn event_json(event: &StoredEvent) -> Value {
    let stored: Value = serde_json::from_slice(&event.data).unwrap_or_default();
    let data = stored.get(event.kind.as_str()).cloned().unwrap_or_else(|| json!({}));
    json!({
        "seq": event.version,
        "type": event.kind.as_str(),
        "data": data,
        "timestamp": event.time,
    })
}

/// An order in a list: what its row shows.
fn summary(row: &Row) -> Value {
    let own = format!("/api/v1/orders/{}", row.key);
    let may = may_be_cancelled(row);
    let links =
        Links::own(&*own).act_if(may, "cancellation", "POST", format!("{own}/cancellation"));
    json!({
        "id": row.key,
        "user_id": row.text("user_id"),
        "status": row.text("status"),
        "total": Money::new(row.integer("total"), row.text("currency")),
        "created_at": Timestamp::from_micros(row.integer("created_at")),
        "_links": links,
    })
}

/// The whole order, with the actions that are possible now.
pub(crate) fn representation(view: &View) -> Value {
    let row = &view.row;
    let own = format!("/api/v1/orders/{}", row.key);
    let mut order = summary(row);
    order["account_id"] = row.text("account_id").into();
    order["items"] = view.json("items");
    order["ship_to"] = view.json("ship_to");
    order["history"] = json!(view.history);
    order["_links"]["events"] = json!({ "href": format!("{own}/events") });
    // Any text may be given as an account, until the order fails for it.
    let account = format!("/api/v1/accounts/{}", segment(row.text("account_id")));
    order["_links"]["account"] = json!({ "href": account });
    let shipment = row.text("shipment_id");
    if !shipment.is_empty() {
        order["shipment_id"] = shipment.into();
        order["tracking_number"] = row.text("tracking_number").into();
        order["_links"]["shipment"] = json!({ "href": format!("/api/v1/shipments/{shipment}") });
    }
    order
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::TooLate(status) => {
                Self::conflict(format!("The order is {status} and cannot be cancelled any more."))
            }
            Error::Refused(why) => Self::conflict(why),
            Error::Read(error) => error.into(),
            Error::Commit(error) => error.into(),
        }
    }
}
