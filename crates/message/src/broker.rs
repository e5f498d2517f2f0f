//! The contract that every backend keeps, held by the conformance suite in `switchboard-testkit`.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use switchboard_core::{Envelope, Name, Position};

use crate::exchange::Queues;
use crate::{
    Assignment, Capabilities, ConsumeError, Incoming, Inspect, Outcome, PublishError, Receipt,
    SubscribeError, Topology, TopologyError,
};

/// A broker, embedded or remote.
///
/// 1. A topic MUST be declared before it is published to or subscribed to.
/// 2. The records of one slot MUST be delivered to a group in the order in which `publish` was
///    called with them, first occurrences considered.
/// 3. An `Ok` ack MUST mean what its [`Durability`] says. An error MAY leave the record
///    published: whoever retries relies on consumers that recognise duplicates.
/// 4. One failed record MUST NOT fail its neighbours in the batch.
#[async_trait]
pub trait Broker: Send + Sync + fmt::Debug {
    /// What this backend can do.
    fn capabilities(&self) -> Capabilities;

    /// Creates what is missing. What exists with other settings is an error, never changed.
    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError>;

    /// Publishes a batch in order and answers each record in the same order.
    ///
    /// # Cancel safety
    /// Dropping the future may leave any of the records published.
    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>>;

    /// Joins a group as one more member. The member leaves when the consumer is dropped.
    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError>;

    /// What operators ask; `None` when the backend cannot answer.
    fn inspect(&self) -> Option<&dyn Inspect>;

    /// Queues behind exchanges; `None` when the backend has no [`Capability::Exchanges`].
    ///
    /// [`Capability::Exchanges`]: crate::Capability::Exchanges
    fn queues(&self) -> Option<&dyn Queues> {
        None
    }
}

/// One member of a group.
///
/// 1. `next` MUST hand out the records of a partition in position order, beginning after the
///    position that [`Resume`] names, and MUST stop (pending) when `max_in_flight` deliveries
///    are unsettled.
/// 2. A delivery is outstanding until it is settled; in whatever order that happens, the group's
///    position is the highest one below which everything is done.
/// 3. After [`Incoming::Revoked`] a receipt of that assignment is stale: settling it MUST be a
///    counted no-op.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for the next assignment, revocation or deliveries.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is lost when the future is dropped.
    async fn next(&mut self) -> Result<Incoming, ConsumeError>;

    /// Says what became of a delivery. Returns whether the receipt was still valid.
    fn settle(&mut self, receipt: &Receipt, outcome: Outcome) -> bool;
}

/// Proof that a record was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The partition that holds it.
    pub partition: u32,
    /// Its place there.
    pub position: Position,
    /// The log epoch of that place.
    pub epoch: u64,
    /// What the ack promises.
    pub durability: Durability,
}

/// What an ack promises about a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Synced to disk, or held by as many replicas as the topic asks for.
    Synced,
    /// In the operating system's buffers: survives the process, not the machine.
    Buffered,
    /// In memory only: gone with the process.
    Memory,
}

/// A wish to consume.
#[derive(Clone)]
pub struct Subscription {
    /// Members of one group share the partitions.
    pub group: Name,
    /// The topics to read.
    pub topics: Vec<Name>,
    /// Where a group begins that has no position yet.
    pub start: Start,
    /// Where the truth about the group's progress is kept; the broker's own memory if absent.
    pub resume: Option<Arc<dyn Resume>>,
    /// Deliveries handed out and not settled, at most. Default 256, limit 65 536.
    pub max_in_flight: usize,
}

/// The largest `max_in_flight` that a subscription may ask for.
pub const MAX_IN_FLIGHT: usize = 65_536;
/// The longest name of a group, in bytes.
const MAX_GROUP_NAME: usize = 249;

/// Where a group without a position begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record that is kept.
    #[default]
    Beginning,
    /// After the newest record.
    End,
}

/// Knows how far a group has come: asked when a partition is assigned.
#[async_trait]
pub trait Resume: Send + Sync {
    /// The last position that is done in this partition, with its log epoch.
    ///
    /// A position of an earlier epoch is cut to where that epoch ended. One beyond the end counts
    /// records that are no more (the log was put back to an older copy, or made anew): the group
    /// begins with the oldest record that is kept, and has to recognise what it has had.
    async fn resume(
        &self,
        topic: &Name,
        partition: u32,
    ) -> Result<Option<Assignment>, switchboard_core::BoxError>;
}

// === impl Subscription ===

impl Subscription {
    /// A member of `group` on these topics, from the beginning, 256 in flight.
    pub fn new(group: impl Into<Name>, topics: impl IntoIterator<Item = Name>) -> Self {
        Self {
            group: group.into(),
            topics: topics.into_iter().collect(),
            start: Start::Beginning,
            resume: None,
            max_in_flight: 256,
        }
    }

    /// Checks the limits, which are the same on every broker.
    ///
    /// # Errors
    /// [`SubscribeError::Invalid`] for an empty or overlong name, no topics, or a `max_in_flight`
    /// of 0 or above [`MAX_IN_FLIGHT`].
    pub fn check(&self) -> Result<(), SubscribeError> {
        let Self { group, topics, max_in_flight, .. } = self;
        let problem = if group.is_empty() || group.len() > MAX_GROUP_NAME {
            format!("a group's name has 1 to {MAX_GROUP_NAME} bytes, not {}", group.len())
        } else if topics.is_empty() {
            format!("group `{group}` names no topic")
        } else if !(1..=MAX_IN_FLIGHT).contains(max_in_flight) {
            format!("max_in_flight of `{group}` is {max_in_flight}: use 1 to {MAX_IN_FLIGHT}")
        } else {
            return Ok(());
        };
        Err(SubscribeError::Invalid(problem))
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("group", &self.group)
            .field("topics", &self.topics)
            .field("max_in_flight", &self.max_in_flight)
            .finish_non_exhaustive()
    }
}
