//! Customers, and what they have written.

use async_graphql::{Context, ID, Object};
use shop_contracts::rpc::{content, users};

use super::super::calls::answered;
use super::super::loaders::{PostsOf, UserId};
use super::super::meter::list;
use super::connection::{Page, Place, Wanted, page_of};
use super::post::Post;
use super::{Answer, LIST, Nullable, bounded, calls, found, items, nullable};

/// A customer, as the caller may see them.
pub(super) struct User(users::PublicUser);

// === impl User ===

impl User {
    /// The user of this id, if there is one.
    pub(super) async fn find(ctx: &Context<'_>, id: String) -> Answer<Option<Self>> {
        Ok(found(ctx, UserId(id)).await?.map(Self))
    }

    pub(super) fn of(user: users::User) -> Self {
        let users::User { id, name, email, .. } = user;
        Self(users::PublicUser { id, name, email: Some(email) })
    }

    async fn newest(&self, ctx: &Context<'_>, limit: i32) -> Answer<content::PostsOfAuthor> {
        let key = PostsOf(self.0.id.clone(), limit);
        Ok(found(ctx, key).await?.unwrap_or_default())
    }
}

/// A customer.
#[Object]
impl User {
    /// Their id.
    async fn id(&self) -> ID {
        ID(self.0.id.clone())
    }

    /// Their name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Their e-mail address: only for themselves and the operator, null for others.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Their newest posts, the newest first: 100 at most, or `limit`. For all of them ask for pages:
    /// `postsConnection`. Null, with an error, while the content service is away.
    #[graphql(complexity = "list(items(Some(limit)), child_complexity)")]
    async fn posts(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "LIST")] limit: i32,
    ) -> Nullable<Vec<Post>> {
        nullable(async {
            let limit = bounded(limit, "limit")?;
            if limit == 0 {
                return Ok(Some(Vec::new()));
            }
            let posts = self.newest(ctx, limit).await?.posts;
            Ok(Some(posts.into_iter().map(Post::of).collect()))
        })
        .await
    }

    /// Their posts a page at a time, the newest first. Null, with an error, while the content
    /// service is away.
    #[graphql(complexity = "list(items(first), child_complexity)")]
    async fn posts_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page: 20 by default, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Where the page begins: a cursor of this list.")] after: Option<String>,
    ) -> Nullable<Page<Post>> {
        nullable(async {
            let wanted = Wanted::of(first, after)?;
            let (posts, next) = if wanted.is_first() {
                // The first pages of many users are one call.
                let posts = self.newest(ctx, wanted.size.max(1)).await?;
                (posts.posts, posts.next_page_token)
            } else {
                // A cursor belongs to one user.
                let request = content::ListPostsRequest {
                    author_id: self.0.id.clone(),
                    page_size: wanted.size.max(1),
                    page_token: wanted.token.clone(),
                };
                let calls = calls(ctx);
                let answer = calls.content().list_posts(calls.ask(request)).await;
                let page = answered("content", answer)?;
                (page.posts, page.next_page_token)
            };
            let filter = format!("posts of {:?}", Some(&self.0.id));
            let place = |post: &content::Post| Place::at(post.created_at.as_ref(), &post.id);
            Ok(Some(page_of(calls(ctx), &filter, &wanted, posts, &next, place, Post::of)))
        })
        .await
    }

    /// Whether `posts` is null because the content service is away, and worth asking for again.
    async fn posts_unavailable(&self, ctx: &Context<'_>) -> bool {
        self.newest(ctx, LIST).await.is_err_and(|failed| failed.is_away())
    }
}
