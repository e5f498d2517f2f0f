//! Users in version 2: the name in two parts, and no change without saying of what.
//!
//! It shows the same rows as version 1; what differs is written in `/versions`.

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde::Serialize;
use shop_edge::etag::created;
use shop_edge::{Input, Links, Page, Preconditions, Principal, Problem, RequestContext};
use switchboard_core::Timestamp;

use super::rest::{Edge, links, listed};
use crate::app::{Change, User, Wanted};

const USERS: &str = "/api/v2/users";
/// Characters of both names and the space between them, at most: as many as version 1 allows.
const NAME_MAX: usize = 100;

/// The routes of this version.
pub(super) fn routes() -> Router<Edge> {
    let user = get(show).put(replace).patch(change).delete(remove);
    Router::new().route(USERS, get(list).post(sign_up)).route("/api/v2/users/{id}", user)
}

async fn sign_up(
    State(edge): State<Edge>,
    RequestContext(context): RequestContext,
    mut input: Input,
) -> Result<Response, Problem> {
    let (given, family) = (given_name(&mut input), family_name(&mut input));
    let email = input.email("email");
    let password = input.secret("password", 8..=256);
    check_length(&mut input, &given, &family);
    input.finish()?;
    let (name, given) = joined(&given, &family);
    let user = edge.app.sign_up_as(context, (name, Some(given)), email, password).await?;
    Ok(created(format!("{USERS}/{}", user.id), representation(user)))
}

async fn list(
    State(edge): State<Edge>,
    caller: Principal,
    page: Page,
) -> Result<Response, Problem> {
    listed(&edge, &caller, &page, USERS, representation).await
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
    conditions.require_match()?;
    let (given, family) = (given_name(&mut input), family_name(&mut input));
    let email = input.email("email");
    let password = input.names("password").then(|| input.secret("password", 8..=256));
    check_length(&mut input, &given, &family);
    input.finish()?;
    let wanted = |user: &User| {
        conditions.check(Some(&representation(user.clone())))?;
        Ok(wanted(&given, &family, Some(email.clone()), password.clone()))
    };
    let user = edge.app.change_if(context, &id, password.clone(), wanted).await?;
    Ok(Json(representation(user)))
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
    conditions.require_match()?;
    // A merge patch removes what it names as null, and only a family name can be removed.
    let given = input.names("given_name").then(|| given_name(&mut input));
    let family = input.names("family_name").then(|| merged_family_name(&mut input));
    let email = input.names("email").then(|| input.email("email"));
    let password = input.names("password").then(|| input.secret("password", 8..=256));
    input.finish()?;
    let merged = |user: &User| {
        conditions.check(Some(&representation(user.clone())))?;
        let (email, password) = (email.clone(), password.clone());
        if given.is_none() && family.is_none() {
            return Ok(Wanted { change: Change { name: None, email, password }, given: None });
        }
        let names = user.names();
        let given = given.as_deref().unwrap_or(names.0);
        let family = family.as_deref().unwrap_or(names.1);
        if length(given, family) > NAME_MAX {
            return Err(Problem::unprocessable(TOO_LONG));
        }
        Ok(wanted(given, family, email, password))
    };
    let user = edge.app.change_if(context, &id, password.clone(), merged).await?;
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

const TOO_LONG: &str = "given and family name may have at most 99 characters together";

fn given_name(input: &mut Input) -> String {
    input.text("given_name", 1..=NAME_MAX)
}

/// Some people have none.
fn family_name(input: &mut Input) -> String {
    input.text("family_name", 0..=NAME_MAX)
}

/// The same in a merge patch, which removes with null.
fn merged_family_name(input: &mut Input) -> String {
    if input.has("family_name") {
        return family_name(input);
    }
    input.pass_over("family_name");
    String::new()
}

fn check_length(input: &mut Input, given: &str, family: &str) {
    if length(given, family) > NAME_MAX {
        input.wrong("family_name", "length", TOO_LONG);
    }
}

fn length(given: &str, family: &str) -> usize {
    given.chars().count() + usize::from(!family.is_empty()) + family.chars().count()
}

/// The whole name, and how many of its characters are the given name.
fn joined(given: &str, family: &str) -> (String, usize) {
    let name = if family.is_empty() { given.to_owned() } else { format!("{given} {family}") };
    (name, given.chars().count())
}

fn wanted(given: &str, family: &str, email: Option<String>, password: Option<String>) -> Wanted {
    let (name, given) = joined(given, family);
    Wanted { change: Change { name: Some(name), email, password }, given: Some(given) }
}

/// A user as callers of this version see them.
#[derive(Serialize)]
struct Shown {
    id: String,
    given_name: String,
    family_name: String,
    email: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(rename = "_links")]
    links: Links,
}

fn representation(user: User) -> Shown {
    let (given, family) = user.names();
    let (given_name, family_name) = (given.to_owned(), family.to_owned());
    let links = links(&format!("{USERS}/{}", user.id));
    let User { id, email, created_at, updated_at, .. } = user;
    Shown { id, given_name, family_name, email, created_at, updated_at, links }
}
