//! Thin translators over [`App`](crate::App).

mod comments;
pub mod grpc;
mod posts;
pub mod rest;
