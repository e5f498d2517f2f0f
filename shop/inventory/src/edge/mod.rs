//! Thin translators over [`crate::App`].

pub mod rest;
