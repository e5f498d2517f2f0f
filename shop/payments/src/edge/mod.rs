//! Thin translators over [`App`](crate::App).

pub mod document;
pub mod grpc;
mod moving;
pub mod rest;
pub mod shapes;
