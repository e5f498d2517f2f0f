//! Posts with their tags and comments, and who wrote them.

use async_graphql::{Context, ID, Object, SimpleObject};
use shop_contracts::rpc::content;

use super::super::calls::answered;
use super::super::loaders::{CommentsOf, PostId};
use super::super::meter::list;
use super::connection::{Page, Place, Wanted, page_of};
use super::scalars::{DateTime, Long};
use super::user::User;
use super::{Answer, LIST, Nullable, bounded, calls, found, items, nullable};

/// What a customer has written.
pub(super) struct Post(content::Post);
/// What somebody says about a post.
pub(super) struct Comment(content::Comment);
/// Who has written something.
pub(super) struct Author(content::Author);

/// A tag that posts have.
#[derive(SimpleObject)]
pub(super) struct Tag {
    /// Its name.
    name: String,
    /// How many posts have it.
    posts: Long,
}

// === impl Post ===

impl Post {
    pub(super) fn of(post: content::Post) -> Self {
        Self(post)
    }

    /// The post of this id, if there is one.
    pub(super) async fn find(ctx: &Context<'_>, id: String) -> Answer<Option<Self>> {
        Ok(found(ctx, PostId(id)).await?.map(Self))
    }

    async fn first(&self, ctx: &Context<'_>, limit: i32) -> Answer<content::CommentsOfPost> {
        let key = CommentsOf(self.0.id.clone(), limit);
        Ok(found(ctx, key).await?.unwrap_or_default())
    }
}

/// What a customer has written.
#[Object]
impl Post {
    /// Its id.
    async fn id(&self) -> ID {
        ID(self.0.id.clone())
    }

    /// Its title.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// What it says.
    async fn content(&self) -> &str {
        &self.0.content
    }

    /// Its tags, each once.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// Who wrote it.
    async fn author(&self) -> Author {
        Author(self.0.author.clone().unwrap_or_default())
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime {
        DateTime::of(self.0.created_at.as_ref())
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime::of(self.0.updated_at.as_ref())
    }

    /// Its first comments, the oldest first: 100 at most, or `limit`. For all of them ask for pages:
    /// `commentsConnection`. Null, with an error, while the content service is away.
    #[graphql(complexity = "list(items(Some(limit)), child_complexity)")]
    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "LIST")] limit: i32,
    ) -> Nullable<Vec<Comment>> {
        nullable(async {
            let limit = bounded(limit, "limit")?;
            if limit == 0 {
                return Ok(Some(Vec::new()));
            }
            let comments = self.first(ctx, limit).await?.comments;
            Ok(Some(comments.into_iter().map(Comment).collect()))
        })
        .await
    }

    /// Its comments a page at a time, the oldest first. Null, with an error, while the content
    /// service is away.
    #[graphql(complexity = "list(items(first), child_complexity)")]
    async fn comments_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page: 20 by default, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Where the page begins: a cursor of this list.")] after: Option<String>,
    ) -> Nullable<Page<Comment>> {
        nullable(async {
            let wanted = Wanted::of(first, after)?;
            let (comments, next) = if wanted.is_first() {
                let comments = self.first(ctx, wanted.size.max(1)).await?;
                (comments.comments, comments.next_page_token)
            } else {
                let request = content::ListCommentsRequest {
                    post_id: self.0.id.clone(),
                    page_size: wanted.size.max(1),
                    page_token: wanted.token.clone(),
                };
                let calls = calls(ctx);
                let answer = calls.content().list_comments(calls.ask(request)).await;
                let page = answered("content", answer)?;
                (page.comments, page.next_page_token)
            };
            let filter = format!("comments of {}", self.0.id);
            let place = |it: &content::Comment| Place::at(it.created_at.as_ref(), &it.id);
            Ok(Some(page_of(calls(ctx), &filter, &wanted, comments, &next, place, Comment)))
        })
        .await
    }
}

// === impl Comment ===

impl Comment {
    pub(super) fn of(comment: content::Comment) -> Self {
        Self(comment)
    }
}

/// What somebody says about a post.
#[Object]
impl Comment {
    /// Its id.
    async fn id(&self) -> ID {
        ID(self.0.id.clone())
    }

    /// What it says.
    async fn content(&self) -> &str {
        &self.0.content
    }

    /// Who wrote it.
    async fn author(&self) -> Author {
        Author(self.0.author.clone().unwrap_or_default())
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime {
        DateTime::of(self.0.created_at.as_ref())
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime::of(self.0.updated_at.as_ref())
    }

    /// The post that it is about. Null, with an error, while the content service is away.
    async fn post(&self, ctx: &Context<'_>) -> Nullable<Post> {
        nullable(Post::find(ctx, self.0.post_id.clone())).await
    }
}

// === impl Author ===

/// Who has written something. The name comes with the text, so it is there while users are away.
#[Object]
impl Author {
    /// Their id.
    async fn id(&self) -> ID {
        ID(self.0.id.clone())
    }

    /// Their name; null after they have left, and for the moment until it is known.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The customer. Null when they have left, and, with an error, while the users service is away.
    async fn user(&self, ctx: &Context<'_>) -> Nullable<User> {
        nullable(User::find(ctx, self.0.id.clone())).await
    }
}

// === impl Tag ===

impl Tag {
    pub(super) fn of(tag: content::Tag) -> Self {
        Self { name: tag.name, posts: Long(tag.posts) }
    }
}
