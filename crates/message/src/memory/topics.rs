//! Where the broker in memory keeps its records.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_core::{BoxError, Clock, Envelope, Key, Name, Position, Rng, Slot, Timestamp};

use super::faults::Plan;
use crate::group::{Bounds, Record, Records};
use crate::{
    Delivery, PartitionInfo, PublishError, Published, Topic, TopicInfo, TopologyError, Undecodable,
};

/// All topics, and what is known about who published to them.
pub(super) struct Topics {
    clock: Arc<dyn Clock>,
    epoch: u64,
    limit: usize,
    pub(super) faults: Mutex<Plan>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    topics: BTreeMap<Name, Kept>,
    /// The highest sequence by source, incarnation, topic and slot.
    published: BTreeMap<(Name, u32, Name, Slot), u64>,
    /// Draws the slots of messages that have neither key nor identity.
    rng: Rng,
}

#[derive(Debug)]
struct Kept {
    topic: Topic,
    bytes: u64,
    partitions: Vec<Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    /// How many records were dropped from the front.
    dropped: u64,
    records: VecDeque<Raw>,
}

#[derive(Clone, Debug)]
struct Raw {
    time: Timestamp,
    key: Option<Key>,
    bytes: Bytes,
}

// === impl Topics ===

impl Topics {
    pub(super) fn new(clock: Arc<dyn Clock>, limit: usize) -> Self {
        // Another broker in memory is another epoch: a position kept from an earlier one must
        // not be taken for a place in this one.
        let epoch = u64::try_from(clock.now().as_micros()).unwrap_or(0).max(1);
        let inner =
            Inner { topics: BTreeMap::new(), published: BTreeMap::new(), rng: Rng::from_seed(0) };
        Self { clock, epoch, limit, faults: Mutex::default(), inner: Mutex::new(inner) }
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn declare(&self, topics: &[Topic]) -> Result<(), TopologyError> {
        let mut inner = self.inner.lock();
        for topic in topics {
            let existing = inner.topics.get(&topic.name).map(|kept| kept.topic.partitions);
            if let Some(existing) = existing.filter(|existing| *existing != topic.partitions) {
                let (topic, declared) = (topic.name.clone(), topic.partitions);
                return Err(TopologyError::Mismatch { topic, existing, declared });
            }
        }
        for topic in topics {
            inner.topics.entry(topic.name.clone()).or_insert_with(|| Kept {
                topic: topic.clone(),
                bytes: 0,
                partitions: Partition::many(topic.partitions),
            });
        }
        Ok(())
    }

    /// Whether a record may be stored now.
    pub(super) fn admit(&self) -> Result<(), PublishError> {
        let mut plan = self.faults.lock();
        if plan.paused || Plan::spend(&mut plan.refuse_publishes) {
            return Err(PublishError::Unavailable("the broker is stopped".into()));
        }
        Ok(())
    }

    /// Whether the publisher hears of what was stored.
    pub(super) fn deliver_ack(&self) -> Result<(), PublishError> {
        if Plan::spend(&mut self.faults.lock().lose_acks) {
            return Err(PublishError::Unavailable("the ack was lost".into()));
        }
        Ok(())
    }

    pub(super) fn append(&self, envelope: &Envelope) -> Result<(u32, Position), PublishError> {
        let bytes = envelope.encode();
        if bytes.len() > self.limit {
            return Err(PublishError::TooLarge { bytes: bytes.len(), limit: self.limit });
        }
        let mut inner = self.inner.lock();
        let Inner { topics, published, rng } = &mut *inner;
        let Some(kept) = topics.get_mut(&envelope.topic) else {
            return Err(PublishError::UnknownTopic(envelope.topic.clone()));
        };
        let slot = match (&envelope.key, &envelope.identity) {
            (Some(key), _) => Slot::of(key),
            (None, Some(identity)) => identity.slot,
            (None, None) => Slot::draw(rng),
        };
        let raw = Raw { time: self.clock.now(), key: envelope.key.clone(), bytes };
        if Plan::spend(&mut self.faults.lock().duplicate_publishes) {
            kept.push(slot, raw.clone());
        }
        if let Some(identity) = &envelope.identity {
            let topic = envelope.topic.clone();
            let place = (identity.source.clone(), identity.incarnation, topic, identity.slot);
            let highest = published.entry(place).or_default();
            *highest = identity.sequence.max(*highest);
        }
        Ok(kept.push(slot, raw))
    }

    pub(super) fn append_raw(
        &self,
        topic: &str,
        key: Option<Key>,
        bytes: Bytes,
    ) -> Result<(u32, Position), PublishError> {
        let mut inner = self.inner.lock();
        let Inner { topics, rng, .. } = &mut *inner;
        let Some(kept) = topics.get_mut(topic) else {
            return Err(PublishError::UnknownTopic(topic.into()));
        };
        let slot = key.as_ref().map_or_else(|| Slot::draw(rng), Slot::of);
        Ok(kept.push(slot, Raw { time: self.clock.now(), key, bytes }))
    }

    /// Drops what retention lets go, sparing what lies beyond a group's `floor`. Floors are asked
    /// for while nothing is locked here: groups look at topics while they are locked themselves.
    pub(super) fn trim(&self, topic: &str, floor: impl Fn(u32) -> Option<Position>) {
        let now = self.clock.now();
        let overdue: Vec<u32> = match self.inner.lock().topics.get(topic) {
            Some(kept) => (0..kept.topic.partitions).filter(|n| kept.is_overdue(*n, now)).collect(),
            None => return,
        };
        let floors: Vec<(u32, Position)> = overdue
            .into_iter()
            .map(|number| (number, floor(number).unwrap_or(Position(u64::MAX))))
            .collect();
        if floors.is_empty() {
            return;
        }
        let mut inner = self.inner.lock();
        let Some(kept) = inner.topics.get_mut(topic) else { return };
        for (number, spared) in floors {
            while kept.is_overdue(number, now) && kept.drop_oldest(number, spared) {}
        }
    }

    pub(super) fn infos(&self) -> Vec<TopicInfo> {
        let info = |partition: &Partition| PartitionInfo {
            first: partition.bounds().first,
            last: partition.bounds().last,
            bytes: partition.records.iter().map(|raw| raw.bytes.len() as u64).sum(),
        };
        let inner = self.inner.lock();
        let topics = inner.topics.iter();
        topics
            .map(|(name, kept)| TopicInfo {
                name: name.clone(),
                partitions: kept.partitions.iter().map(info).collect(),
            })
            .collect()
    }

    pub(super) fn published_by(&self, source: &str) -> Vec<Published> {
        let inner = self.inner.lock();
        let of_source = inner.published.iter().filter(|((name, ..), _)| *name == *source);
        of_source
            .map(|((_, incarnation, topic, slot), sequence)| Published {
                incarnation: *incarnation,
                topic: topic.clone(),
                slot: *slot,
                sequence: *sequence,
            })
            .collect()
    }

    fn with<T>(&self, topic: &str, partition: u32, ask: impl FnOnce(&Partition) -> T) -> Option<T> {
        let inner = self.inner.lock();
        let index = usize::try_from(partition).ok()?;
        inner.topics.get(topic)?.partitions.get(index).map(ask)
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<Name> = self.inner.lock().topics.keys().cloned().collect();
        f.debug_struct("Topics").field("epoch", &self.epoch).field("topics", &names).finish()
    }
}

#[async_trait]
impl Records for Topics {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn partitions(&self, topic: &str) -> Option<u32> {
        self.inner.lock().topics.get(topic).map(|kept| kept.topic.partitions)
    }

    fn bounds(&self, topic: &str, partition: u32) -> Bounds {
        let nothing = Bounds { first: Position(1), last: Position::START };
        self.with(topic, partition, Partition::bounds).unwrap_or(nothing)
    }

    async fn read(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Record>, BoxError> {
        self.with(topic, partition, |partition| partition.read(after, limit))
            .ok_or_else(|| format!("there is no partition {topic}/{partition}").into())
    }

    fn end_of(&self, _epoch: u64, _topic: &str, _partition: u32) -> Position {
        // Nothing of an earlier broker in memory was recovered.
        Position::START
    }

    fn disturb(&self, deliveries: &mut Vec<Delivery>) {
        self.faults.lock().disturb(deliveries);
    }
}

// === impl Kept ===

impl Kept {
    /// Whether retention lets the oldest record of a partition go.
    fn is_overdue(&self, number: u32, now: Timestamp) -> bool {
        let retention = self.topic.retention;
        let oldest = self.partitions[number as usize].records.front();
        oldest.is_some_and(|oldest| {
            retention.age.is_some_and(|age| now.since(oldest.time) > age)
                || retention.bytes.is_some_and(|limit| self.bytes > limit)
        })
    }

    /// Whether there was a record to drop that is not beyond `spared`.
    fn drop_oldest(&mut self, number: u32, spared: Position) -> bool {
        let partition = &mut self.partitions[number as usize];
        if partition.dropped >= spared.0 {
            return false;
        }
        let Some(oldest) = partition.records.pop_front() else { return false };
        partition.dropped += 1;
        self.bytes -= oldest.bytes.len() as u64;
        true
    }

    fn push(&mut self, slot: Slot, raw: Raw) -> (u32, Position) {
        let number = slot.partition(self.topic.partitions);
        self.bytes += raw.bytes.len() as u64;
        let partition = &mut self.partitions[number as usize];
        partition.records.push_back(raw);
        (number, partition.bounds().last)
    }
}

// === impl Partition ===

impl Partition {
    fn many(count: u32) -> Vec<Self> {
        (0..count).map(|_| Self::default()).collect()
    }

    fn bounds(&self) -> Bounds {
        let last = self.dropped + self.records.len() as u64;
        Bounds { first: Position(self.dropped + 1), last: Position(last) }
    }

    fn read(&self, after: Position, limit: usize) -> Vec<Record> {
        let skip = usize::try_from(after.0.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let from = after.0.max(self.dropped) + 1;
        let kept = self.records.iter().skip(skip).take(limit);
        (from..)
            .zip(kept)
            .map(|(position, raw)| Record {
                position: Position(position),
                time: raw.time,
                message: Envelope::decode(&raw.bytes).map_err(|error| Undecodable {
                    bytes: raw.bytes.clone(),
                    key: raw.key.clone(),
                    error,
                }),
            })
            .collect()
    }
}
