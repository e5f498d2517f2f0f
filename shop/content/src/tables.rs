//! The rows of the service.

use shop_edge::IDEMPOTENCY;
use switchboard_store::{Column, Table};

/// One row per post, by id. Only edits change it, so that its version is that of the post.
pub static POSTS: Table = Table {
    name: "posts",
    columns: &[
        Column::text("author_id"),
        Column::text("title"),
        Column::text("content"),
        Column::text("tags"),
        Column::integer("created_at"),
        Column::integer("updated_at"),
    ],
    indexes: &[&["author_id", "created_at"], &["created_at"]],
};

/// For how many more comments each post has room. It is there as long as the post is, so that a
/// condition on it holds for a post that exists, and comments of one post do not conflict.
pub static THREADS: Table =
    Table { name: "threads", columns: &[Column::integer("room")], indexes: &[] };

/// One row per comment, by id.
pub static COMMENTS: Table = Table {
    name: "comments",
    columns: &[
        Column::text("post_id"),
        Column::text("author_id"),
        Column::text("content"),
        Column::integer("created_at"),
        Column::integer("updated_at"),
    ],
    indexes: &[&["post_id", "created_at"]],
};

/// How many posts have a tag, by the tag. A row may be at 0: it was used once.
pub static TAGS: Table = Table { name: "tags", columns: &[Column::integer("posts")], indexes: &[] };

/// Which posts have a tag, by `tag/post`.
pub static TAGGED: Table = Table {
    name: "tagged",
    columns: &[Column::text("tag"), Column::text("post_id"), Column::integer("created_at")],
    indexes: &[&["tag", "created_at"]],
};

/// Authors by their user's id, as users has told. One who has left stays as a row without a name,
/// so that an event that comes late does not bring them back.
pub static AUTHORS: Table = Table {
    name: "authors",
    columns: &[Column::text("name"), Column::integer("gone")],
    indexes: &[],
};

/// All of them.
pub static TABLES: &[&Table] =
    &[&POSTS, &THREADS, &COMMENTS, &TAGS, &TAGGED, &AUTHORS, &IDEMPOTENCY];
