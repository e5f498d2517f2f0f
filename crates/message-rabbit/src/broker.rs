//! The broker: what each part does, put together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use switchboard_core::{BoxError, Envelope, Rng, Slot};
use switchboard_message::exchange::Queues;
use switchboard_message::{
    Ack, Broker, Capabilities, Capability, Consumer, Durability, Inspect, Order, PublishError,
    SubscribeError, Subscription, Topology, TopologyError,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::consume::{EPOCH, Groups};
use crate::inspect::counts;
use crate::link::Link;
use crate::publish::{Outgoing, Publisher};
use crate::queues::{Desk, Layouts};
use crate::topics::{Declared, Topics};
use crate::{ConnectError, Options, names, wire};

/// RabbitMQ, 3.10 or later.
///
/// Dropping it without [`close`](Self::close) loses nothing that was acknowledged, but leaves the
/// server to notice by itself that the connections are gone.
pub struct RabbitBroker(Arc<Inner>);

struct Inner {
    options: Options,
    publish: Link,
    publisher: Publisher,
    publishing: Mutex<Option<JoinHandle<()>>>,
    groups: Arc<Groups>,
    topics: Arc<Topics>,
    desk: Desk,
    rng: Mutex<Rng>,
    stop: CancellationToken,
}

/// How long a request to the server may take whose caller waits for the answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

// === impl RabbitBroker ===

impl RabbitBroker {
    /// Connects twice: publishing and consuming have a connection each, because a server that is
    /// short of memory stops reading from those that publish.
    ///
    /// # Errors
    /// [`ConnectError`] when the server cannot be reached now. Later losses are made good.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        let stop = CancellationToken::new();
        let link = |side| Link::open(side, options.clone(), stop.clone());
        let (publish, consume) = (link("publish").await?, link("consume").await?);
        let topics = Arc::new(Topics::new(&options));
        let layouts = Arc::<Layouts>::default();
        let (publisher, task) = Publisher::spawn(
            publish.clone(),
            Arc::clone(&topics),
            Arc::clone(&layouts),
            &options,
            stop.child_token(),
        );
        let desk = Desk {
            link: consume.clone(),
            publisher: publisher.clone(),
            layouts,
            benches: Arc::default(),
            numbers: Arc::default(),
            clock: Arc::clone(&options.clock),
            max_message_bytes: options.max_message_bytes,
            stop: stop.child_token(),
        };
        let numbers = Arc::clone(&desk.numbers);
        let (of_topics, of_groups) = (Arc::clone(&topics), stop.child_token());
        let groups = Groups::new(consume, of_topics, numbers, options.clone(), of_groups);
        Ok(Self(Arc::new(Inner {
            options,
            publish,
            publisher,
            desk,
            publishing: Mutex::new(Some(task)),
            groups: Arc::new(groups),
            topics,
            rng: Mutex::new(Rng::from_entropy()),
            stop,
        })))
    }

    /// Publishes what was handed over, tells the server what was settled, and says goodbye.
    /// Consumers end with [`ConsumeError::Closed`](switchboard_message::ConsumeError::Closed).
    pub async fn close(&self) {
        self.0.stop.cancel();
        self.0.groups.close().await;
        let publishing = self.0.publishing.lock().take();
        if let Some(task) = publishing {
            let _late_or_ended = tokio::time::timeout(PATIENCE, task).await;
        }
        self.0.groups.link.close().await;
        self.0.publish.close().await;
    }

    /// How many of the newest messages that no group wanted are kept in [`names::UNROUTED`].
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn unrouted(&self) -> Result<u64, BoxError> {
        let counts = counts(self.link(), names::UNROUTED).await?;
        Ok(counts.map_or(0, |(ready, _)| ready.into()))
    }

    /// Major and minor version of the server; `None` when it is not told, or only by TLS. Asks it
    /// by a connection that is dropped after the greeting.
    pub async fn server_version(&self) -> Option<(u32, u32)> {
        crate::version::of_server(&self.0.options.uri).await
    }

    pub(crate) fn topics(&self) -> &Topics {
        &self.0.topics
    }

    pub(crate) fn groups(&self) -> &Arc<Groups> {
        &self.0.groups
    }

    /// The link for requests about what is declared.
    pub(crate) fn link(&self) -> &Link {
        &self.0.groups.link
    }

    async fn find(&self, envelope: &Envelope) -> Result<Arc<Declared>, PublishError> {
        let topic = &envelope.topic;
        if let Some(declared) = self.0.topics.get(topic) {
            return Ok(declared);
        }
        let found = self.0.topics.find(topic, &self.0.publish, self.0.options.publish_patience);
        let found = found.await.map_err(PublishError::Unavailable)?;
        found.ok_or_else(|| PublishError::UnknownTopic(topic.clone()))
    }

    async fn prepare(
        &self,
        envelope: Envelope,
    ) -> Result<(Outgoing, Arc<Declared>, u32), PublishError> {
        let declared = self.find(&envelope).await?;
        let properties = wire::encode(&envelope, false, self.0.options.max_message_bytes)?;
        let slot = match (&envelope.key, &envelope.identity) {
            (Some(key), _) => Slot::of(key),
            (None, Some(identity)) => identity.slot,
            (None, None) => Slot::draw(&mut self.0.rng.lock()),
        };
        let partition = slot.partition(declared.partitions);
        let outgoing = Outgoing {
            exchange: names::short(declared.name.as_str()),
            key: names::short(partition.to_string()),
            envelope,
            properties: Some(properties),
            ordered: true,
            is_topic: true,
        };
        Ok((outgoing, declared, partition))
    }
}

#[async_trait]
impl Broker for RabbitBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "RabbitMQ",
            has: vec![Capability::KeyOrder, Capability::Groups, Capability::Exchanges],
            order: Order::Key,
            max_message_bytes: self.0.options.max_message_bytes,
        }
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        topology.check(&self.capabilities())?;
        self.0.topics.declare(topology, self.link(), PATIENCE).await
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        let mut answers: Vec<Option<Result<Ack, PublishError>>> = Vec::with_capacity(batch.len());
        let (mut outgoing, mut places) = (Vec::with_capacity(batch.len()), Vec::new());
        for (index, envelope) in batch.into_iter().enumerate() {
            match self.prepare(envelope).await {
                Ok((message, declared, partition)) => {
                    outgoing.push(message);
                    places.push((index, declared, partition));
                    answers.push(None);
                }
                Err(refused) => answers.push(Some(Err(refused))),
            }
        }
        let published = self.0.publisher.publish(outgoing).await;
        for ((index, declared, partition), answer) in places.into_iter().zip(published) {
            answers[index] = Some(answer.map(|_| Ack {
                partition,
                position: declared.count(partition),
                epoch: EPOCH,
                durability: Durability::Synced,
            }));
        }
        let unanswered = || Err(crate::publish::away("the message was not answered"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError> {
        subscription.check()?;
        let Subscription { group, topics: wanted, .. } = &subscription;
        let mut topics = BTreeMap::new();
        for topic in wanted {
            let found = self.0.topics.find(topic, self.link(), PATIENCE);
            let found = found.await.map_err(SubscribeError::Unavailable)?;
            let found = found.ok_or_else(|| SubscribeError::UnknownTopic(topic.clone()))?;
            names::check_group(group, topic).map_err(SubscribeError::Invalid)?;
            topics.insert(topic.clone(), found);
        }
        for topic in topics.values() {
            let declared = self.0.topics.declare_group(group, topic, self.link(), PATIENCE).await;
            declared.map_err(|error| match error {
                TopologyError::Unavailable(source) => SubscribeError::Unavailable(source),
                other => SubscribeError::Invalid(other.to_string()),
            })?;
        }
        Ok(self.0.groups.join(subscription, topics))
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }

    fn queues(&self) -> Option<&dyn Queues> {
        Some(&self.0.desk)
    }
}

impl fmt::Debug for RabbitBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitBroker")
            .field("options", &self.0.options)
            .field("publish", &self.0.publish)
            .field("consume", self.link())
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
