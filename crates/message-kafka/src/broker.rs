//! The broker: a cluster of Kafka behind the seam.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use switchboard_core::{BoxError, Envelope};
use switchboard_message::{
    Ack, Broker, Capabilities, Capability, Consumer, Inspect, Order, PublishError, SubscribeError,
    Subscription, Topology, TopologyError,
};

use crate::client::{Control, Reader};
use crate::graves::Graves;
use crate::member::{Members, Source};
use crate::publish::Publisher;
use crate::topics::Topics;
use crate::{ConnectError, Options, blocking};

/// A cluster of Kafka.
///
/// Clones share one producer. What it starts ends with [`KafkaBroker::close`]; a program that only
/// drops it leaves its members to end by themselves.
#[derive(Clone)]
pub struct KafkaBroker {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) control: Arc<Control>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) members: Arc<Members>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) sizes: crate::inspect::Sizes,
    graves: Arc<Graves>,
}

/// How long a new member waits for one of the same group that is leaving.
const LEAVING: Duration = Duration::from_secs(10);

// === impl KafkaBroker ===

impl KafkaBroker {
    /// Connects to a cluster, and makes sure that it is there.
    ///
    /// # Errors
    /// [`ConnectError`]: the settings ask for a feature that was not built, are wrong, or no broker
    /// answers.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        if let (Some(wish), false) = (options.needs_tls(), cfg!(feature = "kafka-tls")) {
            return Err(ConnectError::Feature { wish, feature: "kafka-tls" });
        }
        let invalid = |fault: crate::client::Fault| ConnectError::Invalid(fault.into());
        let control = Arc::new(Control::new(&options).map_err(invalid)?);
        let topics = Arc::new(Topics::new(options.clone(), Arc::clone(&control)));
        let publisher = Publisher::new(options.clone(), Arc::clone(&topics)).map_err(invalid)?;
        let publisher = Arc::new(publisher);
        let asked = Arc::clone(&control);
        blocking(move || asked.brokers()).await.map_err(|source| {
            let bootstrap = options.bootstrap.clone();
            ConnectError::Unreachable { bootstrap, source }
        })?;
        let graves = Arc::new(Graves {
            options: options.clone(),
            topics: Arc::clone(&topics),
            publisher: Arc::clone(&publisher),
        });
        let (members, reader) = (Members::new(), Arc::new(Reader::default()));
        let sizes = Default::default();
        let inner = Inner { options, control, topics, publisher, members, reader, sizes, graves };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sends what waits, commits what is done, leaves every group. Consumers end with
    /// [`ConsumeError::Closed`](switchboard_message::ConsumeError::Closed).
    pub async fn close(&self) {
        self.inner.members.close().await;
        self.inner.publisher.close().await;
    }

    /// Deletes a topic with all of its records. Groups that keep their progress in a store of their
    /// own must forget it there: see the crate's page about epochs.
    ///
    /// # Errors
    /// When Kafka refuses.
    pub async fn delete_topic(&self, topic: &str) -> Result<(), BoxError> {
        let place = self.inner.topics.place(topic);
        self.inner.control.delete(&[&place]).await?;
        self.inner.topics.forget(&topic.into());
        Ok(())
    }
}

#[async_trait]
impl Broker for KafkaBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "Kafka",
            has: vec![Capability::Replay, Capability::KeyOrder, Capability::Groups],
            order: Order::Key,
            max_message_bytes: self.inner.options.max_message_bytes,
        }
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        topology.check(&self.capabilities())?;
        self.inner.topics.declare(&topology.topics).await
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        self.inner.publisher.publish(batch).await
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError> {
        subscription.check()?;
        let Inner { options, topics, members, graves, .. } = &*self.inner;
        let mut wanted = subscription.topics.clone();
        wanted.sort();
        wanted.dedup();
        let mut sources = Vec::with_capacity(wanted.len());
        for name in wanted {
            let found = topics.find(&name).await.map_err(SubscribeError::Unavailable)?;
            let known = found.ok_or(SubscribeError::UnknownTopic(name.clone()))?;
            let (place, partitions) = (known.place.to_string(), known.partitions);
            sources.push(Source { name, place, partitions });
        }
        // Its partitions would be dealt twice.
        let left = members.left(Some(&subscription.group));
        let _in_time_or_not = tokio::time::timeout(LEAVING, left).await;
        let joined = members.join(options, subscription, sources, Arc::clone(graves));
        let member = joined.map_err(|fault| SubscribeError::Unavailable(fault.into()))?;
        Ok(Box::new(member))
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }
}

impl fmt::Debug for KafkaBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaBroker").field("options", &self.inner.options).finish_non_exhaustive()
    }
}
