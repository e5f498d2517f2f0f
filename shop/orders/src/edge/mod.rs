//! Thin translators over [`App`](crate::App).

pub mod document;
pub mod grpc;
pub mod rest;
pub mod shapes;

mod sagas;
mod watch;
