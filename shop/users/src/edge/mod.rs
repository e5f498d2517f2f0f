//! Thin translators over [`App`](crate::App).

pub mod rest;
mod v2;
