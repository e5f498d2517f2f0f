//! The order saga as operators see it: which runs are stuck and why, and the two things that can be done.

use std::sync::Arc;

use axum::extract::{FromRef, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};
use shop_edge::{Auth, Deps, Input, Links, Principal, Problem};
use switchboard_core::chain;
use switchboard_saga as saga;
use switchboard_saga::{Phase, Shown};

use crate::app::App;

/// What runs can be asked for by.
const PHASES: [&str; 5] = ["doing", "undoing", "stuck", "completed", "undone"];
/// Where they are.
const SAGAS: &str = "/api/v1/operator/sagas";
/// Runs in a list, at most.
const LIMIT: usize = 200;

#[derive(Clone)]
struct Edge {
    app: App,
    auth: Arc<Auth>,
}

impl FromRef<Edge> for Arc<Auth> {
    fn from_ref(edge: &Edge) -> Self {
        edge.auth.clone()
    }
}

/// Operator-only: list, show, retry, resolve, diagram.
pub(super) fn routes(app: App, deps: &Deps) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/diagram", get(definition))
        .route("/{id}", get(show))
        .route("/{id}/diagram.svg", get(diagram))
        .route("/{id}/retry", post(retry))
        .route("/{id}/resolution", post(resolve))
        .with_state(Edge { app, auth: deps.auth.clone() })
}

#[derive(Debug, Deserialize)]
struct Which {
    phase: Option<String>,
}

async fn list(
    State(edge): State<Edge>,
    caller: Principal,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    if which.phase.as_deref().is_some_and(|phase| !PHASES.contains(&phase)) {
        let detail = format!("`phase` is one of {}.", PHASES.join(", "));
        return Err(Problem::bad_request(detail));
    }
    let listed = edge.app.fulfilment.saga().list(which.phase.as_deref(), LIMIT).await?;
    Ok(Json(json!({ "items": listed, "_links": Links::own(SAGAS) })))
}

async fn shown(edge: &Edge, caller: &Principal, id: &str) -> Result<Shown, Problem> {
    caller.require_operator()?;
    edge.app.fulfilment.saga().load(id).await.map_err(problem)?.ok_or_else(Problem::not_found)
}

async fn show(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let shown = shown(&edge, &caller, &id).await?;
    let names: Vec<_> = edge.app.fulfilment.saga().definition().step_names().collect();
    let phase = shown.run.state.phase;
    let step = phase.asked().and_then(|(step, _)| names.get(step).copied());
    let actions: &[&str] = match phase {
        Phase::Stuck { .. } => &["retry", "resolve"],
        _ => &[],
    };
    let own = format!("{SAGAS}/{id}");
    let is_stuck = !actions.is_empty();
    let links = Links::own(&*own)
        .to("order", format!("/api/v1/orders/{id}"))
        .to("diagram", format!("{own}/diagram.svg"))
        .act_if(is_stuck, "retry", "POST", format!("{own}/retry"))
        .act_if(is_stuck, "resolve", "POST", format!("{own}/resolution"));
    let events: Vec<_> = shown
        .events
        .iter()
        .map(|event| {
            let data: Value = serde_json::from_slice(&event.data).unwrap_or_default();
            json!({ "seq": event.version, "type": event.kind.as_str(), "at": event.time, "data": data })
        })
        .collect();
    Ok(Json(json!({
        "instance": id,
        "phase": phase.name(),
        "step": step,
        "cancelling": shown.run.state.cancelling,
        "reason": shown.run.reason,
        "waiting_since": shown.run.asked_at,
        "actions": actions,
        "events": events,
        "_links": links,
    })))
}

async fn diagram(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let shown = shown(&edge, &caller, &id).await?;
    let svg = edge.app.fulfilment.saga().definition().svg(Some(&shown.run));
    Ok(([(CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

#[derive(Debug, Deserialize)]
struct Format {
    format: Option<String>,
}

async fn definition(
    State(edge): State<Edge>,
    caller: Principal,
    Query(format): Query<Format>,
) -> Result<Response, Problem> {
    caller.require_operator()?;
    let definition = edge.app.fulfilment.saga().definition();
    match format.format.as_deref() {
        None | Some("mermaid") => Ok(definition.mermaid().into_response()),
        Some("svg") => {
            Ok(([(CONTENT_TYPE, "image/svg+xml")], definition.svg(None)).into_response())
        }
        Some(_) => {
            let detail = "`format` is `mermaid` or `svg`.";
            Err(Problem::bad_parameter("format", "unknown", detail))
        }
    }
}

async fn retry(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let unit = edge.app.fulfilment.saga().retry(&id, &caller.user_id).await.map_err(problem)?;
    edge.app.store.commit(unit).await?;
    show(State(edge), caller, Path(id)).await
}

async fn resolve(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let reason = input.text("reason", 3..=500);
    input.finish()?;
    let unit =
        edge.app.fulfilment.saga().resolve(&id, &caller.user_id, &reason).await.map_err(problem)?;
    edge.app.store.commit(unit).await?;
    show(State(edge), caller, Path(id)).await
}

/// What a saga's error is to an operator.
fn problem(error: saga::Error) -> Problem {
    match error {
        saga::Error::NotFound => Problem::not_found(),
        saga::Error::Illegal(illegal) => {
            let phase = illegal.state.phase.name();
            Problem::conflict(format!("Not possible now: the saga is {phase}."))
        }
        saga::Error::Read(error) => error.into(),
        other => {
            tracing::error!(error = chain(&other), "a saga cannot be read");
            Problem::internal()
        }
    }
}
