//! Posts over REST.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shop_edge::idempotency::OptionalIdempotencyKey;
use shop_edge::page::Collection;
use shop_edge::{Input, Page, Principal, Problem, RequestContext, Stored};
use switchboard_core::Context;
use switchboard_store::Row;

use super::rest::{Edge, author_json, only_author};
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
    if author_id.len() > USER_ID_MAX {
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
        Stored::created(own(post), representation(post, Some(author)))
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

/// The tags of a body in their one spelling, each once; none when it names none.
fn tags_of(input: &mut Input) -> Vec<String> {
    let tag = |text: &str| tags::normal(text).ok_or(tags::SHAPE);
    tags::unique(input.texts("tags", tags::TAGS_MAX, tag))
}

pub(super) async fn of_user(
    State(edge): State<Edge>,
    _caller: Principal,
    Path(author_id): Path<String>,
    page: Page,
) -> Result<Response, Problem> {
    newest(&edge, Some(&author_id), &page).await
}

pub(super) async fn list(
    State(edge): State<Edge>,
    _caller: Principal,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Response, Problem> {
    let Some(tag) = filter.tag else { return newest(&edge, None, &page).await };
    let tag = tags::normal(&tag)
        .ok_or_else(|| Problem::bad_request(format!("`tag` {}.", tags::SHAPE)))?;
    let filter = format!("posts with {tag}");
    let after = page.after(&edge.auth, &filter)?;
    let rows = edge.app.tagged(&tag, after, page.limit + 1).await?;
    let place = |row: &Row| (row.get("created_at").clone(), row.key.clone());
    let rows = page.collect(&edge.auth, &filter, rows, place);
    let ids: Vec<_> = rows.items.iter().map(|row| row.text("post_id").to_owned()).collect();
    let mut posts = edge.app.posts_by_ids(&ids).await?;
    // One that was removed between the two reads is left out.
    let items = ids.iter().filter_map(|id| posts.remove(id)).collect();
    shown(&edge, Collection { items, next: rows.next }).await
}

/// Posts of one author, or of all, newest first.
async fn newest(edge: &Edge, author_id: Option<&str>, page: &Page) -> Result<Response, Problem> {
    let filter = format!("posts of {author_id:?}");
    let after = page.after(&edge.auth, &filter)?;
    let posts = edge.app.posts(author_id, after, page.limit + 1).await?;
    let place = |post: &Post| (post.created_at.into(), post.id.clone());
    shown(edge, page.collect(&edge.auth, &filter, posts, place)).await
}

async fn shown(edge: &Edge, posts: Collection<Post>) -> Result<Response, Problem> {
    let authors = edge.authors(posts.items.iter().map(|post| &post.author_id)).await?;
    let items = posts.map(|post| representation(&post, authors.get(&post.author_id)));
    Ok(items.into_response())
}

pub(super) async fn show(
    State(edge): State<Edge>,
    _caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    one(&edge, &edge.app.post(&id).await?).await
}

async fn one(edge: &Edge, post: &Post) -> Result<Json<Value>, Problem> {
    let author = edge.app.author(&post.author_id).await?;
    Ok(Json(representation(post, Some(&author))))
}

pub(super) async fn replace(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    RequestContext(context): RequestContext,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    only_author(&caller, &edge.app.post(&id).await?.author_id)?;
    let edit = Edit {
        title: Some(input.text("title", post::TITLE)),
        content: Some(input.prose("content", post::CONTENT)),
        tags: Some(tags_of(&mut input)),
    };
    input.finish()?;
    one(&edge, &edge.app.change_post(context, &id, edit, None).await?).await
}

pub(super) async fn change(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
    RequestContext(context): RequestContext,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    only_author(&caller, &edge.app.post(&id).await?.author_id)?;
    let edit = edit(&mut input);
    input.finish()?;
    one(&edge, &edge.app.change_post(context, &id, edit, None).await?).await
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
) -> Result<StatusCode, Problem> {
    only_author(&caller, &edge.app.post(&id).await?.author_id)?;
    edge.app.remove_post(context, &id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn own(post: &Post) -> String {
    format!("/api/v1/posts/{}", post.id)
}

fn representation(post: &Post, author: Option<&Author>) -> Value {
    let own = own(post);
    json!({
        "id": post.id,
        "author_id": post.author_id,
        "author": author_json(&post.author_id, author),
        "title": post.title,
        "content": post.content,
        "tags": post.tags,
        "created_at": post.created_at,
        "updated_at": post.updated_at,
        "_links": {
            "self": { "href": own },
            "author": { "href": format!("/api/v1/users/{}", post.author_id) },
            "comments": { "href": format!("{own}/comments") },
        },
    })
}
