//! Topics and groups on the server: created once, compared at each start, created again when a
//! server comes back without them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use parking_lot::RwLock;
use switchboard_core::{BoxError, Name, Position};
use switchboard_message::{Topology, TopologyError};

use crate::error::Meaning;
use crate::link::Link;
use crate::{Options, names};

/// What this process knows to be declared.
#[derive(Debug)]
pub(crate) struct Topics {
    known: RwLock<BTreeMap<Name, Arc<Declared>>>,
    delivery_limit: u32,
    unrouted_kept: u32,
}

/// A topic.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: Name,
    pub(crate) partitions: u32,
    /// The groups that this process declared on it.
    pub(crate) groups: RwLock<BTreeSet<Name>>,
    /// How many messages of each partition this process has published: the server numbers none.
    published: Vec<AtomicU64>,
}

/// Why something is not declared.
pub(crate) enum Failed {
    Answer(Meaning, lapin::Error),
    Away(BoxError),
}

// === impl Declared ===

impl Declared {
    fn new(name: Name, partitions: u32) -> Self {
        let published = (0..partitions).map(|_| AtomicU64::new(0)).collect();
        Self { name, partitions, groups: RwLock::default(), published }
    }

    /// Counts one more published message, and gives its number.
    pub(crate) fn count(&self, partition: u32) -> Position {
        let counter = usize::try_from(partition).ok().and_then(|at| self.published.get(at));
        Position(counter.map_or(0, |counter| counter.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

// === impl Topics ===

impl Topics {
    pub(crate) fn new(options: &Options) -> Self {
        let (delivery_limit, unrouted_kept) = (options.delivery_limit, options.unrouted_kept);
        Self { known: RwLock::default(), delivery_limit, unrouted_kept }
    }

    pub(crate) fn get(&self, topic: &str) -> Option<Arc<Declared>> {
        self.known.read().get(topic).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Declared>> {
        self.known.read().values().cloned().collect()
    }

    /// The topic, whoever declared it; `None` when nobody did.
    pub(crate) async fn find(
        &self,
        topic: &Name,
        link: &Link,
        patience: std::time::Duration,
    ) -> Result<Option<Arc<Declared>>, BoxError> {
        if let Some(declared) = self.get(topic) {
            return Ok(Some(declared));
        }
        if topic.is_empty() || topic.len() > names::MAX {
            return Ok(None);
        }
        let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
        let channel = link.channel_within(patience).await?;
        let (kind, none) = (ExchangeKind::Direct, FieldTable::default());
        match channel.exchange_declare(names::short(topic.as_str()), kind, passive, none).await {
            Ok(()) => {}
            Err(error) if Meaning::of(&error) == Meaning::Away => return Err(error.into()),
            Err(_) => return Ok(None),
        }
        // It exists, so this changes nothing: its answer says with how many partitions.
        match declare_topic(&channel, topic, 0).await {
            Err(error) => match names::partitions_in(&error.to_string()) {
                Some(partitions) => Ok(Some(self.remember(topic, partitions))),
                None if Meaning::of(&error) == Meaning::Away => Err(error.into()),
                None => Ok(None),
            },
            Ok(()) => Ok(None),
        }
    }

    /// Creates what is missing of the topology. Compares first and creates after, so that a
    /// mismatch leaves nothing behind.
    pub(crate) async fn declare(
        &self,
        topology: &Topology,
        link: &Link,
        patience: std::time::Duration,
    ) -> Result<(), TopologyError> {
        for topic in &topology.topics {
            self.compare(&topic.name, topic.partitions, link, patience).await?;
        }
        let mut groups = Vec::new();
        for group in &topology.groups {
            for topic in &group.topics {
                names::check_group(&group.group, topic).map_err(TopologyError::Invalid)?;
                let declared = topology.topics.iter().find(|declared| declared.name == *topic);
                let partitions = match declared {
                    Some(declared) => Some(declared.partitions),
                    None => self
                        .find(topic, link, patience)
                        .await
                        .map_err(TopologyError::Unavailable)?
                        .map(|found| found.partitions),
                };
                let text = || format!("group `{}` reads `{topic}`, which nobody has", group.group);
                let partitions = partitions.ok_or_else(|| TopologyError::Invalid(text()))?;
                groups.push((&group.group, topic, partitions));
            }
        }
        let channel = link.channel_within(patience).await.map_err(TopologyError::Unavailable)?;
        let create = async {
            for topic in &topology.topics {
                self.create_topic(&channel, &topic.name, topic.partitions).await?;
                self.remember(&topic.name, topic.partitions);
            }
            for (group, topic, partitions) in groups {
                self.create_group(&channel, group, topic, partitions).await?;
                self.remember(topic, partitions).groups.write().insert(group.clone());
            }
            Ok(())
        };
        create.await.map_err(as_topology_error)
    }

    /// Everything that this process has declared, once more: for a server that came back empty.
    pub(crate) async fn rebuild(&self, channel: &Channel) -> Result<(), BoxError> {
        let created = async {
            for topic in self.all() {
                self.create_topic(channel, &topic.name, topic.partitions).await?;
                let groups: Vec<Name> = topic.groups.read().iter().cloned().collect();
                for group in groups {
                    self.create_group(channel, &group, &topic.name, topic.partitions).await?;
                }
            }
            Ok(())
        };
        created.await.map_err(Failed::into_error)
    }

    /// A group on a topic that exists.
    pub(crate) async fn declare_group(
        &self,
        group: &Name,
        topic: &Declared,
        link: &Link,
        patience: std::time::Duration,
    ) -> Result<(), TopologyError> {
        let channel = link.channel_within(patience).await.map_err(TopologyError::Unavailable)?;
        let created = self.create_group(&channel, group, &topic.name, topic.partitions).await;
        created.map_err(as_topology_error)?;
        topic.groups.write().insert(group.clone());
        Ok(())
    }

    async fn compare(
        &self,
        topic: &Name,
        partitions: u32,
        link: &Link,
        patience: std::time::Duration,
    ) -> Result<(), TopologyError> {
        if topic.starts_with(names::RESERVED) || topic.starts_with("amq.") {
            let text = format!(
                "`{topic}` cannot be a topic: the names of `{}` and `amq.` are taken",
                names::RESERVED
            );
            return Err(TopologyError::Invalid(text));
        }
        let found = self.find(topic, link, patience).await.map_err(TopologyError::Unavailable)?;
        match found {
            Some(found) if found.partitions != partitions => Err(TopologyError::Mismatch {
                topic: topic.clone(),
                existing: found.partitions,
                declared: partitions,
            }),
            _ => Ok(()),
        }
    }

    async fn create_topic(
        &self,
        channel: &Channel,
        topic: &Name,
        partitions: u32,
    ) -> Result<(), Failed> {
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let fanout = names::short(names::unrouted(partitions));
        let none = FieldTable::default;
        channel
            .exchange_declare(fanout.clone(), ExchangeKind::Fanout, durable, none())
            .await
            .map_err(Failed::of)?;
        let mut arguments = quorum();
        arguments.insert("x-max-length".into(), self.unrouted_kept.into());
        arguments.insert("x-overflow".into(), long("drop-head"));
        let queue = names::short(names::UNROUTED);
        let options = QueueDeclareOptions::durable();
        channel.queue_declare(queue.clone(), options, arguments).await.map_err(Failed::of)?;
        let bind = QueueBindOptions::default();
        channel.queue_bind(queue, fanout, "".into(), bind, none()).await.map_err(Failed::of)?;
        declare_topic(channel, topic, partitions).await.map_err(Failed::of)
    }

    async fn create_group(
        &self,
        channel: &Channel,
        group: &Name,
        topic: &Name,
        partitions: u32,
    ) -> Result<(), Failed> {
        create_dead_letters(channel, &names::dead(group, topic)).await?;
        for partition in 0..partitions {
            self.create_queue(channel, group, topic, partition).await?;
        }
        Ok(())
    }

    /// The queue of one partition, with dead letters that are not lost on their way.
    ///
    /// That takes three settings together: a quorum queue, dead-lettering at least once, and
    /// refusing publications rather than dropping the oldest; with any other overflow the server
    /// falls back to at most once without a word. They are arguments and no policy, so that
    /// nobody can change one of them later, and the server compares all of them at each start.
    async fn create_queue(
        &self,
        channel: &Channel,
        group: &Name,
        topic: &Name,
        partition: u32,
    ) -> Result<(), Failed> {
        let mut arguments = quorum();
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        arguments.insert("x-delivery-limit".into(), self.delivery_limit.into());
        dead_letters(&mut arguments, &names::dead(group, topic), None);
        let queue = names::short(names::queue(group, topic, partition));
        let options = QueueDeclareOptions::durable();
        channel.queue_declare(queue.clone(), options, arguments).await.map_err(Failed::of)?;
        let (key, exchange) = (names::short(partition.to_string()), names::short(topic.as_str()));
        let bind = QueueBindOptions::default();
        let bound = channel.queue_bind(queue, exchange, key, bind, FieldTable::default());
        bound.await.map_err(Failed::of)
    }

    /// The queue of one partition and all that it needs, once more.
    pub(crate) async fn rebuild_queue(
        &self,
        channel: &Channel,
        group: &Name,
        topic: &Declared,
        partition: u32,
    ) -> Result<(), BoxError> {
        let created = async {
            self.create_topic(channel, &topic.name, topic.partitions).await?;
            create_dead_letters(channel, &names::dead(group, &topic.name)).await?;
            self.create_queue(channel, group, &topic.name, partition).await
        };
        created.await.map_err(Failed::into_error)
    }

    fn remember(&self, topic: &Name, partitions: u32) -> Arc<Declared> {
        let mut known = self.known.write();
        let declared = || Arc::new(Declared::new(topic.clone(), partitions));
        Arc::clone(known.entry(topic.clone()).or_insert_with(declared))
    }
}

// === impl Failed ===

impl Failed {
    pub(crate) fn of(error: lapin::Error) -> Self {
        match Meaning::of(&error) {
            Meaning::Away => Self::Away(error.into()),
            meaning => Self::Answer(meaning, error),
        }
    }

    pub(crate) fn into_error(self) -> BoxError {
        match self {
            Self::Answer(_, error) => error.into(),
            Self::Away(error) => error,
        }
    }
}

async fn declare_topic(
    channel: &Channel,
    topic: &Name,
    partitions: u32,
) -> Result<(), lapin::Error> {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("alternate-exchange".into(), long(names::unrouted(partitions)));
    let name = names::short(topic.as_str());
    channel.exchange_declare(name, ExchangeKind::Direct, durable, arguments).await
}

async fn create_dead_letters(channel: &Channel, name: &str) -> Result<(), Failed> {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let (none, exchange) = (FieldTable::default, names::short(name));
    let kind = ExchangeKind::Fanout;
    let declared = channel.exchange_declare(exchange.clone(), kind, durable, none());
    declared.await.map_err(Failed::of)?;
    let (queue, options) = (names::short(name), QueueDeclareOptions::durable());
    channel.queue_declare(queue.clone(), options, quorum()).await.map_err(Failed::of)?;
    let bind = QueueBindOptions::default();
    channel.queue_bind(queue, exchange, "".into(), bind, none()).await.map_err(Failed::of)
}

/// The arguments that every queue of ours has.
pub(crate) fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), long("quorum"));
    arguments
}

/// The three settings that keep dead letters on their way.
pub(crate) fn dead_letters(arguments: &mut FieldTable, exchange: &str, key: Option<&str>) {
    arguments.insert("x-dead-letter-exchange".into(), long(exchange));
    if let Some(key) = key {
        arguments.insert("x-dead-letter-routing-key".into(), long(key));
    }
    arguments.insert("x-dead-letter-strategy".into(), long("at-least-once"));
    arguments.insert("x-overflow".into(), long("reject-publish"));
}

pub(crate) fn long(text: impl Into<String>) -> AMQPValue {
    AMQPValue::LongString(text.into().into_bytes().into())
}

pub(crate) fn as_topology_error(failed: Failed) -> TopologyError {
    match failed {
        Failed::Away(error) => TopologyError::Unavailable(error),
        Failed::Answer(Meaning::Differs, error) => {
            let text = error.to_string();
            let what = if text.contains("for queue") { "queue" } else { "exchange" };
            let name = text.split('\'').nth(3).unwrap_or_default().into();
            TopologyError::Differs { what, name, detail: text }
        }
        Failed::Answer(_, error) => TopologyError::Invalid(error.to_string()),
    }
}
