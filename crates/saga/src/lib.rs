//! Workflows over several services that can be undone, or say honestly that they cannot.
//!
//! A saga is a handler whose state is a stream. Its definition lists steps, each *do* beside its *undo*, and a pivot after which it only
//! goes forward. What follows from what is a pure table; commands, timers and the service's own rows go into the unit that records the step.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use switchboard_core::{Key, Message};
//! use switchboard_saga::{Definition, Step};
//! use switchboard_store::NewMessage;
//!
//! #[derive(Serialize, Deserialize)] struct Trip { id: String }
//! #[derive(Serialize, Deserialize)] struct Book { trip: String }
//! #[derive(Serialize, Deserialize)] struct Unbook { trip: String }
//! # impl Message for Book { const TOPIC: &'static str = "hotel"; const KIND: &'static str = "hotel.book";
//! #     fn key(&self) -> Option<Key> { Some(Key::from(&*self.trip)) } }
//! # impl Message for Unbook { const TOPIC: &'static str = "hotel"; const KIND: &'static str = "hotel.unbook";
//! #     fn key(&self) -> Option<Key> { Some(Key::from(&*self.trip)) } }
//! # #[derive(Serialize, Deserialize)] struct Pay { trip: String }
//! # impl Message for Pay { const TOPIC: &'static str = "bank"; const KIND: &'static str = "bank.pay";
//! #     fn key(&self) -> Option<Key> { Some(Key::from(&*self.trip)) } }
//!
//! let trip = Definition::<Trip>::new("trip", "trips.replies")
//!     .step(Step::new("hotel", |trip: &Trip| NewMessage::of(&Book { trip: trip.id.clone() }))
//!         .undo(|trip| NewMessage::of(&Unbook { trip: trip.id.clone() })))
//!     .step(Step::new("pay", |trip: &Trip| NewMessage::of(&Pay { trip: trip.id.clone() })).pivot())
//!     .build()?;
//! assert!(trip.mermaid().contains("undo hotel"));
//! # Ok::<(), switchboard_saga::InvalidDefinition>(())
//! ```
//!
//! # The parts
//!
//! - [`definition`] steps, undos, the pivot
//! - [`machine`] what follows from what: the pure table
//! - [`instance`] one run of a saga, folded from its stream
//! - [`orchestrator`] starting, answering, cancelling, retrying, resolving
//! - [`participant`] the other side: effects that happen once, whatever arrives how often
//! - [`Performs`] registering what a participant answers
//! - [`wire`] what travels between the two
//! - [`diagram`] a saga that draws itself

pub mod definition;
pub mod diagram;
pub mod instance;
pub mod machine;
pub mod orchestrator;
pub mod participant;
mod performs;
pub mod wire;

pub use definition::{Change, Definition, InvalidDefinition, Step};
pub use instance::{Instance, SagaEvent};
pub use machine::{Act, Illegal, Input, Phase, Shape, State};
pub use orchestrator::{Error, Listed, Orchestrator, SAGAS, Shown};
pub use participant::{Answer, EFFECTS, Participant};
pub use performs::Performs;
pub use wire::{Action, Outcome, Reply};
