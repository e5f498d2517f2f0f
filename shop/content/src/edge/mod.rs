//! Thin translators over [`App`](crate::App).

mod comments;
mod posts;
pub mod rest;
