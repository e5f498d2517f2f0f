//! Comments over REST.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use shop_edge::idempotency::OptionalIdempotencyKey;
use shop_edge::{Input, Page, Principal, Problem, RequestContext, Stored};
use switchboard_core::Context;

use super::rest::{Edge, author_json, only_author};
use crate::authors::Author;
use crate::domain::{Comment, Full, comment};

/// A post and one of its comments, as the path names them.
type Place = Path<(String, String)>;

pub(super) async fn add(
    State(edge): State<Edge>,
    caller: Principal,
    Path(post_id): Path<String>,
    RequestContext(context): RequestContext,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    input: Input,
) -> Result<Stored, Problem> {
    added(&edge, caller, post_id, context, key, input).await
}

/// Adds the comment that the input describes, in whatever protocol it came, once for each key.
pub(super) async fn added(
    edge: &Edge,
    caller: Principal,
    post_id: String,
    context: Context,
    key: Option<String>,
    mut input: Input,
) -> Result<Stored, Problem> {
    let body = input.as_value();
    let content = input.prose("content", comment::CONTENT);
    input.finish()?;
    let answer = |added: Result<(&Comment, &Author), Full>| match added {
        Ok((comment, author)) => {
            Stored::created(own(comment), representation(comment, Some(author)))
        }
        Err(full) => Stored::refused(&Problem::conflict(format!("No more: {full}."))),
    };
    let (app, user_id) = (&edge.app, &caller.user_id);
    let Some(key) = key else {
        return Ok(app.comment(context, &post_id, user_id, &content, None, answer).await?);
    };
    let operation = format!("comment on {post_id}");
    edge.idempotent
        .once(user_id, &operation, &key, &body, |ticket| async {
            let ticket = Some(ticket);
            Ok(app.comment(context, &post_id, user_id, &content, ticket, answer).await?)
        })
        .await
}

pub(super) async fn list(
    State(edge): State<Edge>,
    _caller: Principal,
    Path(post_id): Path<String>,
    page: Page,
) -> Result<Response, Problem> {
    let filter = format!("comments of {post_id}");
    let after = page.after(&edge.auth, &filter)?;
    let comments = edge.app.comments(&post_id, after, page.limit + 1).await?;
    let place = |comment: &Comment| (comment.created_at.into(), comment.id.clone());
    let comments = page.collect(&edge.auth, &filter, comments, place);
    let authors = edge.authors(comments.items.iter().map(|comment| &comment.author_id)).await?;
    let items = comments.map(|comment| representation(&comment, authors.get(&comment.author_id)));
    Ok(items.into_response())
}

pub(super) async fn show(
    State(edge): State<Edge>,
    _caller: Principal,
    Path((post_id, id)): Place,
) -> Result<Json<Value>, Problem> {
    one(&edge, &edge.app.comment_of(&post_id, &id).await?).await
}

async fn one(edge: &Edge, comment: &Comment) -> Result<Json<Value>, Problem> {
    let author = edge.app.author(&comment.author_id).await?;
    Ok(Json(representation(comment, Some(&author))))
}

/// A comment is what it says, so to replace it and to change it are the same; a patch that names
/// nothing changes nothing.
pub(super) async fn replace(
    State(edge): State<Edge>,
    caller: Principal,
    Path(place): Place,
    RequestContext(context): RequestContext,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    let before = judged(&edge, &caller, &place).await?;
    let content = input.prose("content", comment::CONTENT);
    input.finish()?;
    changed(&edge, context, &before, &content).await
}

pub(super) async fn change(
    State(edge): State<Edge>,
    caller: Principal,
    Path(place): Place,
    RequestContext(context): RequestContext,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    let before = judged(&edge, &caller, &place).await?;
    let content = input.names("content").then(|| input.prose("content", comment::CONTENT));
    input.finish()?;
    match content {
        Some(content) => changed(&edge, context, &before, &content).await,
        None => one(&edge, &before).await,
    }
}

/// The comment, for somebody who may change it.
pub(super) async fn judged(
    edge: &Edge,
    caller: &Principal,
    (post_id, id): &(String, String),
) -> Result<Comment, Problem> {
    let comment = edge.app.comment_of(post_id, id).await?;
    only_author(caller, &comment.author_id)?;
    Ok(comment)
}

async fn changed(
    edge: &Edge,
    context: Context,
    before: &Comment,
    content: &str,
) -> Result<Json<Value>, Problem> {
    let (post_id, id) = (&before.post_id, &before.id);
    let after = edge.app.change_comment(context, post_id, id, content, None).await?;
    one(edge, &after).await
}

pub(super) async fn remove(
    State(edge): State<Edge>,
    caller: Principal,
    Path(place): Place,
    RequestContext(context): RequestContext,
) -> Result<StatusCode, Problem> {
    let comment = judged(&edge, &caller, &place).await?;
    edge.app.remove_comment(context, &comment.post_id, &comment.id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn own(comment: &Comment) -> String {
    format!("/api/v1/posts/{}/comments/{}", comment.post_id, comment.id)
}

fn representation(comment: &Comment, author: Option<&Author>) -> Value {
    json!({
        "id": comment.id,
        "post_id": comment.post_id,
        "author_id": comment.author_id,
        "author": author_json(&comment.author_id, author),
        "content": comment.content,
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
        "_links": {
            "self": { "href": own(comment) },
            "post": { "href": format!("/api/v1/posts/{}", comment.post_id) },
            "author": { "href": format!("/api/v1/users/{}", comment.author_id) },
        },
    })
}
