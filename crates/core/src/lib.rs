//! The words that every part of Switchboard shares: envelopes, positions, slots, contexts, verdicts, time and chance.
//!
//! ```
//! use switchboard_core::{Envelope, Key, ManualClock, Rng, Slot, Timestamp};
//!
//! let clock = ManualClock::at(Timestamp::from_micros(1_700_000_000_000_000));
//! let mut rng = Rng::from_seed(7);
//! let envelope = Envelope::new("orders.placed", "order.placed", "orders", &clock, &mut rng)
//!     .with_key(Key::from("order-1"))
//!     .with_payload(b"{}".to_vec());
//! let bytes = envelope.encode();
//! assert_eq!(Envelope::decode(&bytes).unwrap(), envelope);
//! assert_eq!(Slot::of(envelope.key.as_ref().unwrap()).partition(8), Slot::of(&Key::from("order-1")).partition(8));
//! ```
//!
//! # The parts
//!
//! - [`envelope`] a message with its headers, and its binary form
//! - [`payload`] what a typed message or event declares about itself
//! - [`context`] deadline, attempt, priority and causality, carried across every hop
//! - [`position`] places in logs, and who published what ([`Identity`])
//! - [`slot`] murmur2 and the 256 slots that keep a key's order
//! - [`verdict`] the one question asked of every error: again?
//! - [`clock`], [`rng`] time and chance as arguments

pub mod clock;
pub mod context;
pub mod envelope;
pub mod id;
pub mod payload;
pub mod position;
pub mod rng;
pub mod slot;
pub mod verdict;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use context::{Context, Priority};
pub use envelope::{DecodeError, Envelope, Key, Name};
pub use id::Id;
pub use payload::{Event, Message};
pub use position::{Identity, Position};
pub use rng::Rng;
pub use slot::Slot;
pub use verdict::{BoxError, Retryable, Verdict, chain};
