//! What operators ask of a service: which keys are blocked and why, what a replay would do, how far everything has come.

use std::sync::Arc;

use axum::extract::{FromRef, Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use switchboard_core::{Clock, Key};
use switchboard_handler::operator as keys;
use switchboard_message::Broker;
use switchboard_store::{CommitError, Gate, Store, Waiting};

use crate::{Auth, Deps, Input, Links, Principal, Problem};

/// Blocked keys that are listed, and messages of one key, at most.
const LIMIT: usize = 200;

#[derive(Clone)]
struct Operator {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    auth: Arc<Auth>,
}

impl FromRef<Operator> for Arc<Auth> {
    fn from_ref(operator: &Operator) -> Self {
        operator.auth.clone()
    }
}

/// Operator-only routes, to be nested under a service's operator prefix:
/// `GET /dead`, `GET /dead/{group}/{key}`, `POST …/replay`, `POST …/skip`, `GET /gates`,
/// `GET /positions`.
///
/// A key is shown as text; one that is no text is shown, and asked for, as `0x` and its digits.
pub fn routes(deps: &Deps) -> Router {
    let Deps { store, broker, clock, auth, .. } = deps.clone();
    Router::new()
        .route("/dead", get(list))
        .route("/dead/{group}/{key}", get(show))
        .route("/dead/{group}/{key}/replay", post(replay))
        .route("/dead/{group}/{key}/skip", post(skip))
        .route("/gates", get(gates))
        .route("/positions", get(positions))
        .with_state(Operator { store, broker, clock, auth })
}

/// All blocked keys with their heads, those first that have been blocked longest.
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
    let links = Links::own(format!("{}/dead", home(&service)));
    Ok(Json(json!({ "items": items, "_links": links })))
}

/// One blocked key with everything that waits behind it, and what a replay would run.
async fn show(
    State(operator): State<Operator>,
    caller: Principal,
    Path((group, key)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let key = key_of(&key);
    let gate = operator.store.gate(&group, &key).await?.ok_or_else(Problem::not_found)?;
    let waiting = operator.store.waiting(&group, &key, LIMIT).await?;
    let mut item = gate_json(&operator.store.identity().source, &gate);
    item["waiting"] = waiting.iter().map(waiting_json).collect();
    item["replay"] = json!(keys::blast_radius(&*operator.store, &group, &key).await?);
    Ok(Json(item))
}

/// Lets the key be tried again, in order, from its head.
async fn replay(
    State(operator): State<Operator>,
    caller: Principal,
    Path((group, key)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    caller.require_operator()?;
    tracing::warn!(group, key, "an operator replays a blocked key");
    let key = key_of(&key);
    accepted(keys::replay(&*operator.store, &*operator.clock, &group, &key).await)
}

/// Drops the head of a key: `{"entry": 7, "reason": "…"}`. The reason is recorded with it.
async fn skip(
    State(operator): State<Operator>,
    caller: Principal,
    Path((group, key)): Path<(String, String)>,
    mut input: Input,
) -> Result<StatusCode, Problem> {
    caller.require_operator()?;
    let entry = input.integer("entry", 0..=i64::MAX).cast_unsigned();
    let reason = input.text("reason", 3..=500);
    input.finish()?;
    tracing::warn!(group, key, entry, reason, "an operator drops a message");
    accepted(keys::skip(&*operator.store, &group, &key_of(&key), entry, &reason).await)
}

fn accepted(outcome: Result<(), CommitError>) -> Result<StatusCode, Problem> {
    match outcome {
        Ok(()) => Ok(StatusCode::ACCEPTED),
        Err(CommitError::GateMoved) => Err(Problem::conflict(
            "The key is not blocked any more, or its head is another message.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// All blocked keys without their messages.
async fn gates(
    State(operator): State<Operator>,
    caller: Principal,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let service = operator.store.identity().source;
    let gates = operator.store.gates(None, LIMIT).await?;
    let items: Vec<_> = gates.iter().map(|gate| gate_json(&service, gate)).collect();
    let links = Links::own(format!("{}/gates", home(&service)));
    Ok(Json(json!({ "items": items, "_links": links })))
}

/// How far the service's own log has come, and the relay on it; and every group on the broker.
async fn positions(
    State(operator): State<Operator>,
    caller: Principal,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let identity = operator.store.identity();
    let newest = *operator.store.watch().borrow();
    let checkpoints = operator.store.checkpoints().await?;
    let relay: Vec<_> = checkpoints
        .iter()
        .map(|checkpoint| json!({ "slot": checkpoint.slot, "position": checkpoint.position }))
        .collect();
    let groups = match operator.broker.inspect() {
        Some(inspect) => inspect.groups().await.map_err(|error| {
            tracing::warn!(%error, "the broker does not say how far its groups are");
            Problem::unavailable("The broker cannot be asked now.")
        })?,
        None => Vec::new(),
    };
    let groups: Vec<_> = groups
        .iter()
        .map(|lag| {
            json!({
                "group": lag.group,
                "topic": lag.topic,
                "partition": lag.partition,
                "position": lag.position,
                "lag": lag.lag,
                "oldest": lag.oldest,
                "members": lag.members,
            })
        })
        .collect();
    Ok(Json(json!({
        "service": identity.source,
        "incarnation": identity.incarnation,
        "newest": newest,
        "relay": relay,
        "groups": groups,
        "_links": Links::own(format!("{}/positions", home(&identity.source))),
    })))
}

/// The key that this text shows.
fn key_of(text: &str) -> Key {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len().is_multiple_of(2));
    let bytes = digits.and_then(|digits| {
        let pairs = (0..digits.len()).step_by(2);
        pairs
            .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
            .collect::<Option<Vec<_>>>()
    });
    match bytes {
        // Bytes that are text would have been shown as text.
        Some(bytes) if std::str::from_utf8(&bytes).is_err() => Key::from(bytes),
        _ => Key::from(text),
    }
}

/// Where the routes of a service's operator are.
fn home(service: &str) -> String {
    format!("/api/v1/operator/{service}")
}

/// A name as one segment of a path: everything but what needs no escape, escaped.
fn segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                segment.push(char::from(byte));
            }
            other => segment.push_str(&format!("%{other:02X}")),
        }
    }
    segment
}

/// A blocked key, with what can be done about it now: what waits for its time goes on by itself, and
/// may be hurried.
fn gate_json(service: &str, gate: &Gate) -> Value {
    let key = segment(&gate.key.to_string());
    let own = format!("{}/dead/{}/{key}", home(service), segment(gate.group.as_str()));
    let links = Links::own(&*own).act("replay", "POST", format!("{own}/replay")).act(
        "skip",
        "POST",
        format!("{own}/skip"),
    );
    json!({
        "service": service,
        "group": gate.group.as_str(),
        "key": gate.key.to_string(),
        "state": if gate.due.is_some() { "waiting" } else { "parked" },
        "due": gate.due.map(|due| due.to_string()),
        "since": gate.since.to_string(),
        "depth": gate.depth,
        "_links": links,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_segment_of_its_link() {
        assert_eq!(segment("order-1"), "order-1");
        assert_eq!(segment("a/b c?ä"), "a%2Fb%20c%3F%C3%A4");
    }

    #[test]
    fn a_key_is_asked_for_as_it_is_shown() {
        for key in ["order-1", "a/b", "0x", "0xzz", "0x6f6b", "\0keyless"] {
            assert_eq!(key_of(key), Key::from(key), "{key}");
        }
        let bytes = Key::from(vec![0xff, 0x00, 0x80]);
        assert_eq!(key_of(&bytes.to_string()), bytes);
    }
}
