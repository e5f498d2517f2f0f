//! The embedded broker: topics, groups, replay and queues on one log that lives inside the process.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use switchboard_core::{Envelope, Rng, SystemClock};
//! use switchboard_message::{Broker, Durability, Topic, Topology};
//! use switchboard_message_log::{LogBroker, Options};
//!
//! # let dir = tempfile::tempdir()?;
//! let clock = Arc::new(SystemClock);
//! let broker = LogBroker::open(Options::new(dir.path(), clock.clone()))?;
//! broker.declare(&Topology::of([Topic::new("orders")])).await?;
//! let envelope = Envelope::new("orders", "order.placed", "shop", &*clock, &mut Rng::from_seed(1));
//! for answer in broker.publish(vec![envelope]).await {
//!     assert_eq!(answer?.durability, Durability::Synced);
//! }
//! broker.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How things lie in the log
//!
//! One channel for each partition, named `topic/partition`; a record is the key, then the encoded
//! envelope. What is small and changes in place lies in the log's cells: the declared topics, how
//! far groups have come, who has published up to which sequence, where former epochs ended.
//!
//! # The parts
//!
//! - [`LogBroker`] the broker
//! - [`Options`] its folder and limits
//! - `publish` batches on their way into the log
//! - `records` what consumers read
//! - `topics`, `positions`, `published`, `epochs` what is kept in cells
//! - `queues` queues behind exchanges
//! - `retention` what is dropped, and when
//! - `record` the form of a record
//!
//! It lives in one process with all its services, has no timer that ticks, and starts no thread
//! beside the log's own.

mod broker;
mod cell;
mod epochs;
mod error;
pub mod metrics;
mod options;
mod positions;
mod publish;
mod published;
mod queues;
mod record;
mod records;
mod retention;
mod topics;

pub use broker::LogBroker;
pub use error::OpenError;
pub use options::Options;
