//! What a post and a comment are, their bounds, and what an edit changes.

pub mod comment;
pub mod post;
pub mod tags;

pub use comment::{Comment, Full};
pub use post::{Draft, Edit, Post};
