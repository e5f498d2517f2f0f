//! A reader of a store's own log, which writes rows and its checkpoint in one commit.
//!
//! A projection serves lists, statistics and other views that a resource's own unit does not write. It can be built again from the
//! first event at any time, under a new name beside the old one, because its checkpoint is part of what it commits.
//!
//! ```
//! use std::sync::Arc;
//! use switchboard_core::{ManualClock, Rng};
//! use switchboard_projection::Projection;
//! use switchboard_store::{Column, Journal, MemoryStore, Rows, Table, Unit};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Serialize, Deserialize)] struct Placed;
//! # impl switchboard_core::Event for Placed { fn kind(&self) -> &'static str { "Placed" } }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! static COUNTS: Table = Table { name: "counts", columns: &[Column::integer("n")], indexes: &[] };
//! let store = Arc::new(MemoryStore::new("orders", &[&COUNTS], Arc::new(ManualClock::default()), Rng::from_seed(1)));
//! store.commit(Unit::new().append("order-1", 0, [Placed])).await?;
//!
//! let projection = Projection::new("counts-v1", store.clone(), |event, unit| Ok(unit.add(&COUNTS, &*event.kind, "n", 1)));
//! projection.catch_up().await?;
//! assert_eq!(store.row(&COUNTS, "Placed").await?.unwrap().integer("n"), 1);
//! # Ok(()) }
//! ```
//!
//! # The parts
//!
//! - [`projection`] catching up and following, in one loop; in several processes by turns
//! - [`metrics`] the numbers that a projection shows
//! - [`error`] why a projection stops: it never skips by itself

pub mod error;
pub mod metrics;
pub mod projection;

mod turns;

pub use error::Error;
pub use projection::Projection;
