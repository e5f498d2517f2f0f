//! The declared topics: their settings lie in cells, their partitions are channels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use switchboard_core::{BoxError, Name};
use switchboard_log::{AppendError, ChannelId, Log};
use switchboard_message::{Retention, Topic, TopologyError};

use crate::{OpenError, cell, metrics as names};

const PREFIX: &str = "topic/";

/// All topics of a broker.
#[derive(Debug, Default)]
pub(crate) struct Topics(RwLock<BTreeMap<Name, Arc<Declared>>>);

/// A topic and its channels.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) topic: Topic,
    /// By partition.
    pub(crate) channels: Vec<ChannelId>,
    /// Counts what is published.
    pub(crate) published: metrics::Counter,
}

/// A topic's settings as they lie in its cell.
#[derive(Debug, Serialize, Deserialize)]
struct Settings {
    partitions: u32,
    age: Option<Duration>,
    bytes: Option<u64>,
}

// === impl Topics ===

impl Topics {
    /// The topics that were declared in earlier lives.
    pub(crate) fn open(log: &Log) -> Result<Self, OpenError> {
        let mut topics = BTreeMap::new();
        for (name, settings) in cell::all::<Settings>(log, PREFIX)? {
            let Settings { partitions, age, bytes } = settings;
            let topic = Topic::new(name)
                .with_partitions(partitions)
                .with_retention(Retention { age, bytes });
            topics.insert(topic.name.clone(), Arc::new(Declared::new(log, topic)?));
        }
        Ok(Self(RwLock::new(topics)))
    }

    /// Creates what is missing, or nothing when one of them exists with other partitions. The
    /// caller syncs.
    pub(crate) fn declare(&self, log: &Log, topics: &[Topic]) -> Result<(), TopologyError> {
        let mut known = self.0.write();
        for topic in topics {
            let Some(existing) = known.get(&topic.name).map(|declared| &declared.topic) else {
                continue;
            };
            if existing.partitions != topic.partitions {
                return Err(TopologyError::Mismatch {
                    topic: topic.name.clone(),
                    existing: existing.partitions,
                    declared: topic.partitions,
                });
            }
            if existing.retention != topic.retention {
                let (topic, kept) = (&topic.name, existing.retention);
                tracing::warn!(%topic, ?kept, "another retention was declared, and is not taken");
            }
        }
        for topic in topics {
            if known.contains_key(&topic.name) {
                continue;
            }
            let unavailable =
                |error: AppendError| TopologyError::Unavailable(BoxError::from(error));
            let Retention { age, bytes } = topic.retention;
            let settings = Settings { partitions: topic.partitions, age, bytes };
            let declared = Declared::new(log, topic.clone()).map_err(unavailable)?;
            cell::put(log, &format!("{PREFIX}{}", topic.name), &settings).map_err(unavailable)?;
            known.insert(topic.name.clone(), Arc::new(declared));
        }
        Ok(())
    }

    pub(crate) fn get(&self, topic: &str) -> Option<Arc<Declared>> {
        self.0.read().get(topic).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Declared>> {
        self.0.read().values().cloned().collect()
    }
}

// === impl Declared ===

impl Declared {
    fn new(log: &Log, topic: Topic) -> Result<Self, AppendError> {
        let channel = |partition| log.channel(&format!("{}/{partition}", topic.name));
        let channels = (0..topic.partitions).map(channel).collect::<Result<_, _>>()?;
        let published = metrics::counter!(names::PUBLISHED, "topic" => topic.name.to_string());
        Ok(Self { topic, channels, published })
    }

    /// The channel of a partition, if the topic has that many.
    pub(crate) fn channel(&self, partition: u32) -> Option<ChannelId> {
        self.channels.get(usize::try_from(partition).ok()?).copied()
    }
}
