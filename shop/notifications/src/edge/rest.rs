//! Notifications and letters over REST.

use std::sync::Arc;

use axum::extract::{FromRef, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use shop_edge::{Auth, Deps, Page, Principal, Problem};
use switchboard_core::Timestamp;
use switchboard_store::{Row, Table};

use super::operator;
use crate::App;
use crate::tables::{MAILBOX, NOTIFICATIONS};

#[derive(Clone)]
pub(super) struct Edge {
    pub(super) app: Arc<App>,
    auth: Arc<Auth>,
}

impl FromRef<Edge> for Arc<Auth> {
    fn from_ref(edge: &Edge) -> Self {
        edge.auth.clone()
    }
}

/// All routes of the service.
pub fn routes(app: App, deps: &Deps) -> Router {
    Router::new()
        .route("/api/v1/notifications", get(notifications))
        .route("/api/v1/notifications/{id}", get(notification))
        .route("/api/v1/mailbox", get(mailbox))
        .route("/api/v1/mailbox/{id}", get(letter))
        .merge(operator::routes())
        .with_state(Edge { app: Arc::new(app), auth: deps.auth.clone() })
        .nest("/api/v1/operator/notifications", shop_edge::operator::routes(deps))
}

async fn notifications(
    State(edge): State<Edge>,
    caller: Principal,
    page: Page,
) -> Result<Response, Problem> {
    listed(&edge, &NOTIFICATIONS, &caller, &page, notification_json).await
}

async fn mailbox(
    State(edge): State<Edge>,
    caller: Principal,
    page: Page,
) -> Result<Response, Problem> {
    listed(&edge, &MAILBOX, &caller, &page, letter_json).await
}

async fn notification(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    shown(&edge, &NOTIFICATIONS, &caller, &id, notification_json).await
}

async fn letter(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    shown(&edge, &MAILBOX, &caller, &id, letter_json).await
}

/// The caller's own, everybody's for the operator, newest first.
pub(super) async fn listed(
    edge: &Edge,
    table: &'static Table,
    caller: &Principal,
    page: &Page,
    representation: impl Fn(&Row) -> Value,
) -> Result<Response, Problem> {
    let user_id = (!caller.is_operator()).then_some(&*caller.user_id);
    let filter = format!("{} of {user_id:?}", table.name);
    let turn = page.turn(&edge.auth, filter)?;
    let rows = edge.app.rows(table, user_id, turn.seek(), turn.rows()).await?;
    let place = |row: &Row| (row.get("at").clone(), row.key.clone());
    let collection = turn.collect(&edge.auth, rows, place);
    Ok(collection.map(|row| representation(&row)).into_response())
}

async fn shown(
    edge: &Edge,
    table: &'static Table,
    caller: &Principal,
    id: &str,
    representation: impl Fn(&Row) -> Value,
) -> Result<Json<Value>, Problem> {
    let row = edge.app.row(table, id).await?.ok_or_else(Problem::not_found)?;
    caller.owns_or_404(row.text("user_id"))?;
    Ok(Json(representation(&row)))
}

fn notification_json(row: &Row) -> Value {
    let mut item = json!({
        "id": row.key,
        "type": row.text("type"),
        "title": row.text("title"),
        "body": row.text("body"),
        "created_at": created_at(row),
        "_links": { "self": { "href": format!("/api/v1/notifications/{}", row.key) } },
    });
    add_order(&mut item, row);
    item
}

/// A letter that waits for an address has no `to` yet.
pub(super) fn letter_json(row: &Row) -> Value {
    let recipient = row.text("recipient");
    let mut item = json!({
        "id": row.key,
        "to": (!recipient.is_empty()).then_some(recipient),
        "subject": row.text("subject"),
        "body": row.text("body"),
        "status": row.text("status"),
        "created_at": created_at(row),
        "_links": { "self": { "href": format!("/api/v1/mailbox/{}", row.key) } },
    });
    add_order(&mut item, row);
    item
}

fn created_at(row: &Row) -> Timestamp {
    Timestamp::from_micros(row.integer("at"))
}

fn add_order(item: &mut Value, row: &Row) {
    let order_id = row.text("order_id");
    if !order_id.is_empty() {
        item["order_id"] = order_id.into();
        item["_links"]["order"] = json!({ "href": format!("/api/v1/orders/{order_id}") });
    }
}
