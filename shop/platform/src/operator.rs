//! What the platform itself does for operators, beside what each service does for its own store.
//!
//! Records of any topic are shown as they lie in the log. Two switches are for proofs, and no help text names them: the broker is stopped and
//! let go on, and a record is published outside of any transaction, which is how a poisoned one gets in.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRef, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shop_edge::{Auth, Input, Principal, Problem};
use switchboard_core::{Clock, Envelope, Key, Position, Rng, chain};
use switchboard_message::{Broker, Capability, Inspect, Stored};
use switchboard_message_log::LogBroker;

use crate::backends::Carrier;

/// Records that are shown at once, at most.
const RECORDS_MAX: usize = 500;

#[derive(Clone)]
struct Operator {
    /// `None` in a gateway that was not told of one.
    broker: Option<Arc<dyn Broker>>,
    /// What it is called in sentences.
    name: &'static str,
    embedded: Option<LogBroker>,
    auth: Arc<Auth>,
    clock: Arc<dyn Clock>,
}

impl FromRef<Operator> for Arc<Auth> {
    fn from_ref(operator: &Operator) -> Self {
        operator.auth.clone()
    }
}

impl Operator {
    fn broker(&self) -> Result<&dyn Broker, Problem> {
        self.broker.as_deref().ok_or_else(|| {
            let how = "This gateway was not told of the broker: start it with --broker URL.";
            Problem::conflict(how)
        })
    }

    /// The broker, as far as it keeps a history.
    fn history(&self) -> Result<&dyn Inspect, Problem> {
        let broker = self.broker()?;
        let keeps = broker.capabilities().has.contains(&Capability::Replay);
        broker.inspect().filter(|_| keeps).ok_or_else(|| {
            let (name, others) = (self.name, Capability::Replay.available_on());
            Problem::conflict(format!(
                "{name} keeps no history: what was published can be read on {others}. What waits or \
                 failed is in the services' stores: see `switchboard dead list`."
            ))
        })
    }
}

/// The routes of the platform itself.
pub(crate) fn routes(carrier: Option<&Carrier>, auth: Arc<Auth>, clock: Arc<dyn Clock>) -> Router {
    let broker = carrier.map(|carrier| carrier.broker.clone());
    let embedded = carrier.and_then(|carrier| carrier.embedded.clone());
    let name = carrier.map_or("the broker", |carrier| carrier.url().name());
    Router::new()
        .route("/api/v1/operator/broker", post(switch))
        .route("/api/v1/operator/records", get(read).post(publish))
        .with_state(Operator { broker, name, embedded, auth, clock })
}

/// Which records.
#[derive(Deserialize)]
struct Wanted {
    topic: String,
    #[serde(default)]
    partition: u32,
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// Records of one partition, oldest first.
async fn read(
    State(operator): State<Operator>,
    caller: Principal,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let limit = wanted.limit.unwrap_or(20).clamp(1, RECORDS_MAX);
    let after = Position(wanted.after);
    let inspect = operator.history()?;
    let records = inspect.read(&wanted.topic, wanted.partition, after, limit).await;
    let records = records.map_err(|error| Problem::conflict(chain(&*error)))?;
    let items: Vec<_> = records.iter().map(record_json).collect();
    Ok(Json(json!({ "items": items })))
}

fn record_json(record: &Stored) -> Value {
    let position = record.position.0;
    match &record.message {
        Err(error) => json!({ "position": position, "undecodable": error.to_string() }),
        Ok(envelope) => json!({
            "position": position,
            "id": envelope.id.to_string(),
            "time": envelope.time,
            "kind": envelope.kind,
            "key": envelope.key.as_ref().map(ToString::to_string),
            "source": envelope.source,
            "correlation": envelope.context.correlation.to_string(),
            "headers": envelope.headers,
            "payload": serde_json::from_slice::<Value>(&envelope.payload)
                .unwrap_or_else(|_| String::from_utf8_lossy(&envelope.payload).into()),
        }),
    }
}

/// Whether the broker is to run.
#[derive(Deserialize)]
struct Switch {
    running: bool,
}

/// `{"running": false}` stops the broker, `true` lets it go on.
async fn switch(
    State(operator): State<Operator>,
    caller: Principal,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let Switch { running } = serde_json::from_slice(&body).map_err(|error| {
        Problem::bad_request(format!("Send `{{\"running\": false}}`: {error}."))
    })?;
    let Some(embedded) = &operator.embedded else {
        return Err(Problem::conflict(format!(
            "Only the embedded broker can be stopped and started here; {} is a program of its own.",
            operator.name
        )));
    };
    tracing::warn!(running, "an operator switches the broker");
    if running {
        embedded.resume();
    } else {
        embedded.pause();
    }
    Ok(Json(json!({ "running": running })))
}

/// `{"topic", "kind", "key", "payload"}` is published as it is; the payload is any text.
async fn publish(
    State(operator): State<Operator>,
    caller: Principal,
    mut input: Input,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.require_operator()?;
    let topic = input.text("topic", 1..=249);
    let kind = input.text("kind", 1..=200);
    let key = input.text("key", 1..=500);
    let payload = input.text("payload", 0..=65_536);
    input.finish()?;
    let mut rng = Rng::from_entropy();
    let envelope = Envelope::new(topic, kind, "operator", &*operator.clock, &mut rng)
        .with_key(Key::from(key))
        .with_payload(payload);
    let id = envelope.id.to_string();
    tracing::warn!(id, topic = %envelope.topic, "an operator publishes a record");
    match operator.broker()?.publish(vec![envelope]).await.pop() {
        Some(Ok(ack)) => {
            let place = json!({ "id": id, "partition": ack.partition, "position": ack.position });
            Ok((StatusCode::CREATED, Json(place)))
        }
        Some(Err(error)) => Err(Problem::conflict(chain(&error))),
        None => Err(Problem::internal()),
    }
}
