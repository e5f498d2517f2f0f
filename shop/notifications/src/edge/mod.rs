//! Thin translators over [`crate::App`].

pub mod rest;

mod operator;
