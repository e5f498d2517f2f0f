//! Thin translators over [`crate::App`].

pub mod document;
pub mod rest;
pub mod shapes;

mod operator;
