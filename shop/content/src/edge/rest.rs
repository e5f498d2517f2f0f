//! Posts, tags and comments over REST: every route, and what they share.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use shop_edge::{Auth, Deps, Idempotent, Links, Page, Principal, Problem, operator};
use switchboard_store::Value as Cell;

use super::{comments, posts};
use crate::app::{App, Error};
use crate::authors::Author;

#[derive(Clone)]
pub(super) struct Edge {
    pub(super) app: App,
    pub(super) auth: Arc<Auth>,
    pub(super) idempotent: Idempotent,
}

impl FromRef<Edge> for Arc<Auth> {
    fn from_ref(edge: &Edge) -> Self {
        edge.auth.clone()
    }
}

/// All routes of the service.
pub fn routes(app: App, deps: &Deps) -> Router {
    let post = get(posts::show).put(posts::replace).patch(posts::change).delete(posts::remove);
    let comment =
        get(comments::show).put(comments::replace).patch(comments::change).delete(comments::remove);
    Router::new()
        .route("/api/v1/users/{id}/posts", get(posts::of_user).post(posts::publish))
        .route("/api/v1/posts", get(posts::list))
        .route("/api/v1/posts/{id}", post)
        .route("/api/v1/posts/{id}/comments", get(comments::list).post(comments::add))
        .route("/api/v1/posts/{id}/comments/{comment_id}", comment)
        .route("/api/v1/tags", get(tags))
        .with_state(Edge::new(app, deps))
        .nest("/api/v1/operator/content", operator::routes(deps))
}

async fn tags(
    State(edge): State<Edge>,
    _caller: Principal,
    page: Page,
) -> Result<Response, Problem> {
    let after = page.after(&edge.auth, "tags")?;
    let tags = edge.app.tags(after, page.limit + 1).await?;
    let collection = page.collect(&edge.auth, "tags", tags, |tag| (Cell::Null, tag.name.clone()));
    let items = collection.map(|tag| {
        json!({
            "name": tag.name,
            "posts": tag.posts,
            "_links": Links::default().to("posts", format!("/api/v1/posts?tag={}", tag.name)),
        })
    });
    Ok(items.into_response())
}

// === impl Edge ===

impl Edge {
    pub(super) fn new(app: App, deps: &Deps) -> Self {
        let idempotent = Idempotent::new(deps.store.clone(), deps.clock.clone());
        Self { app, auth: deps.auth.clone(), idempotent }
    }

    /// Those who wrote the things of a page.
    pub(super) async fn authors<'a>(
        &self,
        ids: impl Iterator<Item = &'a String>,
    ) -> Result<HashMap<String, Author>, Problem> {
        let ids: Vec<_> = ids.cloned().collect();
        Ok(self.app.authors(&ids).await?)
    }
}

/// Refuses everybody but the author and operators: all may read it, so it is no secret.
pub(super) fn only_author(caller: &Principal, author_id: &str) -> Result<(), Problem> {
    if caller.is_operator() || caller.user_id == author_id {
        return Ok(());
    }
    Err(Problem::forbidden("Only its author and operators may change it."))
}

/// An author without a name has none in the answer either.
pub(super) fn author_json(id: &str, author: Option<&Author>) -> Value {
    match author.and_then(|author| author.name.as_ref()) {
        Some(name) => json!({ "id": id, "name": name }),
        None => json!({ "id": id }),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Stale { version } => {
                Self::precondition_failed(format!("It is at version {version} by now."))
            }
            Error::TooMany(_) => Self::unprocessable(format!("{error}.")),
            Error::Read(error) => error.into(),
            Error::Commit(error) => error.into(),
        }
    }
}
