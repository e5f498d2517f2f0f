//! Thin translators over [`App`](crate::App).

pub mod document;
pub mod rest;
pub mod shapes;

mod comments;
pub mod grpc;
mod posts;
