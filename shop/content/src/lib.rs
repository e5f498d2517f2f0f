//! What users write: posts with tags, and comments on them.
//!
//! # The parts
//!
//! - [`domain`] what a post and a comment are, their bounds, and what an edit changes
//! - [`app`] load, decide, commit; reading for one, for a page, for a batch
//! - [`authors`] the names of authors, learned from users
//! - [`removals`] the comments of removed posts, deleted bit by bit
//! - [`edge`] the REST routes
//! - [`tables`] rows
//!
//! Publishes [`shop_contracts::content`]; reads [`shop_contracts::users`].

pub mod app;
pub mod authors;
pub mod domain;
pub mod edge;
pub mod removals;
pub mod service;
pub mod tables;

pub use app::App;
pub use edge::document::openapi;
pub use service::{NAME, groups, run, topics};
pub use tables::TABLES;
