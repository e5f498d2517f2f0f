//! Thin translators over [`App`](crate::App).

pub mod grpc;
mod moving;
pub mod rest;
