//! The policies of this process over REST: what each breaker, limit and budget is doing, and the operator's hand on it.
//!
//! `GET /api/v1/resilience` lists them, `GET …/{name}` shows one. `PUT …/{name}/override` with `{"state": "isolated"}` or
//! `{"state": "disabled"}` takes a policy out of its own hands, `DELETE` gives it back, and `PATCH …/{name}` with `{"settings": {…}}`
//! changes thresholds while it runs. Each asks for a reason, which is recorded with who did it.

use std::sync::Arc;

use axum::extract::{FromRef, Path, State};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use shop_edge::{Auth, Input, Principal, Problem};
use switchboard_resilience::Registry;
use switchboard_resilience::control::{Action, ControlError, Record, Transition, View};

/// Where the policies are.
const PATH: &str = "/api/v1/resilience";
/// Reasons have so many characters.
const REASON: std::ops::RangeInclusive<usize> = 3..=500;

#[derive(Clone)]
struct Policies {
    registry: Registry,
    auth: Arc<Auth>,
}

impl FromRef<Policies> for Arc<Auth> {
    fn from_ref(policies: &Policies) -> Self {
        policies.auth.clone()
    }
}

/// The routes, for the operator.
pub(crate) fn routes(registry: Registry, auth: Arc<Auth>) -> Router {
    Router::new()
        .route(PATH, get(list))
        .route("/api/v1/resilience/{name}", get(show).patch(reconfigure))
        .route("/api/v1/resilience/{name}/override", put(take).delete(give_back))
        .with_state(Policies { registry, auth })
}

async fn list(State(policies): State<Policies>, caller: Principal) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let items: Vec<_> = policies.registry.views().iter().map(view_json).collect();
    let records: Vec<_> = policies.registry.records().iter().map(record_json).collect();
    Ok(Json(json!({ "items": items, "records": records, "_links": { "self": { "href": PATH } } })))
}

async fn show(
    State(policies): State<Policies>,
    caller: Principal,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let view = policies.registry.view(&name).ok_or_else(Problem::not_found)?;
    Ok(Json(view_json(&view)))
}

async fn take(
    State(policies): State<Policies>,
    caller: Principal,
    Path(name): Path<String>,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let state = input.text("state", 1..=20);
    let why = input.text("why", REASON);
    let action = match state.as_str() {
        "isolated" => Action::Isolate,
        "disabled" => Action::Disable,
        _ => {
            input.wrong("state", "unknown", "must be `isolated` or `disabled`");
            Action::Release
        }
    };
    input.finish()?;
    act(&policies, &name, action, &caller, &why)
}

/// `DELETE` has no body, so the reason is that an override ends.
async fn give_back(
    State(policies): State<Policies>,
    caller: Principal,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    act(&policies, &name, Action::Release, &caller, "released")
}

async fn reconfigure(
    State(policies): State<Policies>,
    caller: Principal,
    Path(name): Path<String>,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let why = input.text("why", REASON);
    let settings = input.numbers("settings");
    input.finish()?;
    act(&policies, &name, Action::Reconfigure { settings }, &caller, &why)
}

fn act(
    policies: &Policies,
    name: &str,
    action: Action,
    caller: &Principal,
    why: &str,
) -> Result<Json<Value>, Problem> {
    let record = policies.registry.act(name, action, &caller.user_id, why);
    let record = record.map_err(|error| match error {
        ControlError::Unknown(_) => Problem::not_found(),
        ControlError::Invalid { .. } => Problem::unprocessable(error.to_string()),
        _ => Problem::conflict(error.to_string()),
    })?;
    let view = policies.registry.view(name).ok_or_else(Problem::not_found)?;
    let mut body = view_json(&view);
    body["record"] = record_json(&record);
    Ok(Json(body))
}

fn view_json(view: &View) -> Value {
    let href = format!("{PATH}/{}", crate::commands::remote::segment(view.name.as_str()));
    let numbers = |pairs: &[(&'static str, f64)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>()
    };
    let mut body = json!({
        "name": view.name,
        "kind": view.kind,
        "state": view.state,
        "figures": numbers(&view.figures),
        "settings": numbers(&view.settings),
        "transitions": view.transitions.iter().map(transition_json).collect::<Vec<_>>(),
        "_links": {
            "self": { "href": href },
            "override": { "href": format!("{href}/override") },
        },
    });
    if let Some(remaining) = view.remaining_open {
        body["remaining_open_seconds"] = json!(remaining.as_secs_f64());
    }
    body
}

fn transition_json(transition: &Transition) -> Value {
    json!({
        "at": transition.at,
        "from": transition.from,
        "to": transition.to,
        "because": transition.because,
    })
}

fn record_json(record: &Record) -> Value {
    json!({
        "at": record.at,
        "policy": record.policy,
        "action": record.action,
        "actor": record.actor,
        "why": record.why,
        "before": record.before,
        "after": record.after,
    })
}
