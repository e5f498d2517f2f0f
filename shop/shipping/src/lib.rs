//! Sends parcels, and knows where they are.
//!
//! # The parts
//!
//! - [`domain`] whether and how a parcel is sent
//! - [`app`] load, decide, commit
//! - [`countries`] where parcels go
//! - [`edge`] the REST routes
//! - [`participant`] answers the order saga
//! - [`tables`] rows
//!
//! Answers [`shop_contracts::shipping`].

pub mod app;
pub mod countries;
pub mod domain;
pub mod edge;
pub mod participant;
pub mod service;
pub mod tables;

pub use app::App;
pub use edge::document::openapi;
pub use service::{NAME, groups, run, topics};
pub use tables::TABLES;
