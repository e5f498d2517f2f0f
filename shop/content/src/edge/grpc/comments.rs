//! Comments over gRPC.

use std::collections::HashMap;

use serde_json::{Value, json};
use shop_contracts::rpc::content as wire;
use shop_contracts::rpc::timestamp;
use shop_edge::idempotency::OptionalIdempotencyKey;
use shop_edge::rpc::told::{maybe_text, moment, text, told};
use shop_edge::rpc::{Called, batch};
use shop_edge::{Input, Page, Problem};

use super::{Rpcs, author};
use crate::authors::Author;
use crate::domain::{Comment, comment};
use crate::edge::comments::added;
use crate::edge::rest::{Edge, only_author};

// === impl Rpcs ===

impl Rpcs {
    pub(super) async fn commented(
        &self,
        called: &Called,
        asked: wire::CreateCommentRequest,
    ) -> Result<wire::CreateCommentResponse, Problem> {
        let caller = called.principal()?;
        let key = OptionalIdempotencyKey::of(&asked.idempotency_key)?;
        let input = Input::of(json!({ "content": asked.content }));
        let context = called.context();
        let stored = added(&self.0, caller, asked.post_id, context, key, input).await?;
        let (body, replayed) = told(stored)?;
        Ok(wire::CreateCommentResponse { comment: Some(comment_of(&body)), replayed })
    }

    pub(super) async fn comment(
        &self,
        asked: wire::GetCommentRequest,
    ) -> Result<wire::GetCommentResponse, Problem> {
        let comment = self.0.app.comment_of(&asked.post_id, &asked.id).await?;
        Ok(wire::GetCommentResponse { comment: Some(self.by_author(comment).await?) })
    }

    async fn by_author(&self, comment: Comment) -> Result<wire::Comment, Problem> {
        let author = self.0.app.author(&comment.author_id).await?;
        Ok(shown(comment, Some(&author)))
    }

    pub(super) async fn reworded(
        &self,
        called: &Called,
        asked: wire::UpdateCommentRequest,
    ) -> Result<wire::UpdateCommentResponse, Problem> {
        let place = (asked.post_id, asked.id);
        self.only_author(called, &place).await?;
        let mut input = Input::of(json!({ "content": asked.content }));
        let content = input.prose("content", comment::CONTENT);
        input.finish()?;
        let (context, (post_id, id)) = (called.context(), &place);
        let expected = asked.expected_version;
        let changed = self.0.app.change_comment(context, post_id, id, &content, expected).await?;
        Ok(wire::UpdateCommentResponse { comment: Some(self.by_author(changed).await?) })
    }

    async fn only_author(
        &self,
        called: &Called,
        (post_id, id): &(String, String),
    ) -> Result<(), Problem> {
        let caller = called.principal()?;
        only_author(&caller, &self.0.app.comment_of(post_id, id).await?.author_id)
    }

    pub(super) async fn taken_back(
        &self,
        called: &Called,
        asked: wire::DeleteCommentRequest,
    ) -> Result<wire::DeleteCommentResponse, Problem> {
        let place = (asked.post_id, asked.id);
        self.only_author(called, &place).await?;
        let (context, (post_id, id)) = (called.context(), &place);
        self.0.app.remove_comment(context, post_id, id, asked.expected_version).await?;
        Ok(wire::DeleteCommentResponse {})
    }

    pub(super) async fn comments_on(
        &self,
        asked: wire::ListCommentsRequest,
    ) -> Result<wire::ListCommentsResponse, Problem> {
        let Edge { app, auth, .. } = &self.0;
        let post_id = asked.post_id;
        let page = Page::of(asked.page_size, &asked.page_token)?;
        let after = page.after(auth, &filter(&post_id))?;
        let comments = app.comments(&post_id, after, page.limit + 1).await?;
        let (comments, next_page_token) = self.thread(&page, &post_id, comments);
        let authors: Vec<_> = comments.iter().map(|it| it.author_id.clone()).collect();
        let authors = app.authors(&authors).await?;
        Ok(wire::ListCommentsResponse { comments: all_shown(comments, &authors), next_page_token })
    }

    /// A page of one post's comments, of one more than it holds, and where the next begins.
    fn thread(&self, page: &Page, post_id: &str, all: Vec<Comment>) -> (Vec<Comment>, String) {
        let place = |comment: &Comment| (comment.created_at.into(), comment.id.clone());
        let page = page.collect(&self.0.auth, &filter(post_id), all, place);
        (page.items, page.next.unwrap_or_default())
    }

    pub(super) async fn comments_on_many(
        &self,
        asked: wire::BatchListCommentsRequest,
    ) -> Result<wire::BatchListCommentsResponse, Problem> {
        let Edge { app, .. } = &self.0;
        let ids = batch::distinct(asked.post_ids, "post_ids")?;
        let page = Page::of(asked.limit, "")?;
        let mut comments = app.comments_of_posts(&ids, page.limit + 1).await?;
        let pages: Vec<_> = ids
            .into_iter()
            .map(|post_id| {
                let all = comments.remove(&post_id).unwrap_or_default();
                let (comments, next) = self.thread(&page, &post_id, all);
                (post_id, comments, next)
            })
            .collect();
        let names = self.names(pages.iter().flat_map(|(_, comments, _)| comments)).await?;
        let posts = pages.into_iter().map(|(post_id, comments, next_page_token)| {
            let comments = all_shown(comments, &names);
            wire::CommentsOfPost { post_id, comments, next_page_token }
        });
        Ok(wire::BatchListCommentsResponse { posts: posts.collect() })
    }

    /// The authors of many comments, a batch at a time: there may be more of them than posts.
    async fn names<'a>(
        &self,
        comments: impl Iterator<Item = &'a Comment>,
    ) -> Result<HashMap<String, Author>, Problem> {
        let mut ids: Vec<_> = comments.map(|comment| comment.author_id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut names = HashMap::new();
        for ids in ids.chunks(crate::app::BATCH_MAX) {
            names.extend(self.0.app.authors(ids).await?);
        }
        Ok(names)
    }
}

/// The filter of REST, so that a page begun there goes on here.
fn filter(post_id: &str) -> String {
    format!("comments of {post_id}")
}

fn all_shown(comments: Vec<Comment>, authors: &HashMap<String, Author>) -> Vec<wire::Comment> {
    comments
        .into_iter()
        .map(|comment| {
            let author = authors.get(&comment.author_id);
            shown(comment, author)
        })
        .collect()
}

fn shown(comment: Comment, known: Option<&Author>) -> wire::Comment {
    wire::Comment {
        author: Some(author(&comment.author_id, known)),
        id: comment.id,
        post_id: comment.post_id,
        content: comment.content,
        created_at: Some(timestamp(comment.created_at)),
        updated_at: Some(timestamp(comment.updated_at)),
        version: comment.version,
    }
}

/// A comment as REST has stored it with its key, which is as it was written.
fn comment_of(body: &Value) -> wire::Comment {
    wire::Comment {
        id: text(&body["id"]),
        post_id: text(&body["post_id"]),
        author: Some(wire::Author {
            id: text(&body["author_id"]),
            name: maybe_text(&body["author"]["name"]),
        }),
        content: text(&body["content"]),
        created_at: moment(&body["created_at"]).map(timestamp),
        updated_at: moment(&body["updated_at"]).map(timestamp),
        version: 1,
    }
}
