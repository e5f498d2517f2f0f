//! Thin translators over [`crate::App`].

pub mod document;
pub mod grpc;
pub mod rest;
pub mod shapes;
