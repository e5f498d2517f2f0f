//! Comments over REST.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use shop_edge::idempotency::OptionalIdempotencyKey;
use shop_edge::{Input, Links, Page, Preconditions, Principal, Problem, RequestContext, Stored};
use switchboard_core::Context;

use super::rest::{Edge, author_json, only_author};
use crate::app::Error;
use crate::authors::Author;
use crate::domain::{Comment, Full, comment};

/// Who wants to change a comment, and of which state of it that is meant.
struct Asked<'a> {
    caller: &'a Principal,
    conditions: &'a Preconditions,
}

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
            Stored::created(own(comment), representation(comment, Some(author), &caller))
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
    caller: Principal,
    Path(post_id): Path<String>,
    page: Page,
) -> Result<Response, Problem> {
    let turn = page.turn(&edge.auth, format!("comments of {post_id}"))?;
    let comments = edge.app.comments(&post_id, turn.seek(), turn.rows()).await?;
    let place = |comment: &Comment| (comment.created_at.into(), comment.id.clone());
    let comments = turn.collect(&edge.auth, comments, place);
    let authors = edge.authors(comments.items.iter().map(|comment| &comment.author_id)).await?;
    let post = format!("/api/v1/posts/{post_id}");
    let shown =
        |comment: Comment| representation(&comment, authors.get(&comment.author_id), &caller);
    let items = comments.map(shown).to("post", &*post);
    Ok(items.act("comment", "POST", &format!("{post}/comments")).into_response())
}

pub(super) async fn show(
    State(edge): State<Edge>,
    caller: Principal,
    Path((post_id, id)): Place,
) -> Result<Json<Value>, Problem> {
    one(&edge, &caller, &edge.app.comment_of(&post_id, &id).await?).await
}

async fn one(edge: &Edge, caller: &Principal, comment: &Comment) -> Result<Json<Value>, Problem> {
    let author = edge.app.author(&comment.author_id).await?;
    Ok(Json(representation(comment, Some(&author), caller)))
}

/// A comment is what it says, so to replace it and to change it are the same; a patch that names
/// nothing changes nothing.
pub(super) async fn replace(
    State(edge): State<Edge>,
    caller: Principal,
    Path(place): Place,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    let change = Asked { caller: &caller, conditions: &conditions };
    let (before, expected) = judged(&edge, &change, &place).await?;
    let content = input.prose("content", comment::CONTENT);
    input.finish()?;
    changed(&edge, &change, context, (&before, expected), &content).await
}

pub(super) async fn change(
    State(edge): State<Edge>,
    caller: Principal,
    Path(place): Place,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    let change = Asked { caller: &caller, conditions: &conditions };
    let (before, expected) = judged(&edge, &change, &place).await?;
    let content = input.names("content").then(|| input.prose("content", comment::CONTENT));
    input.finish()?;
    match content {
        Some(content) => changed(&edge, &change, context, (&before, expected), &content).await,
        None => one(&edge, &caller, &before).await,
    }
}

/// What a change has come to. Overtaken by another one, it is judged again: that answers with the tag
/// of what is there by now.
async fn settled<T>(
    edge: &Edge,
    change: &Asked<'_>,
    before: &Comment,
    outcome: Result<T, Error>,
) -> Result<T, Problem> {
    if matches!(outcome, Err(Error::Stale { .. })) {
        judged(edge, change, &(before.post_id.clone(), before.id.clone())).await?;
    }
    Ok(outcome?)
}

/// The comment, for somebody who may change it as it is now; and the version that the change must
/// find, if the caller has named one.
async fn judged(
    edge: &Edge,
    Asked { caller, conditions }: &Asked<'_>,
    (post_id, id): &(String, String),
) -> Result<(Comment, Option<u64>), Problem> {
    let comment = edge.app.comment_of(post_id, id).await?;
    only_author(caller, &comment.author_id)?;
    if conditions.is_empty() {
        return Ok((comment, None));
    }
    let author = edge.app.author(&comment.author_id).await?;
    conditions.check(Some(&representation(&comment, Some(&author), caller)))?;
    let expected = conditions.name_tags().then_some(comment.version);
    Ok((comment, expected))
}

async fn changed(
    edge: &Edge,
    change: &Asked<'_>,
    context: Context,
    (before, expected): (&Comment, Option<u64>),
    content: &str,
) -> Result<Json<Value>, Problem> {
    let (post_id, id) = (&before.post_id, &before.id);
    let changed = edge.app.change_comment(context, post_id, id, content, expected).await;
    one(edge, change.caller, &settled(edge, change, before, changed).await?).await
}

pub(super) async fn remove(
    State(edge): State<Edge>,
    caller: Principal,
    Path(place): Place,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
) -> Result<StatusCode, Problem> {
    let change = Asked { caller: &caller, conditions: &conditions };
    let (comment, expected) = judged(&edge, &change, &place).await?;
    let (post_id, id) = (&comment.post_id, &comment.id);
    let removed = edge.app.remove_comment(context, post_id, id, expected).await;
    settled(&edge, &change, &comment, removed).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn own(comment: &Comment) -> String {
    format!("/api/v1/posts/{}/comments/{}", comment.post_id, comment.id)
}

/// A comment as this caller sees it: with what they may do with it.
fn representation(comment: &Comment, author: Option<&Author>, caller: &Principal) -> Value {
    let (own, may) = (own(comment), only_author(caller, &comment.author_id).is_ok());
    let links = Links::own(&*own)
        .to("post", format!("/api/v1/posts/{}", comment.post_id))
        .to("author", format!("/api/v1/users/{}/posts", comment.author_id))
        .act_if(may, "replace", "PUT", &*own)
        .act_if(may, "edit", "PATCH", &*own)
        .act_if(may, "delete", "DELETE", &*own);
    json!({
        "id": comment.id,
        "post_id": comment.post_id,
        "author_id": comment.author_id,
        "author": author_json(&comment.author_id, author),
        "content": comment.content,
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
        "_links": links,
    })
}
