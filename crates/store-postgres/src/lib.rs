//! The store for several processes: one schema of a PostgreSQL database, shared by every copy of a service.
//!
//! ```no_run
//! use std::sync::Arc;
//! use switchboard_core::{Rng, SystemClock};
//! use switchboard_store::{Column, Journal, Rows, Table, Unit, Value};
//! use switchboard_store_postgres::{Options, PostgresStore};
//!
//! static BALANCES: Table =
//!     Table { name: "balances", columns: &[Column::integer("amount")], indexes: &[] };
//! static TABLES: &[&Table] = &[&BALANCES];
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "postgres://payments:secret@db.example/shop";
//! let options =
//!     Options::new(url, "payments", TABLES, Arc::new(SystemClock), Rng::from_entropy());
//! let store = PostgresStore::open(options).await?;
//! store.commit(Unit::new().put(&BALANCES, "alice", [("amount", Value::from(500))])).await?;
//! assert_eq!(store.row(&BALANCES, "alice").await?.unwrap().integer("amount"), 500);
//! # Ok(()) }
//! ```
//!
//! # What it promises
//!
//! - An answered commit is on the server's disk: a server, database or role with
//!   `synchronous_commit = off` is refused.
//! - Positions are in commit order, without gaps: whoever appends holds one advisory lock of the
//!   store from the last look at its conditions until its commit. A reader needs no more than a
//!   cursor, whatever transactions are open. What a batch changes in rows and marks is written
//!   before the lock, so that processes wait for each other as briefly as can be.
//! - Units that wait at the same moment share one transaction; nobody waits for a timer, except
//!   units that ask for it (`lazy`, at most 20 ms). A unit that fails does not fail its neighbours.
//! - A lost connection is replaced. If it was lost during a commit, the store itself is asked
//!   whether the commit has happened: `Unknown` is answered only when nobody can be asked within
//!   the patience of the [`Options`]. The store goes on taking units afterwards.
//! - A restored copy, a failover to another timeline, or a dump that was read in elsewhere begins a
//!   new incarnation as soon as it is connected to.
//! - [`PostgresStore::enqueue`] publishes messages with a team's own `sqlx` transaction.
//!
//! # Connections
//!
//! A store holds one connection that commits, one that listens, and others that read; five in all
//! unless [`Options::with_connections`] says otherwise, at least three. They are opened when they are
//! needed, but for the first. A process with seven services holds 35 by default: the server's
//! `max_connections` is for all processes together.
//!
//! # Through a proxy that pools transactions
//!
//! `LISTEN` does not work there, and what is set in a session belongs to anybody's. With
//! [`Options::with_pooler`] the store does neither: settings are local to each transaction, locks
//! end with it, and commits of other processes are found by polling (2 s unless
//! [`Options::with_poll`] says otherwise). Statements are prepared, so the proxy must carry these
//! over (PgBouncer from 1.21, with `max_prepared_statements`). Everything else works.
//!
//! # The parts
//!
//! - [`Options`], [`OpenError`] how to open a store, and what keeps it from opening
//! - [`PostgresStore`] the store itself; a cheap handle
//! - [`EnqueueError`] what keeps a team's message from being taken
//!
//! PostgreSQL 13 or newer is needed. TLS is not built in: use a private network or a local proxy.

mod connect;
mod enqueue;
mod error;
mod guard;
mod herald;
mod lock;
mod metrics;
mod options;
mod queue;
mod read;
mod schema;
mod sql;
mod store;
mod writer;

pub use enqueue::EnqueueError;
pub use error::OpenError;
pub use options::Options;
pub use store::PostgresStore;
