//! RabbitMQ behind the seam of brokers: topics and groups on quorum queues, and queues as they are.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use switchboard_core::{Envelope, Rng, SystemClock};
//! use switchboard_message::{Broker, Topic, Topology};
//! use switchboard_message_rabbit::{Options, RabbitBroker};
//!
//! let options = Options::from_url("amqp://guest:guest@127.0.0.1:5672/%2f")?;
//! let broker = RabbitBroker::connect(options).await?;
//! let topology = Topology::of([Topic::new("orders")]).with_group("billing", ["orders".into()]);
//! broker.declare(&topology).await?;
//! let order = Envelope::new("orders", "order.placed", "shop", &SystemClock, &mut Rng::from_seed(1));
//! for answer in broker.publish(vec![order]).await {
//!     answer?;
//! }
//! broker.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How the seam lies on RabbitMQ
//!
//! - A topic is a durable direct exchange. The routing key is the partition's number.
//! - A group on a topic is one quorum queue for each partition, of which one process at a time has
//!   the messages (`x-single-active-consumer`): the order of a slot is kept. A group gets what is
//!   published after it was declared, so name all groups in the topology.
//! - What no group wants is no error: it goes to the queue `switchboard.unrouted`, where the newest
//!   1 000 can be looked at ([`RabbitBroker::unrouted`]).
//! - A rejected message, and one that came back too often, goes to the queue `group:topic.dead`, at
//!   least once.
//! - There are no positions. Those in receipts and progress are given by this process; they rise,
//!   and mean nothing to the server. [`Resume`](switchboard_message::Resume) is not asked, because
//!   the server keeps what is not settled.
//! - A connection is made again when it is lost, and everything on it is rebuilt: topics, queues,
//!   prefetch, consumers. What was not confirmed is sent again under the same message id; what was
//!   not settled comes again, and receipts of the former channel are stale.
//!
//! # The parts
//!
//! - [`RabbitBroker`] the broker
//! - [`Options`] where it is, and how much may be under way
//! - `link` a connection that is made again
//! - `topics` what is declared
//! - `publish` the task that publishes, with its window
//! - `consume` groups, members, and the task that feeds one partition
//! - `queues` queues behind exchanges, and [`Delays`] that the server keeps by itself
//! - `wire` an envelope as an AMQP message
//! - [`names`] what things are called on the server

mod broker;
mod consume;
mod error;
mod inspect;
mod link;
pub mod metrics;
pub mod names;
mod options;
mod publish;
mod queues;
mod topics;
mod version;
mod wire;

pub use broker::RabbitBroker;
pub use error::ConnectError;
pub use options::{MIN_SHARE, Options};
pub use queues::{Delays, Ladder};
