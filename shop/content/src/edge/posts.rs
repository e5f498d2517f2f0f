//! Posts over REST.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shop_edge::idempotency::OptionalIdempotencyKey;
use shop_edge::{
    Collection, Input, Links, Page, Preconditions, Principal, Problem, RequestContext, Stored,
};
use switchboard_core::Context;
use switchboard_store::Row;

use super::rest::{Edge, author_json, only_author};
use crate::app::Error;
use crate::authors::Author;
use crate::domain::{Draft, Edit, Post, post, tags};

/// The longest id of a user that somebody may write for.
const USER_ID_MAX: usize = 100;

/// What a list of posts is narrowed to.
#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    tag: Option<String>,
}

pub(super) async fn publish(
    State(edge): State<Edge>,
    caller: Principal,
    Path(author_id): Path<String>,
    RequestContext(context): RequestContext,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    input: Input,
) -> Result<Stored, Problem> {
    published(&edge, caller, author_id, context, key, input).await
}

/// Writes the post that the input describes, in whatever protocol it came, once for each key.
pub(super) async fn published(
    edge: &Edge,
    caller: Principal,
    author_id: String,
    context: Context,
    key: Option<String>,
    mut input: Input,
) -> Result<Stored, Problem> {
    caller.owns_or_404(&author_id)?;
    if !is_user_id(&author_id) {
        return Err(Problem::not_found());
    }
    let (body, operation) = (input.as_value(), format!("publish as {author_id}"));
    let draft = Draft {
        author_id,
        title: input.text("title", post::TITLE),
        content: input.prose("content", post::CONTENT),
        tags: tags_of(&mut input),
    };
    input.finish()?;
    let answer = |post: &Post, author: &Author| {
        Stored::created(own(post), representation(post, Some(author), &caller))
    };
    let Some(key) = key else {
        return Ok(edge.app.publish(context, draft, None, answer).await?);
    };
    edge.idempotent
        .once(&caller.user_id, &operation, &key, &body, |ticket| async {
            Ok(edge.app.publish(context, draft, Some(ticket), answer).await?)
        })
        .await
}

/// Whether the shop could have given out the id: operators may write for users that are not known
/// here yet, and what is no id would be a broken link for ever.
fn is_user_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=USER_ID_MAX).contains(&id.len()) && id.bytes().all(fits)
}

/// The tags of a body in their one spelling, each once; none when it names none.
fn tags_of(input: &mut Input) -> Vec<String> {
    let tag = |text: &str| tags::normal(text).ok_or(tags::SHAPE);
    tags::unique(input.texts("tags", tags::TAGS_MAX, tag))
}

pub(super) async fn of_user(
    State(edge): State<Edge>,
    caller: Principal,
    Path(author_id): Path<String>,
    page: Page,
) -> Result<Response, Problem> {
    newest(&edge, &caller, Some(&author_id), &page).await
}

pub(super) async fn list(
    State(edge): State<Edge>,
    caller: Principal,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Response, Problem> {
    let Some(tag) = filter.tag else { return newest(&edge, &caller, None, &page).await };
    let tag = tags::normal(&tag).ok_or_else(|| {
        Problem::bad_parameter("tag", "format", format!("`tag` {}.", tags::SHAPE))
    })?;
    let turn = page.turn(&edge.auth, format!("posts with {tag}"))?;
    let rows = edge.app.tagged(&tag, turn.seek(), turn.rows()).await?;
    let place = |row: &Row| (row.get("created_at").clone(), row.key.clone());
    let rows = turn.collect(&edge.auth, rows, place);
    let ids: Vec<_> = rows.items.iter().map(|row| row.text("post_id").to_owned()).collect();
    let mut posts = edge.app.posts_by_ids(&ids).await?;
    // One that was removed between the two reads is left out.
    let items = ids.iter().filter_map(|id| posts.remove(id)).collect();
    shown(&edge, &caller, rows.with_items(items)).await
}

/// Posts of one author, or of all, newest first.
async fn newest(
    edge: &Edge,
    caller: &Principal,
    author_id: Option<&str>,
    page: &Page,
) -> Result<Response, Problem> {
    let turn = page.turn(&edge.auth, format!("posts of {author_id:?}"))?;
    let posts = edge.app.posts(author_id, turn.seek(), turn.rows()).await?;
    let place = |post: &Post| (post.created_at.into(), post.id.clone());
    shown(edge, caller, turn.collect(&edge.auth, posts, place)).await
}

/// A page of posts; everybody writes under their own name.
async fn shown(
    edge: &Edge,
    caller: &Principal,
    posts: Collection<Post>,
) -> Result<Response, Problem> {
    let authors = edge.authors(posts.items.iter().map(|post| &post.author_id)).await?;
    let items = posts.map(|post| representation(&post, authors.get(&post.author_id), caller));
    let publish = format!("/api/v1/users/{}/posts", caller.user_id);
    Ok(items.act("publish", "POST", &publish).into_response())
}

pub(super) async fn show(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    one(&edge, &caller, &edge.app.post(&id).await?).await
}

async fn one(edge: &Edge, caller: &Principal, post: &Post) -> Result<Json<Value>, Problem> {
    let author = edge.app.author(&post.author_id).await?;
    Ok(Json(representation(post, Some(&author), caller)))
}

/// Judges whether somebody may change a post as it is now; answers the version that the change must
/// find, if the caller has named one.
async fn judged(
    edge: &Edge,
    caller: &Principal,
    conditions: &Preconditions,
    id: &str,
) -> Result<Option<u64>, Problem> {
    let post = edge.app.post(id).await?;
    only_author(caller, &post.author_id)?;
    if conditions.is_empty() {
        return Ok(None);
    }
    let author = edge.app.author(&post.author_id).await?;
    conditions.check(Some(&representation(&post, Some(&author), caller)))?;
    Ok(conditions.name_tags().then_some(post.version))
}

pub(super) async fn replace(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    let expected = judged(&edge, &caller, &conditions, &id).await?;
    let edit = Edit {
        title: Some(input.text("title", post::TITLE)),
        content: Some(input.prose("content", post::CONTENT)),
        tags: Some(tags_of(&mut input)),
    };
    input.finish()?;
    let changed = edge.app.change_post(context, &id, edit, expected).await;
    let post = settled(&edge, &caller, &conditions, &id, changed).await?;
    one(&edge, &caller, &post).await
}

pub(super) async fn change(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    let expected = judged(&edge, &caller, &conditions, &id).await?;
    let edit = edit(&mut input);
    input.finish()?;
    let changed = edge.app.change_post(context, &id, edit, expected).await;
    let post = settled(&edge, &caller, &conditions, &id, changed).await?;
    one(&edge, &caller, &post).await
}

/// What is named, changes. A merge patch removes what it names as null: of these, only the tags can
/// be.
pub(super) fn edit(input: &mut Input) -> Edit {
    Edit {
        title: input.names("title").then(|| input.text("title", post::TITLE)),
        content: input.names("content").then(|| input.prose("content", post::CONTENT)),
        tags: input.names("tags").then(|| tags_of(input)),
    }
}

pub(super) async fn remove(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
) -> Result<StatusCode, Problem> {
    let expected = judged(&edge, &caller, &conditions, &id).await?;
    let removed = edge.app.remove_post(context, &id, expected).await;
    settled(&edge, &caller, &conditions, &id, removed).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a change has come to. Overtaken by another one, it is judged again: that answers with the tag
/// of what is there by now.
async fn settled<T>(
    edge: &Edge,
    caller: &Principal,
    conditions: &Preconditions,
    id: &str,
    outcome: Result<T, Error>,
) -> Result<T, Problem> {
    if matches!(outcome, Err(Error::Stale { .. })) {
        judged(edge, caller, conditions, id).await?;
    }
    Ok(outcome?)
}

fn own(post: &Post) -> String {
    format!("/api/v1/posts/{}", post.id)
}

/// A post as this caller sees it: with what they may do with it.
fn representation(post: &Post, author: Option<&Author>, caller: &Principal) -> Value {
    let own = own(post);
    let may = only_author(caller, &post.author_id).is_ok();
    let comments = format!("{own}/comments");
    let links = Links::own(&*own)
        .to("author", format!("/api/v1/users/{}/posts", post.author_id))
        .to("comments", &*comments)
        .act("comment", "POST", comments)
        .act_if(may, "replace", "PUT", &*own)
        .act_if(may, "edit", "PATCH", &*own)
        .act_if(may, "delete", "DELETE", &*own);
    json!({
        "id": post.id,
        "author_id": post.author_id,
        "author": author_json(&post.author_id, author),
        "title": post.title,
        "content": post.content,
        "tags": post.tags,
        "created_at": post.created_at,
        "updated_at": post.updated_at,
        "_links": links,
    })
}
