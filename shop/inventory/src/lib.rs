//! What is for sale and how much of it there is: products, stock, and what orders have set aside.
//!
//! # The parts
//!
//! - [`domain`] what may happen to a reservation and to stock
//! - [`app`] load, decide, commit
//! - [`catalogue`] the products of the first start
//! - [`edge`] the REST routes
//! - [`participant`] answers the order saga
//! - [`tables`] rows
//!
//! Answers [`shop_contracts::inventory`].

pub mod app;
pub mod catalogue;
pub mod domain;
pub mod edge;
pub mod participant;
pub mod service;
pub mod tables;

pub use app::App;
pub use edge::document::openapi;
pub use service::{NAME, groups, run, topics};
pub use tables::TABLES;
