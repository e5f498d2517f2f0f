//! Accounts and the money on them: event-sourced, so that every balance can be explained.
//!
//! # The parts
//!
//! - [`domain`] what may happen to an account, and what then has happened
//! - [`app`] load, decide, commit
//! - [`edge`] the REST routes
//! - [`participant`] answers the order saga
//! - [`tables`] rows
//!
//! Answers [`shop_contracts::payments`]; reads [`shop_contracts::users`].

pub mod app;
pub mod domain;
pub mod edge;
pub mod participant;
pub mod service;
pub mod tables;

pub use app::App;
pub use edge::document::openapi;
pub use service::{NAME, groups, run, topics};
pub use tables::TABLES;
