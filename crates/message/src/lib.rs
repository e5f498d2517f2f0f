//! The seam between services and brokers: publish batches, subscribe as a group, settle each delivery.
//!
//! A backend implements [`Broker`] and [`Consumer`]; what it cannot do it says in its [`Capabilities`], and asking for it fails when
//! the topology is built, not when a message is lost. [`MemoryBroker`] is the complete twin that tests and simulations run on.
//!
//! # The parts
//!
//! - [`broker`] the contract
//! - [`topology`] topics, partitions, retention, capabilities
//! - [`delivery`] what a consumer receives and how it settles it
//! - [`cloudevents`] an envelope as attributes that any client can read
//! - [`exchange`] queues behind exchanges, for competing workers
//! - [`request`] a call over messages, with a deadline
//! - [`error`] what can go wrong, and whether to try again
//! - [`progress`] which positions are done, when they finish out of order
//! - [`inspect`] what operators ask a broker
//! - [`group`] what embedded brokers share: groups, assignment, the loop that feeds a consumer
//! - [`memory`] the twin
//! - [`metrics`] what is counted

pub mod broker;
pub mod cloudevents;
pub mod delivery;
pub mod error;
pub mod exchange;
pub mod group;
pub mod inspect;
pub mod memory;
pub mod metrics;
pub mod progress;
pub mod request;
pub mod topology;

pub use broker::{Ack, Broker, Consumer, Durability, MAX_IN_FLIGHT, Resume, Start, Subscription};
pub use delivery::{Assignment, Delivery, Incoming, Outcome, Receipt, Undecodable};
pub use error::{ConsumeError, PublishError, SubscribeError, TopologyError};
pub use inspect::{GroupLag, Inspect, PartitionInfo, Published, Stored, TopicInfo};
pub use memory::{Faults, MemoryBroker};
pub use progress::Contiguous;
pub use topology::{Capabilities, Capability, GroupOf, Order, Retention, Topic, Topology};
