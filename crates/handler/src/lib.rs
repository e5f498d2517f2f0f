//! Turns deliveries into units: consume, recognise duplicates, decide, commit, settle.
//!
//! A handler returns the [`Unit`](switchboard_store::Unit) that a message leads to. The group adds the message's mark, its own
//! progress and the causal context, commits everything at once, and only then tells the broker that the message is done.
//!
//! Two services, each with its own store, that talk through a broker:
//!
//! ```
//! use std::sync::Arc;
//! use serde::{Deserialize, Serialize};
//! use switchboard_core::{Clock, Key, Message, Rng, SystemClock};
//! use switchboard_handler::Group;
//! use switchboard_message::{Broker, MemoryBroker, Topic, Topology};
//! use switchboard_relay::Relay;
//! use switchboard_store::{Column, Journal, MemoryStore, Rows, Table, Unit};
//! use tokio_util::sync::CancellationToken;
//!
//! #[derive(Serialize, Deserialize)]
//! struct OrderPlaced { order: String, total: i64 }
//! impl Message for OrderPlaced {
//!     const TOPIC: &'static str = "orders.events";
//!     const KIND: &'static str = "orders.placed";
//!     fn key(&self) -> Option<Key> { Some(Key::from(self.order.as_str())) }
//! }
//!
//! static SALES: Table = Table { name: "sales", columns: &[Column::integer("sum")], indexes: &[] };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock: Arc<dyn Clock> = Arc::new(SystemClock);
//! let broker = MemoryBroker::new(clock.clone());
//! broker.declare(&Topology::of([Topic::new("orders.events")])).await?;
//! let shutdown = CancellationToken::new();
//!
//! // The first service commits orders; its relay carries them to the broker.
//! let orders = Arc::new(MemoryStore::new("orders", &[], clock.clone(), Rng::from_seed(1)));
//! let relay = Relay::new(orders.clone(), Arc::new(broker.clone()), clock.clone());
//! tokio::spawn(relay.run(shutdown.clone()));
//!
//! // The second one adds them up: each exactly once, whatever is delivered twice.
//! let reports = Arc::new(MemoryStore::new("reports", &[&SALES], clock.clone(), Rng::from_seed(2)));
//! let group = Group::new("reports", reports.clone(), Arc::new(broker), clock, Rng::from_seed(3))
//!     .on(|placed: OrderPlaced, _cause| async move {
//!         Ok(Unit::new().add(&SALES, "all", "sum", placed.total))
//!     });
//! let running = tokio::spawn(group.run(shutdown.clone()));
//!
//! orders.commit(Unit::new().publish(&OrderPlaced { order: "a".into(), total: 700 })).await?;
//! orders.commit(Unit::new().publish(&OrderPlaced { order: "b".into(), total: 42 })).await?;
//!
//! let sum = loop {
//!     tokio::task::yield_now().await;
//!     if let Some(row) = reports.row(&SALES, "all").await?.filter(|row| row.version == 2) {
//!         break row.integer("sum");
//!     }
//! };
//! assert_eq!(sum, 742);
//! shutdown.cancel();
//! running.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! - [`group`] registrations, and the life of a group
//! - [`options`] concurrency, retries, patience
//! - [`guard`] what stands before handlers that ask something outside
//! - [`failure`] what a handler answers when it has no unit
//! - [`operator`] blocked keys: list, replay, skip
//! - [`metrics`] the numbers that a group shows
//! - [`error`] why a group ended
//!
//! # What happens to a message that fails
//!
//! | its failure | then |
//! |---|---|
//! | `Retry` | up to 3 more tries at once, while its key waits; then 3 delayed rounds, while its key is blocked and all others flow; then parked |
//! | `Terminal`, a panic, undecodable bytes | its key is parked: later messages of the key queue behind it until an operator replays or skips it |
//! | `Stuck` | the same, and the metric [`metrics::STUCK`] rises |
//! | the store is away | it stays with the broker, and is tried until the store is back |
//!
//! # Several processes
//!
//! A group may run in several processes over one store: the broker divides the partitions, and every delivery is guarded by its mark.
//! Set [`Options::sharing`], and one of them works off the blocked keys, under the lease `gates/<group>`; a unit of a process that has
//! lost the lease is refused. A handler may then run twice for one message, in a process that was paused and in its successor, but
//! only one of the two units is committed. Conflicts between processes run the handler again and use up no tries
//! ([`Options::conflicts`]).

pub mod error;
pub mod failure;
pub mod group;
pub mod guard;
pub mod metrics;
pub mod operator;
pub mod options;
#[cfg(feature = "planted")]
#[doc(hidden)]
pub mod planted;
#[cfg(not(feature = "planted"))]
mod planted;

mod custody;
mod drain;
mod intake;
mod job;
mod retries;
mod routes;
mod runner;
mod track;

pub use error::Error;
pub use failure::Failure;
pub use group::{Description, Group};
pub use guard::{Guard, WhenOpen};
pub use options::Options;
