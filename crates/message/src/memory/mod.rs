//! A complete broker in memory: the twin on which tests and simulations run.
//!
//! It keeps the whole contract of [`Broker`], stores records in their encoded form so that what
//! cannot travel fails here too, and misbehaves on demand through [`Faults`]. Everything is gone
//! with the last clone; [`Durability::Memory`] says so in every ack.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use switchboard_core::{Envelope, Rng, SystemClock};
//! use switchboard_message::{Broker, Incoming, MemoryBroker, Outcome};
//! use switchboard_message::{Subscription, Topic, Topology};
//!
//! let clock = Arc::new(SystemClock);
//! let broker = MemoryBroker::new(clock.clone());
//! broker.declare(&Topology::of([Topic::new("orders")])).await?;
//! let envelope = Envelope::new("orders", "order.placed", "shop", &*clock, &mut Rng::from_seed(1));
//! for answer in broker.publish(vec![envelope]).await {
//!     answer?;
//! }
//! let mut consumer = broker.subscribe(Subscription::new("mail", ["orders".into()])).await?;
//! loop {
//!     if let Incoming::Deliveries(deliveries) = consumer.next().await? {
//!         for delivery in deliveries {
//!             assert!(consumer.settle(&delivery.receipt, Outcome::Done));
//!         }
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod faults;
mod queues;
mod topics;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use switchboard_core::{BoxError, Clock, Envelope, Key, Position};

pub use faults::Faults;
use queues::Shelf;
use topics::Topics;

use crate::exchange::embedded::Hub;
use crate::exchange::{Layout, Queues, Sent};
use crate::group::Groups;
use crate::{
    Ack, Broker, Capabilities, Capability, Consumer, Durability, GroupLag, Inspect, Order,
    PublishError, Published, Stored, SubscribeError, Subscription, TopicInfo, Topology,
    TopologyError,
};

/// The largest encoded envelope, in bytes: 1 MiB.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// A broker in memory. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct MemoryBroker {
    topics: Arc<Topics>,
    groups: Arc<Groups>,
    queues: Arc<Hub>,
}

// === impl MemoryBroker ===

impl MemoryBroker {
    /// An empty broker that takes messages of up to 1 MiB.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_max_message_bytes(clock, MAX_MESSAGE_BYTES)
    }

    /// An empty broker with another limit on the size of an encoded envelope, in bytes.
    pub fn with_max_message_bytes(clock: Arc<dyn Clock>, limit: usize) -> Self {
        let topics = Arc::new(Topics::new(Arc::clone(&clock), limit));
        let groups = Arc::new(Groups::new(Arc::clone(&topics) as _, Arc::clone(&clock)));
        let shelf = Arc::new(Shelf::new(Arc::clone(&clock), limit));
        let queues = Hub::new(shelf, clock, Layout::default(), Vec::new());
        Self { topics, groups, queues }
    }

    /// What can be made to go wrong.
    pub fn faults(&self) -> Faults {
        Faults::new(self.clone())
    }

    /// Stores bytes as they are, as a record of this key: for tests of what cannot be decoded.
    ///
    /// # Errors
    /// [`PublishError::UnknownTopic`].
    pub fn publish_raw(
        &self,
        topic: &str,
        key: Option<Key>,
        bytes: impl Into<Bytes>,
    ) -> Result<Ack, PublishError> {
        let (partition, position) = self.topics.append_raw(topic, key, bytes.into())?;
        self.groups.published(topic, partition, position);
        Ok(self.ack(partition, position))
    }

    /// Puts bytes as they are into a queue, as a message of this key: for tests of what cannot be
    /// decoded.
    ///
    /// # Errors
    /// [`PublishError::UnknownExchange`] when there is no such queue.
    pub async fn send_raw(
        &self,
        queue: &str,
        key: Option<Key>,
        bytes: impl Into<Bytes> + Send,
    ) -> Result<Sent, PublishError> {
        self.queues.send_raw(queue, key, bytes.into()).await
    }

    /// Ends every consumer and worker in an orderly way; whoever comes later is ended too.
    pub fn close(&self) {
        self.queues.close();
        self.groups.close();
    }

    fn ack(&self, partition: u32, position: Position) -> Ack {
        let epoch = crate::group::Records::epoch(&*self.topics);
        Ack { partition, position, epoch, durability: Durability::Memory }
    }

    fn publish_one(&self, envelope: &Envelope) -> Result<Ack, PublishError> {
        self.topics.admit()?;
        let (partition, position) = self.topics.append(envelope)?;
        self.groups.published(&envelope.topic, partition, position);
        self.topics
            .trim(&envelope.topic, |partition| self.groups.floor(&envelope.topic, partition));
        self.topics.deliver_ack()?;
        Ok(self.ack(partition, position))
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "the broker in memory",
            has: vec![
                Capability::Replay,
                Capability::KeyOrder,
                Capability::Groups,
                Capability::Exchanges,
            ],
            order: Order::Key,
            max_message_bytes: self.topics.limit(),
        }
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        topology.check(&self.capabilities())?;
        self.topics.declare(&topology.topics)?;
        for group in &topology.groups {
            group.topics.iter().for_each(|topic| self.groups.know(&group.group, topic));
        }
        Ok(())
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        batch.iter().map(|envelope| self.publish_one(envelope)).collect()
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError> {
        self.groups.join(subscription)
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }

    fn queues(&self) -> Option<&dyn Queues> {
        Some(self)
    }
}

#[async_trait]
impl Inspect for MemoryBroker {
    async fn topics(&self) -> Result<Vec<TopicInfo>, BoxError> {
        Ok(self.topics.infos())
    }

    async fn groups(&self) -> Result<Vec<GroupLag>, BoxError> {
        self.groups.lags().await
    }

    async fn read(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Stored>, BoxError> {
        self.groups.stored(topic, partition, after, limit).await
    }

    async fn published_by(&self, source: &str) -> Result<Vec<Published>, BoxError> {
        Ok(self.topics.published_by(source))
    }

    async fn seek(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        position: Position,
    ) -> Result<(), BoxError> {
        self.groups.seek(group, topic, partition, position)
    }
}
