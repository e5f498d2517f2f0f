//! Users and sessions over REST.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::{HeaderName, LOCATION};
use serde::Serialize;
use serde_json::{Value, json};
use shop_edge::etag::created;
use shop_edge::{
    Auth, Collection, Deps, Input, Links, Page, Preconditions, Principal, Problem, RequestContext,
    operator,
};
use switchboard_core::{Context, Timestamp, chain};

use super::wanted;
use crate::app::{App, Change, Error, TOKEN_TTL, User, Wanted};
use crate::passwords::CannotHash;

/// The session of the token that is shown. Sessions are nowhere but in their tokens.
const SESSION: &str = "/api/v1/sessions/current";

/// How often the password of one address may be guessed, as `RateLimit-Policy` says it.
const GUESSING: &str = "\"guesses\";q=10;w=60";

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
    let user = get(show).put(replace).patch(change).delete(remove);
    Router::new()
        .route("/api/v1/users", get(list).post(sign_up))
        .route("/api/v1/users/{id}", user)
        .route("/api/v1/sessions", post(sign_in))
        .route(SESSION, get(session))
        .merge(super::v2::routes())
        .with_state(Edge { app: Arc::new(app), auth: deps.auth.clone() })
        .nest("/api/v1/operator/users", operator::routes(deps))
}

async fn sign_up(
    State(edge): State<Edge>,
    RequestContext(context): RequestContext,
    mut input: Input,
) -> Result<Response, Problem> {
    let (name, email, password) = wanted::newcomer(&mut input);
    input.finish()?;
    let user = edge.app.sign_up(context, name, email, password).await?;
    Ok(created(format!("/api/v1/users/{}", user.id), representation(user)))
}

async fn sign_in(State(edge): State<Edge>, mut input: Input) -> Result<Response, Problem> {
    let (email, password) = wanted::credentials(&mut input);
    input.finish()?;
    let (token, user_id) = edge.app.sign_in(&email, password).await?;
    let session = json!({
        "id": "current",
        "token": token,
        "token_type": "Bearer",
        "expires_in": TOKEN_TTL.as_secs(),
        "user_id": user_id,
        "_links": session_links(&user_id),
    });
    Ok((StatusCode::CREATED, [(LOCATION, SESSION)], Json(session)).into_response())
}

async fn session(caller: Principal) -> Json<Value> {
    let user_id = &caller.user_id;
    Json(json!({
        "id": "current",
        "token_type": "Bearer",
        "user_id": user_id,
        "role": if caller.is_operator() { "operator" } else { "customer" },
        "_links": session_links(user_id),
    }))
}

fn session_links(user_id: &str) -> Links {
    Links::own(SESSION).to("user", format!("/api/v1/users/{user_id}"))
}

async fn list(
    State(edge): State<Edge>,
    caller: Principal,
    page: Page,
) -> Result<Response, Problem> {
    listed(&edge, &caller, &page, "/api/v1/users", representation).await
}

/// All users for the operator; for anybody else, themself.
pub(super) async fn listed<R: Serialize>(
    edge: &Edge,
    caller: &Principal,
    page: &Page,
    path: &str,
    representation: impl Fn(User) -> R,
) -> Result<Response, Problem> {
    if !caller.is_operator() {
        let items = match edge.app.user(&caller.user_id).await {
            Ok(user) => vec![representation(user)],
            Err(Error::NotFound) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let collection = Collection::whole(items, path).act("sign-up", "POST", path);
        return Ok(collection.into_response());
    }
    let turn = page.turn(&edge.auth, "users")?;
    let users = edge.app.users(turn.seek(), turn.rows()).await?;
    let place = |user: &User| (user.created_at.into(), user.id.clone());
    let collection = turn.collect(&edge.auth, users, place).act("sign-up", "POST", path);
    Ok(collection.map(representation).into_response())
}

async fn show(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Problem> {
    caller.owns_or_404(&id)?;
    Ok(Json(representation(edge.app.user(&id).await?)))
}

async fn replace(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
    mut input: Input,
) -> Result<Json<Shown>, Problem> {
    caller.owns_or_404(&id)?;
    let (name, email) = (Some(input.text("name", 1..=100)), Some(input.email("email")));
    let password = input.names("password").then(|| input.secret("password", 8..=256));
    input.finish()?;
    changed(&edge, context, &id, &conditions, Change { name, email, password }).await
}

async fn change(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
    mut input: Input,
) -> Result<Json<Shown>, Problem> {
    caller.owns_or_404(&id)?;
    let change = wanted::change(&mut input);
    input.finish()?;
    changed(&edge, context, &id, &conditions, change).await
}

async fn changed(
    edge: &Edge,
    context: Context,
    id: &str,
    conditions: &Preconditions,
    change: Change,
) -> Result<Json<Shown>, Problem> {
    let password = change.password.clone();
    let wanted = |user: &User| {
        conditions.check(Some(&representation(user.clone())))?;
        Ok(Wanted { change: change.clone(), given: None })
    };
    let user = edge.app.change_if(context, id, password, wanted).await?;
    Ok(Json(representation(user)))
}

async fn remove(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
) -> Result<StatusCode, Problem> {
    caller.owns_or_404(&id)?;
    let may = |user: &User| conditions.check(Some(&representation(user.clone())));
    edge.app.remove_if(context, &id, may).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What can be done with a user at this address.
pub(super) fn links(own: &str) -> Links {
    Links::own(own)
        .to("accounts", "/api/v1/accounts")
        .to("orders", "/api/v1/orders")
        .to("notifications", "/api/v1/notifications")
        .act("replace", "PUT", own)
        .act("edit", "PATCH", own)
        .act("delete", "DELETE", own)
}

/// A user as callers of this version see them.
#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    email: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(rename = "_links")]
    links: Links,
}

fn representation(user: User) -> Shown {
    let links = links(&format!("/api/v1/users/{}", user.id));
    let User { id, name, email, created_at, updated_at, .. } = user;
    Shown { id, name, email, created_at, updated_at, links }
}

/// Whole seconds, so that whoever waits for them has waited long enough.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::EmailTaken => Self::taken("This e-mail address is taken."),
            Error::NotFound => Self::not_found(),
            Error::WrongCredentials => {
                Self::unauthorized("The e-mail address or the password is wrong.")
            }
            Error::TooOften(wait) => {
                Self::too_many_requests("Too many wrong passwords.", seconds(wait))
                    .with_header(HeaderName::from_static("ratelimit-policy"), GUESSING)
            }
            Error::Unexpected(problem) => *problem,
            Error::Read(error) => error.into(),
            Error::Commit(error) => error.into(),
            Error::Hash(CannotHash::Busy) => Self::unavailable("Too many sign in; try again."),
            Error::Hash(_) | Error::Sign(_) => {
                tracing::error!(error = chain(&error), "sign-in fails");
                Self::internal()
            }
        }
    }
}
