//! What operators see and switch: the routing table, the groups, the counters, everybody's letters.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use shop_edge::{Input, Links, Page, Principal, Problem};
use switchboard_core::Timestamp;
use switchboard_store::Row;

use super::rest::{Edge, letter_json, listed};
use crate::app::day_of;
use crate::routes::{Destination, ROUTES};
use crate::switches::Switch;
use crate::tables::MAILBOX;

/// Where all of it is.
const HOME: &str = "/api/v1/operator/notifications";
/// How many days the counters are shown for.
const DAYS: u32 = 30;

/// Operator-only routes.
pub(super) fn routes() -> Router<Edge> {
    Router::new()
        .route("/api/v1/operator/notifications/routes", get(table))
        .route("/api/v1/operator/notifications/groups", get(groups))
        .route("/api/v1/operator/notifications/groups/{name}", post(switch).get(group))
        .route("/api/v1/operator/notifications/analytics", get(analytics))
        .route("/api/v1/operator/notifications/mailbox", get(mailbox))
}

/// The routing table as it is.
async fn table(caller: Principal) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let items: Vec<_> = ROUTES
        .iter()
        .map(|route| {
            let topics: Vec<_> = route.to.iter().map(|to| to.topic()).collect();
            json!({ "topic": route.topic, "type": route.kind, "to": topics })
        })
        .collect();
    Ok(Json(json!({ "items": items, "_links": Links::own(format!("{HOME}/routes")) })))
}

async fn groups(State(edge): State<Edge>, caller: Principal) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let items: Vec<_> = edge.app.switches().iter().map(switch_json).collect();
    Ok(Json(json!({ "items": items, "_links": Links::own(format!("{HOME}/groups")) })))
}

async fn group(
    State(edge): State<Edge>,
    caller: Principal,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let destination = Destination::parse(&name).ok_or_else(Problem::not_found)?;
    Ok(Json(switch_json(edge.app.switches().of(destination))))
}

/// `{"running": false}` stops a group, `{"failing": true}` begins a drill; either may be left out.
async fn switch(
    State(edge): State<Edge>,
    caller: Principal,
    Path(name): Path<String>,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let destination = Destination::parse(&name).ok_or_else(Problem::not_found)?;
    let running = optional_flag(&mut input, "running");
    let failing = optional_flag(&mut input, "failing");
    if running.is_none() && failing.is_none() {
        input.wrong("running", "required", "is missing, and so is `failing`");
    }
    input.finish()?;
    let switch = edge.app.switches().of(destination);
    if let Some(failing) = failing {
        switch.set_failing(failing);
    }
    if let Some(running) = running {
        edge.app.set_running(destination, running).await?;
    }
    tracing::warn!(group = name, ?running, ?failing, "an operator has switched a group");
    Ok(Json(switch_json(switch)))
}

fn optional_flag(input: &mut Input, field: &'static str) -> Option<bool> {
    input.has(field).then(|| input.flag(field))
}

/// The sums, and the counters of the last days, newest first.
async fn analytics(State(edge): State<Edge>, caller: Principal) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let now = edge.app.clock.now().as_micros();
    let span = Duration::from_secs(24 * 3600) * (DAYS - 1);
    let first = Timestamp::from_micros(now - i64::try_from(span.as_micros()).unwrap_or(0));
    let totals = edge.app.counters(None).await?;
    let mut days: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for row in edge.app.counters(Some(&day_of(first))).await? {
        let (name, value) = counter(&row);
        days.entry(row.text("day").to_owned()).or_default().insert(name, value);
    }
    let days: Vec<_> = days
        .into_iter()
        .rev()
        .map(|(day, counts)| json!({ "day": day, "counts": counts }))
        .collect();
    let totals: Map<_, _> = totals.iter().map(counter).collect();
    let links = Links::own(format!("{HOME}/analytics"));
    Ok(Json(json!({ "totals": totals, "days": days, "_links": links })))
}

fn counter(row: &Row) -> (String, Value) {
    (row.text("name").to_owned(), row.integer("value").into())
}

async fn mailbox(
    State(edge): State<Edge>,
    caller: Principal,
    page: Page,
) -> Result<Response, Problem> {
    caller.require_operator()?;
    let representation = |row: &Row| {
        let mut item = letter_json(row);
        item["user_id"] = row.text("user_id").into();
        item
    };
    listed(&edge, &MAILBOX, &caller, &page, representation).await
}

fn switch_json(switch: &Switch) -> Value {
    let destination = switch.destination();
    let name = destination.name();
    let own = format!("{HOME}/groups/{name}");
    json!({
        "name": name,
        "topic": destination.topic(),
        "running": switch.is_running(),
        "failing": switch.is_failing(),
        "error": switch.broken(),
        "_links": Links::own(&*own).act("switch", "POST", own),
    })
}
