//! Posts over gRPC.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use shop_contracts::rpc::content as wire;
use shop_contracts::rpc::timestamp;
use shop_edge::idempotency::OptionalIdempotencyKey;
use shop_edge::rpc::told::{maybe_text, moment, text, told};
use shop_edge::rpc::{Called, batch};
use shop_edge::{Input, Page, Problem};

use super::{Rpcs, author};
use crate::authors::Author;
use crate::domain::Post;
use crate::edge::posts::{edit, published};
use crate::edge::rest::{Edge, only_author};

// === impl Rpcs ===

impl Rpcs {
    pub(super) async fn published(
        &self,
        called: &Called,
        asked: wire::CreatePostRequest,
    ) -> Result<wire::CreatePostResponse, Problem> {
        let caller = called.principal()?;
        let key = OptionalIdempotencyKey::of(&asked.idempotency_key)?;
        let wire::CreatePostRequest { author_id, title, content, tags, .. } = asked;
        let author_id = if author_id.is_empty() { caller.user_id.clone() } else { author_id };
        let mut body = json!({ "title": title, "content": content });
        // As REST's body has it when nobody names any, so that a key means the same in both.
        if !tags.is_empty() {
            body["tags"] = tags.into();
        }
        let context = called.context();
        let input = Input::of(body);
        let stored = published(&self.0, caller, author_id, context, key, input).await?;
        let (body, replayed) = told(stored)?;
        Ok(wire::CreatePostResponse { post: Some(post_of(&body)), replayed })
    }

    pub(super) async fn post(&self, id: &str) -> Result<wire::Post, Problem> {
        let post = self.0.app.post(id).await?;
        self.with_author(post).await
    }

    async fn with_author(&self, post: Post) -> Result<wire::Post, Problem> {
        let author = self.0.app.author(&post.author_id).await?;
        Ok(shown(post, Some(&author)))
    }

    pub(super) async fn edited(
        &self,
        called: &Called,
        asked: wire::UpdatePostRequest,
    ) -> Result<wire::UpdatePostResponse, Problem> {
        let Edge { app, .. } = &self.0;
        only_author(&called.principal()?, &app.post(&asked.id).await?.author_id)?;
        let fields = [
            ("title", asked.title.map(Value::from)),
            ("content", asked.content.map(Value::from)),
            ("tags", asked.tags.map(|tags| Value::from(tags.names))),
        ];
        let named: Map<_, _> = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        let mut input = Input::of(Value::Object(named));
        let edit = edit(&mut input);
        input.finish()?;
        let (context, expected) = (called.context(), asked.expected_version);
        let post = app.change_post(context, &asked.id, edit, expected).await?;
        Ok(wire::UpdatePostResponse { post: Some(self.with_author(post).await?) })
    }

    pub(super) async fn removed(
        &self,
        called: &Called,
        asked: wire::DeletePostRequest,
    ) -> Result<wire::DeletePostResponse, Problem> {
        let Edge { app, .. } = &self.0;
        only_author(&called.principal()?, &app.post(&asked.id).await?.author_id)?;
        app.remove_post(called.context(), &asked.id, asked.expected_version).await?;
        Ok(wire::DeletePostResponse {})
    }

    pub(super) async fn posts_of(
        &self,
        asked: wire::ListPostsRequest,
    ) -> Result<wire::ListPostsResponse, Problem> {
        let Edge { app, auth, .. } = &self.0;
        let page = Page::of(asked.page_size, &asked.page_token)?;
        let after = page.after(auth, &filter(&asked.author_id))?;
        let posts = app.posts(Some(&asked.author_id), after, page.limit + 1).await?;
        let (posts, next_page_token) = self.paged(&page, &asked.author_id, posts);
        let authors = app.authors(&[asked.author_id]).await?;
        Ok(wire::ListPostsResponse { posts: all_shown(posts, &authors), next_page_token })
    }

    /// A page of one author's posts, of one more than it holds, and where the next begins.
    fn paged(&self, page: &Page, author_id: &str, posts: Vec<Post>) -> (Vec<Post>, String) {
        let place = |post: &Post| (post.created_at.into(), post.id.clone());
        let page = page.collect(&self.0.auth, &filter(author_id), posts, place);
        (page.items, page.next.unwrap_or_default())
    }

    pub(super) async fn posts(
        &self,
        asked: wire::BatchGetPostsRequest,
    ) -> Result<wire::BatchGetPostsResponse, Problem> {
        let Edge { app, .. } = &self.0;
        let ids = batch::distinct(asked.ids, "ids")?;
        let mut found = app.posts_by_ids(&ids).await?;
        let posts: Vec<_> = ids.iter().filter_map(|id| found.remove(id)).collect();
        let authors: Vec<_> = posts.iter().map(|post| post.author_id.clone()).collect();
        let authors = app.authors(&authors).await?;
        Ok(wire::BatchGetPostsResponse { posts: all_shown(posts, &authors) })
    }

    pub(super) async fn posts_of_many(
        &self,
        asked: wire::BatchListPostsRequest,
    ) -> Result<wire::BatchListPostsResponse, Problem> {
        let Edge { app, .. } = &self.0;
        let ids = batch::distinct(asked.author_ids, "author_ids")?;
        let page = Page::of(asked.limit, "")?;
        let mut posts = app.posts_of_authors(&ids, page.limit + 1).await?;
        let names = app.authors(&ids).await?;
        let authors = ids.into_iter().map(|author_id| {
            let posts = posts.remove(&author_id).unwrap_or_default();
            let (posts, next_page_token) = self.paged(&page, &author_id, posts);
            wire::PostsOfAuthor { author_id, posts: all_shown(posts, &names), next_page_token }
        });
        Ok(wire::BatchListPostsResponse { authors: authors.collect() })
    }
}

/// The filter of REST, so that a page begun there goes on here.
fn filter(author_id: &str) -> String {
    format!("posts of {:?}", Some(author_id))
}

fn all_shown(posts: Vec<Post>, authors: &HashMap<String, Author>) -> Vec<wire::Post> {
    posts
        .into_iter()
        .map(|post| {
            let author = authors.get(&post.author_id);
            shown(post, author)
        })
        .collect()
}

fn shown(post: Post, known: Option<&Author>) -> wire::Post {
    wire::Post {
        author: Some(author(&post.author_id, known)),
        id: post.id,
        title: post.title,
        content: post.content,
        tags: post.tags,
        created_at: Some(timestamp(post.created_at)),
        updated_at: Some(timestamp(post.updated_at)),
        version: post.version,
    }
}

/// A post as REST has stored it with its key, which is as it was written.
fn post_of(body: &Value) -> wire::Post {
    let tags = body["tags"].as_array().map_or(&[][..], Vec::as_slice);
    wire::Post {
        id: text(&body["id"]),
        author: Some(wire::Author {
            id: text(&body["author_id"]),
            name: maybe_text(&body["author"]["name"]),
        }),
        title: text(&body["title"]),
        content: text(&body["content"]),
        tags: tags.iter().map(text).collect(),
        created_at: moment(&body["created_at"]).map(timestamp),
        updated_at: moment(&body["updated_at"]).map(timestamp),
        version: 1,
    }
}
