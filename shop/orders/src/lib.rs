//! Orders, and the workflow that charges, reserves and ships, or undoes what it did.
//!
//! # The parts
//!
//! - [`domain`] what an order is, what it costs, and what is recorded of it
//! - [`sagas`] the order saga
//! - [`app`] load, decide, commit
//! - [`products`] what is sold at which price, learned from inventory
//! - [`edge`] the REST routes
//! - [`tables`] rows
//!
//! Publishes [`shop_contracts::orders`]; asks payments, inventory and shipping by their contracts.

pub mod app;
pub mod domain;
pub mod edge;
pub mod products;
pub mod sagas;
pub mod service;
pub mod tables;

pub use app::App;
pub use edge::document::openapi;
pub use service::{NAME, groups, run, topics};
pub use tables::TABLES;
