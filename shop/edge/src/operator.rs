//! What operators ask of a service's store: which keys are parked and why, and what a replay would do.

use std::sync::Arc;

use axum::extract::{FromRef, Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use switchboard_core::{Clock, Key};
use switchboard_store::{CommitError, Gate, GateOp, Store, Unit, Waiting};

use crate::{Auth, Deps, Input, Principal, Problem};

/// Parked keys that are listed, and messages of one key, at most.
const LIMIT: usize = 200;

#[derive(Clone)]
struct Operator {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    auth: Arc<Auth>,
}

impl FromRef<Operator> for Arc<Auth> {
    fn from_ref(operator: &Operator) -> Self {
        operator.auth.clone()
    }
}

/// Operator-only routes, to be nested under a service's operator prefix:
/// `GET /dead`, `GET /dead/{group}/{key}`, `POST …/replay`, `POST …/skip`.
pub fn routes(deps: &Deps) -> Router {
    let (store, clock, auth) = (deps.store.clone(), deps.clock.clone(), deps.auth.clone());
    Router::new()
        .route("/dead", get(list))
        .route("/dead/{group}/{key}", get(show))
        .route("/dead/{group}/{key}/replay", post(replay))
        .route("/dead/{group}/{key}/skip", post(skip))
        .with_state(Operator { store, clock, auth })
}

/// All blocked keys, those first that have been blocked longest.
async fn list(State(operator): State<Operator>, caller: Principal) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let service = operator.store.identity().source;
    let mut items = Vec::new();
    for gate in operator.store.gates(None, LIMIT).await? {
        let head = operator.store.waiting(&gate.group, &gate.key, 1).await?;
        let mut item = gate_json(&service, &gate);
        item["head"] = head.first().map_or(Value::Null, waiting_json);
        items.push(item);
    }
    Ok(Json(json!({ "items": items })))
}

/// One blocked key with everything that waits behind it: what a replay would run, in order.
async fn show(
    State(operator): State<Operator>,
    caller: Principal,
    Path((group, key)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let key = Key::from(key);
    let gate = operator.store.gate(&group, &key).await?.ok_or_else(Problem::not_found)?;
    let waiting = operator.store.waiting(&group, &key, LIMIT).await?;
    let mut item = gate_json(&operator.store.identity().source, &gate);
    item["waiting"] = waiting.iter().map(waiting_json).collect();
    Ok(Json(item))
}

/// Lets the key be tried again, in order, from its head.
async fn replay(
    State(operator): State<Operator>,
    caller: Principal,
    Path((group, key)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    caller.require_operator()?;
    tracing::warn!(group, key, "an operator replays a parked key");
    let wake = GateOp::Wake { group: group.into(), key: key.into(), at: operator.clock.now() };
    commit(&operator, wake).await
}

/// Drops the head of a key: `{"entry": 7, "reason": "…"}`.
async fn skip(
    State(operator): State<Operator>,
    caller: Principal,
    Path((group, key)): Path<(String, String)>,
    mut input: Input,
) -> Result<StatusCode, Problem> {
    caller.require_operator()?;
    let entry = input.integer("entry", 0..=i64::MAX);
    let reason = input.text("reason", 3..=500);
    input.finish()?;
    tracing::warn!(group, key, entry, reason, "an operator drops a message");
    let entry = entry.cast_unsigned();
    commit(&operator, GateOp::Release { group: group.into(), key: key.into(), entry }).await
}

async fn commit(operator: &Operator, op: GateOp) -> Result<StatusCode, Problem> {
    let unit = Unit { gates: vec![op], ..Unit::new() };
    match operator.store.commit(unit).await {
        Ok(_) => Ok(StatusCode::ACCEPTED),
        Err(CommitError::GateMoved) => {
            Err(Problem::conflict("The key is not blocked any more, or its head is another message."))
        }
        Err(error) => Err(error.into()),
    }
}

fn gate_json(service: &str, gate: &Gate) -> Value {
    json!({
        "service": service,
        "group": gate.group.as_str(),
        "key": gate.key.to_string(),
        "state": if gate.due.is_some() { "waiting" } else { "parked" },
        "due": gate.due.map(|due| due.to_string()),
        "since": gate.since.to_string(),
        "depth": gate.depth,
    })
}

fn waiting_json(waiting: &Waiting) -> Value {
    let mut item = json!({
        "entry": waiting.entry,
        "since": waiting.since.to_string(),
        "failures": waiting.failures,
    });
    match waiting.envelope() {
        Ok(envelope) => {
            item["id"] = envelope.id.to_string().into();
            item["kind"] = envelope.kind.as_str().into();
            item["topic"] = envelope.topic.as_str().into();
            item["correlation"] = envelope.context.correlation.to_string().into();
            item["payload"] = serde_json::from_slice(&envelope.payload).unwrap_or_default();
        }
        Err(error) => item["undecodable"] = error.to_string().into(),
    }
    item
}
