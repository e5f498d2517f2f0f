//! Thin translators over [`crate::App`].

pub mod grpc;
pub mod rest;
