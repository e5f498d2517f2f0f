//! The broker: topics and groups on a log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use switchboard_core::{BoxError, Envelope, Key, Position};
use switchboard_log::{AppendError, Log, Recovered};
use switchboard_message::exchange::embedded::Hub;
use switchboard_message::exchange::{Queues, Sent};
use switchboard_message::group::{Groups, Records};
use switchboard_message::{
    Ack, Broker, Capabilities, Capability, Consumer, GroupLag, Inspect, Order, PartitionInfo,
    PublishError, Published, Stored, SubscribeError, Subscription, TopicInfo, Topology,
    TopologyError,
};

use crate::publish::Publisher;
use crate::queues::LogQueues;
use crate::records::Kept;
use crate::retention::{self, Due};
use crate::topics::Declared;
use crate::{OpenError, Options};

/// The embedded broker. Clones are handles on the same one; the last one dropped closes it.
#[derive(Clone, Debug)]
pub struct LogBroker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    recovered: Recovered,
    kept: Arc<Kept>,
    groups: Arc<Groups>,
    queues: Arc<LogQueues>,
    publisher: Publisher,
    due: Arc<Due>,
    paused: AtomicBool,
}

// === impl LogBroker ===

impl LogBroker {
    /// Opens the broker in its folder, which is created if absent. Blocks on file work.
    ///
    /// # Errors
    /// [`OpenError`]; nothing in the folder is changed by a refusal.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let (log, recovered) = Log::open(options.log.clone())?;
        let segment_bytes = options.log.segment_bytes;
        let queues = Arc::new(LogQueues::open(log.clone(), &options)?);
        let kept = Kept::open(log)?;
        let records: Arc<dyn Records> = Arc::clone(&kept) as _;
        let groups = Arc::new(Groups::new(records, Arc::clone(&options.clock)));
        for (group, topic) in kept.positions.groups() {
            groups.know(&group, &topic);
        }
        let publisher = Publisher::new(Arc::clone(&kept), groups.announcer(), &options);
        let due = Arc::new(Due::new(segment_bytes, options.clock.now()));
        let paused = AtomicBool::new(false);
        let inner = Inner { options, recovered, kept, groups, queues, publisher, due, paused };
        Ok(Self(Arc::new(inner)))
    }

    /// What opening found.
    pub fn recovered(&self) -> &Recovered {
        &self.0.recovered
    }

    /// The log below, for operators: its segments, and why it stopped, if it did.
    pub fn log(&self) -> &Log {
        &self.0.kept.log
    }

    /// Stops the broker, as an operator's experiment: publishing answers `Unavailable`, consumers
    /// pend. Declaring, joining, settling and asking still work.
    pub fn pause(&self) {
        self.0.paused.store(true, Ordering::Release);
        self.0.groups.pause();
        self.0.queues.hub.pause();
    }

    /// Lets the broker go on.
    pub fn resume(&self) {
        self.0.paused.store(false, Ordering::Release);
        self.0.groups.resume();
        self.0.queues.hub.resume();
    }

    /// Whether the broker is stopped by [`LogBroker::pause`].
    pub fn is_paused(&self) -> bool {
        self.0.paused.load(Ordering::Acquire)
    }

    /// Drops what retention lets go, now. Returns how many bytes of disk came free. It happens by
    /// itself after each segment's worth of records, and hourly while records come.
    ///
    /// # Errors
    /// When the groups' positions cannot be written, or the files cannot be changed.
    pub async fn enforce_retention(&self) -> Result<u64, BoxError> {
        let Inner { kept, groups, queues, options, .. } = &*self.0;
        let (kept, groups, queues) = (Arc::clone(kept), Arc::clone(groups), Arc::clone(queues));
        retention::enforce(kept, groups, queues, Arc::clone(&options.clock)).await
    }

    /// Stores bytes as they are, as a record of this key: for tests of what cannot be decoded.
    ///
    /// # Errors
    /// As `publish`.
    pub async fn publish_raw(
        &self,
        topic: &str,
        key: Option<Key>,
        bytes: impl Into<Bytes>,
    ) -> Result<Ack, PublishError> {
        self.0.publisher.publish_raw(topic, key, bytes.into()).await
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
        self.hub().send_raw(queue, key, bytes.into()).await
    }

    /// Ends every consumer and worker, writes what is kept beside the records, syncs and releases the folder.
    /// Safe to call twice.
    pub async fn close(&self) {
        self.0.groups.close();
        self.0.queues.close().await;
        let kept = Arc::clone(&self.0.kept);
        kept.write(true);
        let closed = tokio::task::spawn_blocking(move || kept.log.close()).await;
        if let Err(error) = closed {
            tracing::error!(%error, "the log was not closed in an orderly way");
        }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0.queues.hub
    }

    pub(crate) fn retain_if_due(&self, bytes: u64) {
        let Inner { kept, groups, queues, options, due, .. } = &*self.0;
        if !due.count(bytes, options.clock.now()) {
            return;
        }
        let (kept, groups, due) = (Arc::clone(kept), Arc::clone(groups), Arc::clone(due));
        let queues = Arc::clone(queues);
        let clock = Arc::clone(&options.clock);
        tokio::spawn(async move {
            if let Err(error) = retention::enforce(kept, groups, queues, clock).await {
                let error = switchboard_core::chain(&*error);
                tracing::warn!(%error, "retention was not enforced");
            }
            due.over();
        });
    }

    fn info(&self, declared: &Declared) -> TopicInfo {
        let partition = |channel: &switchboard_log::ChannelId| match self.log().bounds(*channel) {
            Some(bounds) => PartitionInfo {
                first: Position(bounds.first),
                last: Position(bounds.last),
                bytes: bounds.bytes,
            },
            None => PartitionInfo { first: Position(1), last: Position::START, bytes: 0 },
        };
        let partitions = declared.channels.iter().map(partition).collect();
        TopicInfo { name: declared.topic.name.clone(), partitions }
    }
}

#[async_trait]
impl Broker for LogBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "the embedded broker",
            has: vec![
                Capability::Replay,
                Capability::KeyOrder,
                Capability::Groups,
                Capability::Exchanges,
            ],
            order: Order::Key,
            max_message_bytes: self.0.options.max_message_bytes,
        }
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        topology.check(&self.capabilities())?;
        self.0.kept.topics.declare(self.log(), &topology.topics)?;
        for group in &topology.groups {
            group.topics.iter().for_each(|topic| self.0.groups.know(&group.group, topic));
        }
        let unavailable = |error: AppendError| TopologyError::Unavailable(BoxError::from(error));
        self.log().append(Vec::new()).await.map(drop).map_err(unavailable)
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        if self.is_paused() {
            let stopped = |_| Err(PublishError::Unavailable("the broker is stopped".into()));
            return batch.iter().map(stopped).collect();
        }
        let bytes: usize = batch.iter().map(|envelope| envelope.payload.len()).sum();
        let answers = self.0.publisher.publish(&batch).await;
        self.retain_if_due(bytes as u64);
        answers
    }

    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError> {
        self.0.groups.join(subscription)
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }

    fn queues(&self) -> Option<&dyn Queues> {
        Some(self)
    }
}

#[async_trait]
impl Inspect for LogBroker {
    async fn topics(&self) -> Result<Vec<TopicInfo>, BoxError> {
        Ok(self.0.kept.topics.all().iter().map(|declared| self.info(declared)).collect())
    }

    async fn groups(&self) -> Result<Vec<GroupLag>, BoxError> {
        self.0.groups.lags().await
    }

    async fn read(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Stored>, BoxError> {
        self.0.groups.stored(topic, partition, after, limit).await
    }

    async fn published_by(&self, source: &str) -> Result<Vec<Published>, BoxError> {
        Ok(self.0.kept.published.by(source))
    }

    async fn seek(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        position: Position,
    ) -> Result<(), BoxError> {
        self.0.groups.seek(group, topic, partition, position)
    }
}
