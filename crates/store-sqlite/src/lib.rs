//! The embedded store: one SQLite file, one writer thread, one sync for everything that is waiting.
//!
//! ```
//! use std::sync::Arc;
//! use switchboard_core::{Rng, SystemClock};
//! use switchboard_store::{Column, Journal, Rows, Table, Unit, Value};
//! use switchboard_store_sqlite::{Options, SqliteStore};
//!
//! static BALANCES: Table =
//!     Table { name: "balances", columns: &[Column::integer("amount")], indexes: &[] };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let rt = tokio::runtime::Builder::new_current_thread().build()?;
//! # rt.block_on(async {
//! let path = dir.path().join("payments.db");
//! let options = Options::new(path, "payments", Arc::new(SystemClock), Rng::from_entropy())
//!     .with_tables(&[&BALANCES]);
//! let store = SqliteStore::open(options)?;
//! store.commit(Unit::new().put(&BALANCES, "alice", [("amount", Value::from(500))])).await?;
//! assert_eq!(store.row(&BALANCES, "alice").await?.unwrap().integer("amount"), 500);
//! # Ok(()) })
//! # }
//! ```
//!
//! # What it promises
//!
//! - An answered commit is on the disk: WAL mode with `synchronous=FULL`.
//! - Units that wait at the same moment share one transaction and one sync; nobody waits for a
//!   timer, except units that ask for it (`lazy`, at most 20 ms).
//! - A unit that fails does not fail its neighbours.
//! - After a failed sync nothing is tried again: the store refuses units until it is opened anew.
//! - One process at a time: a lock file beside the database says who has it.
//!
//! # The parts
//!
//! - [`Options`], [`OpenError`] how to open a store, and what keeps it from opening
//! - [`SqliteStore`] the store itself; a cheap handle
//! - [`backup`] copying a store while it goes on
//! - [`compare`] what a newer copy of a store knows that an older one does not
//!
//! It is not a pool of connections for queries of one's own, and never a file shared by processes.

pub mod backup;
pub mod compare;

mod checkpoint;
mod error;
mod lock;
mod metrics;
mod options;
mod queue;
mod read;
mod schema;
mod store;
mod writer;

pub use error::OpenError;
pub use options::Options;
#[cfg(feature = "planted")]
#[doc(hidden)]
pub use options::Planted;
pub use store::SqliteStore;
