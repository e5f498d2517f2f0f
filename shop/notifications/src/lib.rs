//! Tells people and counts what happened: a visible event router and three independent groups.
//!
//! # The parts
//!
//! - [`routes`] which event goes where: data
//! - [`router`] passes events on
//! - [`email`], [`analytics`], [`notification`] the groups behind it
//! - [`mail`] letters that leave the shop
//! - [`switches`] stopping, starting and failing one of them
//! - [`domain`] what is said and what is counted
//! - [`app`] what all of them share
//! - [`edge`] the REST routes
//! - [`tables`] rows
//!
//! Reads [`shop_contracts::users`] and [`shop_contracts::orders`].

pub mod analytics;
pub mod app;
pub mod domain;
pub mod edge;
pub mod email;
pub mod mail;
pub mod notification;
pub mod router;
pub mod routes;
pub mod service;
pub mod switches;
pub mod tables;

pub use app::App;
pub use edge::document::openapi;
pub use service::{NAME, groups, parts, run, topics};
pub use tables::TABLES;
