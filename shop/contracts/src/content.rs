//! What the content service tells the others. What was written stays there: an event says what it is about, not what it says.

use serde::{Deserialize, Serialize};
use switchboard_core::impl_message;

/// The topic of everything about posts and their comments.
pub const EVENTS: &str = "content.events";

/// Somebody wrote a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostPublished {
    /// The new post.
    pub post_id: String,
    /// Who wrote it.
    pub author_id: String,
    /// Its title.
    pub title: String,
    /// Its tags, each once.
    pub tags: Vec<String>,
}

/// A post has another title, content or other tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostChanged {
    /// The post.
    pub post_id: String,
    /// Who wrote it.
    pub author_id: String,
    /// Its title now.
    pub title: String,
    /// Its tags now, each once.
    pub tags: Vec<String>,
}

/// A post is gone, and its comments with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostRemoved {
    /// The post.
    pub post_id: String,
    /// Who wrote it.
    pub author_id: String,
}

/// Somebody commented on a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentAdded {
    /// The post.
    pub post_id: String,
    /// The new comment.
    pub comment_id: String,
    /// Who wrote the comment.
    pub author_id: String,
}

impl_message!(PostPublished, EVENTS, "content.post_published", key = post_id);
impl_message!(PostChanged, EVENTS, "content.post_changed", key = post_id);
impl_message!(PostRemoved, EVENTS, "content.post_removed", key = post_id);
impl_message!(CommentAdded, EVENTS, "content.comment_added", key = post_id);
