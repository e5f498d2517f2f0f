//! Accounts over REST.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRef, Path, Query, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use shop_contracts::Money;
use shop_edge::idempotency::{OptionalIdempotencyKey, Ticket};
use shop_edge::page::Turn;
use shop_edge::{
    Auth, Deps, Idempotent, Input, Links, Page, Principal, Problem, RequestContext, Seek, Stored,
    operator,
};
use switchboard_core::{Context, Timestamp};
use switchboard_store::{StoredEvent, Value as Cell};

use super::moving::{self, Asked};
use crate::app::{App, Error, Moment, Movement, View};

/// Events on a page when nobody says how many.
pub(super) const EVENTS_LISTED: u16 = 1_000;

#[derive(Clone)]
struct Edge {
    app: Arc<App>,
    auth: Arc<Auth>,
    idempotent: Idempotent,
}

impl FromRef<Edge> for Arc<Auth> {
    fn from_ref(edge: &Edge) -> Self {
        edge.auth.clone()
    }
}

/// All routes of the service.
pub fn routes(app: App, deps: &Deps) -> Router {
    let idempotent = Idempotent::new(deps.store.clone(), deps.clock.clone());
    Router::new()
        .route("/api/v1/accounts", get(list).post(open))
        .route("/api/v1/accounts/{id}", get(show))
        .route("/api/v1/accounts/{id}/deposits", axum::routing::post(deposit))
        .route("/api/v1/accounts/{id}/withdrawals", axum::routing::post(withdraw))
        .route("/api/v1/accounts/{id}/events", get(events))
        .route("/api/v1/accounts/{id}/events/{seq}", get(event))
        .route("/api/v1/operator/payments/totals", get(totals))
        .with_state(Edge { app: Arc::new(app), auth: deps.auth.clone(), idempotent })
        .nest("/api/v1/operator/payments", operator::routes(deps))
}

async fn open(
    State(edge): State<Edge>,
    caller: Principal,
    RequestContext(context): RequestContext,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    mut input: Input,
) -> Result<Stored, Problem> {
    let body = input.as_value();
    let currency = input.capitals("currency", 3);
    input.finish()?;
    let (app, owner) = (&edge.app, &*caller.user_id);
    let Some(key) = key else {
        return Ok(opened(&app.open(context, owner, &currency).await?));
    };
    let open = |ticket: Arc<Ticket>| async move {
        let remember = |unit, view: &View| ticket.remember(unit, &opened(view));
        Ok(opened(&app.open_with(context, owner, &currency, remember).await?))
    };
    edge.idempotent.once(owner, "open", &key, &body, open).await
}

fn opened(view: &View) -> Stored {
    Stored::created(format!("/api/v1/accounts/{}", view.id), representation(view))
}

async fn list(
    State(edge): State<Edge>,
    caller: Principal,
    page: Page,
) -> Result<Response, Problem> {
    let filter = format!("accounts of {}", caller.user_id);
    let turn = page.turn(&edge.auth, filter)?;
    let views = edge.app.accounts(&caller.user_id, turn.seek(), turn.rows()).await?;
    let place = |view: &View| (view.created_at.into(), view.id.clone());
    let collection = turn.collect(&edge.auth, views, place).act("open", "POST", "/api/v1/accounts");
    Ok(collection.map(|view| representation(&view)).into_response())
}

/// Which moment: `?version=2`, or `?at=2026-01-01T00:00:00Z`, or neither.
#[derive(Debug, Deserialize)]
struct When {
    version: Option<String>,
    at: Option<String>,
}

impl When {
    fn moment(self) -> Result<Moment, Problem> {
        match (self.version, self.at) {
            (None, None) => Ok(Moment::Now),
            (Some(version), None) => match version.parse() {
                Ok(version) if version > 0 => Ok(Moment::Version(version)),
                _ => {
                    let detail = "`version` must be a whole number from 1 on.";
                    Err(Problem::bad_parameter("version", "out_of_range", detail))
                }
            },
            (None, Some(at)) => at.parse::<Timestamp>().map(Moment::At).map_err(|_| {
                let detail = "`at` must be an RFC 3339 time: 2026-01-01T00:00:00Z.";
                Problem::bad_parameter("at", "format", detail)
            }),
            (Some(_), Some(_)) => Err(Problem::bad_request("Ask for `version` or `at`, not both.")),
        }
    }
}

async fn show(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    when: Result<Query<When>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(when) = when.map_err(|error| Problem::bad_request(error.body_text()))?;
    let view = edge.app.account(&id, when.moment()?).await?;
    caller.owns_or_404(&view.account.owner_id)?;
    Ok(Json(representation(&view)))
}

async fn deposit(
    edge: State<Edge>,
    caller: Principal,
    id: Path<String>,
    context: RequestContext,
    key: OptionalIdempotencyKey,
    input: Input,
) -> Result<Stored, Problem> {
    moved(edge.0, caller, id.0, context.0, key.0, Movement::Deposit, input).await
}

async fn withdraw(
    edge: State<Edge>,
    caller: Principal,
    id: Path<String>,
    context: RequestContext,
    key: OptionalIdempotencyKey,
    input: Input,
) -> Result<Stored, Problem> {
    moved(edge.0, caller, id.0, context.0, key.0, Movement::Withdrawal, input).await
}

async fn moved(
    edge: Edge,
    caller: Principal,
    id: String,
    context: Context,
    key: Option<String>,
    movement: Movement,
    input: Input,
) -> Result<Stored, Problem> {
    let asked = Asked { caller, account_id: id, context, key, movement };
    moving::moved(&edge.app, &edge.idempotent, asked, input).await
}

pub(super) fn movement_made(view: &View, movement: Movement, amount: i64) -> Stored {
    let kind = match movement {
        Movement::Deposit => "Deposited",
        Movement::Withdrawal => "Withdrawn",
    };
    let location = format!("/api/v1/accounts/{}/events/{}", view.id, view.account.version);
    Stored::created(location, happening_json(view, kind, Some(amount)))
}

/// What happened to an account last, as a resource of its own: a movement of money is the event
/// that it became.
fn happening_json(view: &View, kind: &str, amount: Option<i64>) -> Value {
    let (seq, currency) = (view.account.version, &view.account.currency);
    let account = format!("/api/v1/accounts/{}", view.id);
    let mut happening = json!({
        "id": format!("{}-{seq}", view.id),
        "account_id": view.id,
        "type": kind,
        "seq": seq,
        "balance": Money::new(view.account.balance, currency),
        "version": seq,
        "_links": {
            "self": { "href": format!("{account}/events/{seq}") },
            "account": { "href": account },
        },
    });
    if let Some(amount) = amount {
        happening["amount"] = json!(Money::new(amount, currency));
    }
    happening
}

async fn events(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    mut page: Page,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let view = edge.app.account(&id, Moment::Now).await?;
    caller.owns_or_404(&view.account.owner_id)?;
    if !query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("limit="))) {
        page.limit = usize::from(EVENTS_LISTED);
    }
    let turn = page.turn(&edge.auth, format!("events of {id}"))?;
    let events = read(&edge, &id, &turn).await?;
    let place = |event: &StoredEvent| (Cell::from(event.version.cast_signed()), id.clone());
    let collection = turn.collect(&edge.auth, events, place);
    let collection = collection.to("account", format!("/api/v1/accounts/{id}"));
    Ok(collection.map(|event| event_json(&event)).into_response())
}

/// The events of a page, in the order in which the turn wants them. They are numbered without gaps,
/// so what lies before one is counted back from it.
async fn read(edge: &Edge, id: &str, turn: &Turn) -> Result<Vec<StoredEvent>, Problem> {
    let Seek { after, backwards } = turn.seek();
    let seq = match after {
        Some((Cell::Integer(seq), _)) => seq.unsigned_abs(),
        _ => 0,
    };
    if !backwards {
        return Ok(edge.app.events(id, seq, turn.rows()).await?);
    }
    let before = usize::try_from(seq.saturating_sub(1)).unwrap_or(usize::MAX);
    let count = before.min(turn.rows());
    let mut events = edge.app.events(id, (before - count) as u64, count).await?;
    events.reverse();
    Ok(events)
}

async fn event(
    State(edge): State<Edge>,
    caller: Principal,
    Path((id, seq)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let view = edge.app.account(&id, Moment::Now).await?;
    caller.owns_or_404(&view.account.owner_id)?;
    let before = seq.parse::<u64>().ok().and_then(|seq| seq.checked_sub(1));
    let before = before.ok_or_else(Problem::not_found)?;
    let events = edge.app.events(&id, before, 1).await?;
    let event = events.first().ok_or_else(Problem::not_found)?;
    let then = edge.app.account(&id, Moment::Version(event.version)).await?;
    let line = event_json(event);
    let mut happening = happening_json(&then, &event.kind, line["data"]["amount"].as_i64());
    happening["data"] = line["data"].clone();
    happening["timestamp"] = line["timestamp"].clone();
    Ok(Json(happening))
}

/// The operator's sums: what a run must conserve.
async fn totals(State(edge): State<Edge>, caller: Principal) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let row = edge.app.totals().await?;
    let sum = |column: &str| row.as_ref().map_or(0, |row| row.integer(column));
    let (deposits, withdrawals) = (sum("deposits"), sum("withdrawals"));
    let (charged, refunded) = (sum("charged"), sum("refunded"));
    Ok(Json(json!({
        "accounts": sum("accounts"),
        "deposits": deposits,
        "withdrawals": withdrawals,
        "charged": charged,
        "refunded": refunded,
        "balances": edge.app.balances().await?,
        "_links": Links::own("/api/v1/operator/payments/totals"),
    })))
}

fn event_json(event: &StoredEvent) -> Value {
    // The stored form names the type around the content; the trail shows the two apart.
    let stored: Value = serde_json::from_slice(&event.data).unwrap_or_default();
    let data = stored.get(event.kind.as_str()).cloned().unwrap_or_else(|| json!({}));
    json!({
        "seq": event.version,
        "type": event.kind.as_str(),
        "data": data,
        "timestamp": event.time,
    })
}

fn representation(view: &View) -> Value {
    let own = format!("/api/v1/accounts/{}", view.id);
    let account = &view.account;
    let is_open = !account.is_closed;
    let links = Links::own(&*own)
        .to("events", format!("{own}/events"))
        .act_if(is_open, "deposits", "POST", format!("{own}/deposits"))
        .act_if(is_open, "withdrawals", "POST", format!("{own}/withdrawals"));
    json!({
        "id": view.id,
        "owner_id": account.owner_id,
        "currency": account.currency,
        "balance": Money::new(account.balance, &account.currency),
        "version": account.version,
        "closed": account.is_closed,
        "created_at": view.created_at,
        "_links": links,
    })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::conflict(format!("Refused: {refusal}.")),
            Error::NotFound => Self::not_found(),
            Error::Read(error) => error.into(),
            Error::Commit(error) => error.into(),
        }
    }
}
