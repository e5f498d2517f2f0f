//! Who the customers are: signing up, signing in, and their own data.
//!
//! # The parts
//!
//! - [`app`] load, decide, commit
//! - [`edge`] the REST routes
//! - [`tables`] rows
//! - [`passwords`] hashing, and how often a password may be guessed
//!
//! Publishes [`shop_contracts::users`].

pub mod app;
pub mod edge;
pub mod passwords;
pub mod service;
pub mod tables;

pub use app::App;
pub use edge::document::openapi;
pub use service::{NAME, run, topics};
pub use tables::TABLES;
