//! Thin translators over [`App`](crate::App).

pub mod grpc;
pub mod rest;
mod v2;
mod wanted;
