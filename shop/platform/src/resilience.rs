//! The policies of this process over REST: what each breaker, limit and budget is doing, and the operator's hand on it.
//!
//! `GET /api/v1/resilience` lists them, `GET …/{name}` shows one. `PUT …/{name}/override` with `{"state": "isolated"}`, `"disabled"` or
//! `"observing"` takes a policy out of its own hands, `DELETE …/{name}/override?why=…` gives it back, and `PATCH …/{name}` with
//! `{"settings": {…}}` changes thresholds while it runs. The reasons are recorded with who did it.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRef, Path, Query, State};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use shop_edge::openapi::links;
use shop_edge::{Auth, Input, Principal, Problem};
use switchboard_resilience::Registry;
use switchboard_resilience::control::{Action, ControlError};

use crate::openapi::policies::{Deed, PATH, Policies, Policy};

/// Reasons have so many characters.
pub(crate) const REASON: std::ops::RangeInclusive<usize> = 3..=500;

/// Why an override ends. `DELETE` has no body that a server may count on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    why: Option<String>,
}

#[derive(Clone)]
struct Desk {
    registry: Registry,
    auth: Arc<Auth>,
}

impl FromRef<Desk> for Arc<Auth> {
    fn from_ref(desk: &Desk) -> Self {
        desk.auth.clone()
    }
}

/// The routes, for the operator.
pub(crate) fn routes(registry: Registry, auth: Arc<Auth>) -> Router {
    Router::new()
        .route(PATH, get(list))
        .route("/api/v1/resilience/{name}", get(show).patch(reconfigure))
        .route("/api/v1/resilience/{name}/override", put(take).delete(give_back))
        .with_state(Desk { registry, auth })
}

async fn list(State(desk): State<Desk>, caller: Principal) -> Result<Json<Policies>, Problem> {
    caller.require_operator()?;
    Ok(Json(Policies {
        items: desk.registry.views().iter().map(Policy::from).collect(),
        records: desk.registry.records().iter().map(Deed::from).collect(),
        links: links([("self", PATH)]),
    }))
}

async fn show(
    State(desk): State<Desk>,
    caller: Principal,
    Path(name): Path<String>,
) -> Result<Json<Policy>, Problem> {
    caller.require_operator()?;
    let view = desk.registry.view(&name).ok_or_else(Problem::not_found)?;
    Ok(Json(Policy::from(&view)))
}

async fn take(
    State(desk): State<Desk>,
    caller: Principal,
    Path(name): Path<String>,
    mut input: Input,
) -> Result<Json<Policy>, Problem> {
    caller.require_operator()?;
    let state = input.text("state", 1..=20);
    let why = input.text("why", REASON);
    let action = match state.as_str() {
        "isolated" => Action::Isolate,
        "disabled" => Action::Disable,
        "observing" => Action::Observe,
        _ => {
            input.wrong("state", "unknown", "must be `isolated`, `disabled` or `observing`");
            Action::Release
        }
    };
    input.finish()?;
    act(&desk, &name, action, &caller, &why)
}

async fn give_back(
    State(desk): State<Desk>,
    caller: Principal,
    Path(name): Path<String>,
    why: Result<Query<Why>, QueryRejection>,
) -> Result<Json<Policy>, Problem> {
    caller.require_operator()?;
    let wrong = || Problem::bad_parameter("why", "length", "`why` has 3 to 500 characters.");
    let Ok(Query(Why { why })) = why else { return Err(wrong()) };
    let why = why.unwrap_or_else(|| "released".to_owned());
    if !REASON.contains(&why.trim().chars().count()) {
        return Err(wrong());
    }
    act(&desk, &name, Action::Release, &caller, why.trim())
}

async fn reconfigure(
    State(desk): State<Desk>,
    caller: Principal,
    Path(name): Path<String>,
    mut input: Input,
) -> Result<Json<Policy>, Problem> {
    caller.require_operator()?;
    let why = input.text("why", REASON);
    let settings = input.numbers("settings");
    input.finish()?;
    act(&desk, &name, Action::Reconfigure { settings }, &caller, &why)
}

fn act(
    desk: &Desk,
    name: &str,
    action: Action,
    caller: &Principal,
    why: &str,
) -> Result<Json<Policy>, Problem> {
    let record = desk.registry.act(name, action, &caller.user_id, why).map_err(refused)?;
    let view = desk.registry.view(name).ok_or_else(Problem::not_found)?;
    Ok(Json(Policy { record: Some(Deed::from(&record)), ..Policy::from(&view) }))
}

/// What an operator is told whose wish a policy does not fulfil.
pub(crate) fn refused(error: ControlError) -> Problem {
    match error {
        ControlError::Unknown(_) => Problem::not_found(),
        ControlError::Invalid { .. } => Problem::unprocessable(error.to_string()),
        _ => Problem::conflict(error.to_string()),
    }
}
