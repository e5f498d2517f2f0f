//! Carries what a store has committed to the broker, in order per key, and fires its timers.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use switchboard_core::{Key, Rng, SystemClock};
//! use switchboard_message::{Broker, Incoming, MemoryBroker, Subscription, Topic, Topology};
//! use switchboard_relay::Relay;
//! use switchboard_store::{Journal, MemoryStore, NewMessage, Unit};
//! use tokio_util::sync::CancellationToken;
//!
//! let clock = Arc::new(SystemClock);
//! let broker = MemoryBroker::new(clock.clone());
//! broker.declare(&Topology::of([Topic::new("orders.events")])).await?;
//! let store = Arc::new(MemoryStore::new("orders", &[], clock.clone(), Rng::from_seed(1)));
//!
//! // Before the service takes work: has the store been put back to an older copy?
//! let relay = Relay::new(store.clone(), Arc::new(broker.clone()), clock).start().await?;
//! let shutdown = CancellationToken::new();
//! let running = tokio::spawn(relay.run(shutdown.clone()));
//!
//! store.commit(Unit::new().send(NewMessage {
//!     topic: "orders.events".into(),
//!     kind: "orders.placed".into(),
//!     version: 1,
//!     key: Some(Key::from("order-1")),
//!     payload: "{}".into(),
//!     context: None,
//!     headers: Default::default(),
//! })).await?;
//!
//! let mut consumer = broker.subscribe(Subscription::new("mail", ["orders.events".into()])).await?;
//! let envelope = loop {
//!     if let Incoming::Deliveries(mut deliveries) = consumer.next().await? {
//!         break deliveries.remove(0).message.map_err(|undecodable| undecodable.error)?;
//!     }
//! };
//! assert_eq!(envelope.identity.map(|identity| identity.sequence), Some(1));
//! shutdown.cancel();
//! running.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! - [`relay`] the relay of one store, and the check before it publishes anything
//! - [`options`] batches, checkpoints, waits
//! - [`metrics`] the numbers that a relay shows
//! - [`error`] why a relay ended
//!
//! # What it promises
//!
//! - Nothing leaves that is not committed, and everything committed leaves.
//! - First occurrences of one key's messages are in order on the wire. A duplicate may follow after a crash; consumers recognise it.
//! - A message that fails for now blocks its slot alone. One that can never be published parks its key alone, as a dead letter of the
//!   group [`GROUP`], in the same commit as the slot's checkpoint; an operator replays it like any other.
//! - A checkpoint never passes a message that the broker has not answered.
//!
//! # Several processes
//!
//! Set [`Options::sharing`] when a service runs as several processes over one store. Each relay then publishes an even share of the
//! slots, in 16 ranges, under leases ([`switchboard_store::leases`]), and one of them fires the timers. When processes come and go,
//! ranges are handed over in about a second; those of a process that died are taken after the leases' time to live. Whoever takes a
//! range begins at its stored checkpoints. A relay that lost a range without noticing may repeat messages, but its checkpoints and
//! parked keys are refused and counted. Each relay reads the whole outbox and passes over what is not its own.

pub mod error;
pub mod metrics;
pub mod options;
#[cfg(feature = "planted")]
#[doc(hidden)]
pub mod planted;
#[cfg(not(feature = "planted"))]
mod planted;
pub mod relay;

mod incarnation;
mod parking;
mod publisher;
mod ranges;
mod slots;
mod timers;
mod window;

pub use error::Error;
pub use options::Options;
pub use parking::GROUP;
pub use relay::{Relay, Running};
