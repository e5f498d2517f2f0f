//! What posts, tags and comments look like on the wire, for the document: see [`openapi`](super::document::openapi).
//!
//! Handlers write their answers themselves; a test of the platform holds them to these shapes.

use serde::Serialize;
use shop_edge::openapi::{ID, Label, Link, Links, Prose, Shape, Text, WHEN, links};
use utoipa::ToSchema;

/// Somebody who writes, as everybody may see them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Author {
    /// The user.
    pub id: String,
    /// Their name; left out for one that is not known yet, or is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
}

/// A post.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Post {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub author_id: String,
    /// The same, with their name.
    pub author: Author,
    /// Its title.
    pub title: String,
    /// Its text.
    pub content: String,
    /// What it is about.
    #[schema(max_items = 10)]
    pub tags: Vec<String>,
    /// When it was published.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// What is needed to publish a post, or to replace it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WritePost {
    /// Its title, 1 to 200 characters.
    #[schema(value_type = Text<1, 200>, inline)]
    pub title: String,
    /// Its text, 1 to 20 000 characters; it may have several lines.
    #[schema(value_type = Prose<20_000>, inline)]
    pub content: String,
    /// What it is about, at most 10 tags; none when it is left out or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Label<32>>>, max_items = 10)]
    pub tags: Option<Vec<String>>,
}

/// What of a post is to be changed; what is left out stays.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePost {
    /// Its title, 1 to 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Text<1, 200>, inline, required = false)]
    pub title: Option<String>,
    /// Its text, 1 to 20 000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Prose<20_000>, inline, required = false)]
    pub content: Option<String>,
    /// What it is about, at most 10 tags; null takes all away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Label<32>>>, max_items = 10)]
    pub tags: Option<Vec<String>>,
}

/// A comment on a post.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Comment {
    /// Its id.
    pub id: String,
    /// The post.
    pub post_id: String,
    /// Who wrote it.
    pub author_id: String,
    /// The same, with their name.
    pub author: Author,
    /// Its text.
    pub content: String,
    /// When it was written.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// What is needed to comment on a post, or to replace a comment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteComment {
    /// Its text, 1 to 5 000 characters; it may have several lines.
    #[schema(value_type = Prose<5_000>, inline)]
    pub content: String,
}

/// What of a comment is to be changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeComment {
    /// Its text, 1 to 5 000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Prose<5_000>, inline, required = false)]
    pub content: Option<String>,
}

/// A tag, and how many posts have it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tag {
    /// The tag.
    pub name: String,
    /// How many posts have it; a tag that no post has is not listed.
    #[schema(minimum = 1)]
    pub posts: i64,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

fn ada() -> Author {
    Author { id: ID.to_owned(), name: Some("Ada Lovelace".to_owned()) }
}

impl Shape for Post {
    fn example() -> Self {
        let WritePost { title, content, tags } = WritePost::example();
        let own = format!("/api/v1/posts/{ID}");
        Self {
            id: ID.to_owned(),
            author_id: ID.to_owned(),
            author: ada(),
            title,
            content,
            tags: tags.unwrap_or_default(),
            created_at: WHEN.to_owned(),
            updated_at: WHEN.to_owned(),
            links: links([("self", &own), ("comments", &format!("{own}/comments"))]),
        }
    }
}

impl Shape for WritePost {
    fn example() -> Self {
        Self {
            title: "Note G".to_owned(),
            content: "How to let an engine compute Bernoulli's numbers.\nIn three columns."
                .to_owned(),
            tags: Some(vec!["engines".to_owned(), "numbers".to_owned()]),
        }
    }
}

impl Shape for ChangePost {
    fn example() -> Self {
        Self { title: Some("Note G, corrected".to_owned()), content: None, tags: None }
    }
}

impl Shape for Comment {
    fn example() -> Self {
        let post = format!("/api/v1/posts/{ID}");
        Self {
            id: ID.to_owned(),
            post_id: ID.to_owned(),
            author_id: ID.to_owned(),
            author: ada(),
            content: WriteComment::example().content,
            created_at: WHEN.to_owned(),
            updated_at: WHEN.to_owned(),
            links: links([("self", &format!("{post}/comments/{ID}")), ("post", &post)]),
        }
    }
}

impl Shape for WriteComment {
    fn example() -> Self {
        Self { content: "The fourth line has a slip.".to_owned() }
    }
}

impl Shape for ChangeComment {
    fn example() -> Self {
        Self { content: Some("The fifth line has a slip.".to_owned()) }
    }
}

impl Shape for Tag {
    fn example() -> Self {
        let links = links([("posts", "/api/v1/posts?tag=engines")]);
        Self { name: "engines".to_owned(), posts: 3, links }
    }
}
