//! A comment on a post, and how many of them a post has room for.

use std::ops::RangeInclusive;

use switchboard_core::Timestamp;

/// Characters of a comment.
pub const CONTENT: RangeInclusive<usize> = 1..=5_000;
/// Comments of one post, at most.
pub const COMMENTS_MAX: i64 = 10_000;

/// What somebody said about a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: String,
    /// The post.
    pub post_id: String,
    /// The user who said it.
    pub author_id: String,
    /// What they said.
    pub content: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// How many times it was changed, from 1: what an optimistic change expects.
    pub version: u64,
}

/// A refusal: the post has as many comments as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the post has {COMMENTS_MAX} comments, which is as many as it may have")]
pub struct Full;

/// Whether a post that has room for so many takes one more.
///
/// # Errors
/// [`Full`].
pub fn decide(room: i64) -> Result<(), Full> {
    if room > 0 { Ok(()) } else { Err(Full) }
}

// === impl Comment ===

impl Comment {
    /// The comment with other content; `None` when it says nothing new.
    pub fn edited(&self, content: &str, now: Timestamp) -> Option<Self> {
        let content = content.to_owned();
        let version = self.version + 1;
        (content != self.content).then(|| Self {
            content,
            updated_at: now,
            version,
            ..self.clone()
        })
    }
}
