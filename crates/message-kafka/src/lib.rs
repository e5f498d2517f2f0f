//! Apache Kafka behind the seam of brokers.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use switchboard_core::{Envelope, Rng, SystemClock};
//! use switchboard_message::{Broker, Topic, Topology};
//! use switchboard_message_kafka::{KafkaBroker, Options};
//!
//! let broker = KafkaBroker::connect(Options::from_url("kafka://127.0.0.1:9092")?).await?;
//! broker.declare(&Topology::of([Topic::new("orders")])).await?;
//! let envelope =
//!     Envelope::new("orders", "order.placed", "shop", &SystemClock, &mut Rng::from_entropy());
//! for answer in broker.publish(vec![envelope]).await {
//!     println!("at {}", answer?.position);
//! }
//! broker.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Words
//!
//! A position is Kafka's offset plus one: the first record is at 1, and 0 is before everything. The
//! offset that a group has committed (the next one to read) is therefore its position as it is.
//! Positions have gaps where transactions end and where records were compacted away.
//!
//! # Epochs
//!
//! All positions belong to epoch 1, because the client does not tell a topic's id. A position of
//! another epoch, from another broker for example, says nothing about this log: its group begins at
//! the oldest record. When a topic is deleted and created again, its positions begin at 1 again:
//! Kafka forgets the offsets of its groups, but a store that keeps a group's position does not, and
//! would pass over new records at old positions. Delete that progress with the topic.
//!
//! # The parts
//!
//! - [`KafkaBroker`] the broker
//! - [`Options`] where it is, and every bound
//! - [`dead_letters`] what was given up, in the dialects of others
//! - `publish`, `batch` batches on their way, and their answers
//! - `member` one member of a group: its thread, and the consumer that is fed from it
//! - `window`, `note` what is done, and how a commit remembers it
//! - `record` envelopes as ordinary records
//! - `topics`, `inspect`, `graves` what is declared, asked, given up
//! - `client` everything that knows the client library

mod batch;
mod broker;
mod client;
pub mod dead_letters;
mod error;
mod graves;
mod inspect;
mod member;
pub mod metrics;
mod note;
mod options;
mod publish;
mod record;
mod topics;
mod url;
mod window;

pub use broker::KafkaBroker;
pub use error::ConnectError;
pub use inspect::Buried;
pub use options::{Compression, DeadLetters, Mechanism, Options, Sasl, Tls};
pub use url::UrlError;

use switchboard_core::BoxError;

/// The epoch of every position: see the title page.
pub(crate) const EPOCH: u64 = 1;

/// Asks something that blocks, away from the tasks.
pub(crate) async fn blocking<T: Send + 'static, E: Into<BoxError> + Send + 'static>(
    ask: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, BoxError> {
    tokio::task::spawn_blocking(ask).await?.map_err(Into::into)
}
