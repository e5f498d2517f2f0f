//! Posts, tags and comments over gRPC: every method, and what they share.

mod comments;
mod posts;

use shop_contracts::rpc::DESCRIPTORS;
use shop_contracts::rpc::content as wire;
use shop_contracts::rpc::content::content_service_server::{ContentService, ContentServiceServer};
use shop_edge::rpc::{ANSWER_LIMIT, Answer, MESSAGE_LIMIT, answer, opened};
use shop_edge::{Deps, Page, Problem, Rpc};
use switchboard_store::Value as Cell;
use tonic::Request;

use super::rest::Edge;
use crate::App;
use crate::authors::Author;

struct Rpcs(Edge);

/// The service as it is described.
pub fn services(app: App, deps: &Deps) -> Rpc {
    let server = ContentServiceServer::new(Rpcs(Edge::new(app, deps)))
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(ANSWER_LIMIT);
    Rpc::of(deps, DESCRIPTORS).with(server)
}

// === impl Rpcs ===

impl Rpcs {
    async fn tags(&self, asked: wire::ListTagsRequest) -> Result<wire::ListTagsResponse, Problem> {
        let Edge { app, auth, .. } = &self.0;
        let page = Page::of(asked.page_size, &asked.page_token)?;
        let after = page.after(auth, "tags")?;
        let tags = app.tags(after, page.limit + 1).await?;
        let tags = page.collect(auth, "tags", tags, |tag| (Cell::Null, tag.name.clone()));
        let shown = |tag: crate::app::Tag| wire::Tag { name: tag.name, posts: tag.posts };
        Ok(wire::ListTagsResponse {
            tags: tags.items.into_iter().map(shown).collect(),
            next_page_token: tags.next.unwrap_or_default(),
        })
    }
}

#[tonic::async_trait]
impl ContentService for Rpcs {
    async fn create_post(
        &self,
        request: Request<wire::CreatePostRequest>,
    ) -> Answer<wire::CreatePostResponse> {
        let (called, asked) = opened(request)?;
        answer(self.published(&called, asked).await)
    }

    async fn get_post(
        &self,
        request: Request<wire::GetPostRequest>,
    ) -> Answer<wire::GetPostResponse> {
        let (called, asked) = opened(request)?;
        called.principal()?;
        answer(self.post(&asked.id).await.map(|post| wire::GetPostResponse { post: Some(post) }))
    }

    async fn update_post(
        &self,
        request: Request<wire::UpdatePostRequest>,
    ) -> Answer<wire::UpdatePostResponse> {
        let (called, asked) = opened(request)?;
        answer(self.edited(&called, asked).await)
    }

    async fn delete_post(
        &self,
        request: Request<wire::DeletePostRequest>,
    ) -> Answer<wire::DeletePostResponse> {
        let (called, asked) = opened(request)?;
        answer(self.removed(&called, asked).await)
    }

    async fn list_posts(
        &self,
        request: Request<wire::ListPostsRequest>,
    ) -> Answer<wire::ListPostsResponse> {
        let (called, asked) = opened(request)?;
        called.principal()?;
        answer(self.posts_of(asked).await)
    }

    async fn list_tags(
        &self,
        request: Request<wire::ListTagsRequest>,
    ) -> Answer<wire::ListTagsResponse> {
        let (called, asked) = opened(request)?;
        called.principal()?;
        answer(self.tags(asked).await)
    }

    async fn create_comment(
        &self,
        request: Request<wire::CreateCommentRequest>,
    ) -> Answer<wire::CreateCommentResponse> {
        let (called, asked) = opened(request)?;
        answer(self.commented(&called, asked).await)
    }

    async fn get_comment(
        &self,
        request: Request<wire::GetCommentRequest>,
    ) -> Answer<wire::GetCommentResponse> {
        let (called, asked) = opened(request)?;
        called.principal()?;
        answer(self.comment(asked).await)
    }

    async fn update_comment(
        &self,
        request: Request<wire::UpdateCommentRequest>,
    ) -> Answer<wire::UpdateCommentResponse> {
        let (called, asked) = opened(request)?;
        answer(self.reworded(&called, asked).await)
    }

    async fn delete_comment(
        &self,
        request: Request<wire::DeleteCommentRequest>,
    ) -> Answer<wire::DeleteCommentResponse> {
        let (called, asked) = opened(request)?;
        answer(self.taken_back(&called, asked).await)
    }

    async fn list_comments(
        &self,
        request: Request<wire::ListCommentsRequest>,
    ) -> Answer<wire::ListCommentsResponse> {
        let (called, asked) = opened(request)?;
        called.principal()?;
        answer(self.comments_on(asked).await)
    }

    async fn batch_get_posts(
        &self,
        request: Request<wire::BatchGetPostsRequest>,
    ) -> Answer<wire::BatchGetPostsResponse> {
        let (called, asked) = opened(request)?;
        called.principal()?;
        answer(self.posts(asked).await)
    }

    async fn batch_list_posts(
        &self,
        request: Request<wire::BatchListPostsRequest>,
    ) -> Answer<wire::BatchListPostsResponse> {
        let (called, asked) = opened(request)?;
        called.principal()?;
        answer(self.posts_of_many(asked).await)
    }

    async fn batch_list_comments(
        &self,
        request: Request<wire::BatchListCommentsRequest>,
    ) -> Answer<wire::BatchListCommentsResponse> {
        let (called, asked) = opened(request)?;
        called.principal()?;
        answer(self.comments_on_many(asked).await)
    }
}

fn author(id: &str, known: Option<&Author>) -> wire::Author {
    wire::Author { id: id.to_owned(), name: known.and_then(|author| author.name.clone()) }
}
