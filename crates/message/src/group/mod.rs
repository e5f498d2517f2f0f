//! What embedded brokers share: groups, their members, and the loop that feeds a consumer.
//!
//! A broker that lives inside the process brings its [`Records`]; this module does the rest, so
//! that the twin in memory and the durable broker cannot drift apart. A consumer is fed by one
//! loop that reads behind the group's cursor: there is no moment in which it changes over from
//! catching up to the live end, and so no record can fall between the two.
//!
//! ```text
//!            first          done            cursor           last
//!   ──┬────────┬──────────────┬───────────────┬────────────────┬──▶ positions of a partition
//!     dropped  kept, passed   handed out,      not handed out
//!              by the group   some unsettled   yet
//! ```
//!
//! - [`Groups`] all groups of one broker: join, wake, seek, lag
//! - [`Records`] what a broker brings
//! - `assign` which member holds which partition
//! - `partition` cursor, progress and what is unsettled in one partition
//! - `state` one group as pure state
//! - `consumer` the loop

mod assign;
mod consumer;
mod partition;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use switchboard_core::{BoxError, Clock, Envelope, Name, Position, Timestamp};
use tokio::sync::Notify;

use crate::{Consumer, Delivery, GroupLag, Stored, SubscribeError, Subscription, Undecodable};
use consumer::Member;
use state::Group;

/// The records of an embedded broker, as its consumers read them.
#[async_trait]
pub trait Records: Send + Sync + fmt::Debug + 'static {
    /// The present log epoch.
    fn epoch(&self) -> u64;

    /// How many partitions a topic has; `None` when it is not declared.
    fn partitions(&self, topic: &str) -> Option<u32>;

    /// What is kept of a partition, and is safe to be read.
    fn bounds(&self, topic: &str, partition: u32) -> Bounds;

    /// Up to `limit` records after a position, oldest first; fewer is not the end.
    async fn read(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Record>, BoxError>;

    /// Where the partition ended when the epoch that followed `epoch` began: what lay beyond was
    /// lost, and its positions were given to other records.
    fn end_of(&self, epoch: u64, topic: &str, partition: u32) -> Position;

    /// The position that the broker keeps for a group, if it keeps one across restarts.
    fn kept(&self, _group: &Name, _topic: &Name, _partition: u32) -> Option<Position> {
        None
    }

    /// A group has moved on. Must be quick and must not ask the [`Groups`] anything: it is called
    /// under their lock, so that positions arrive in the order in which they were reached.
    fn moved(&self, _group: &Name, _topic: &Name, _partition: u32, _position: Position) {}

    /// A chance to repeat or rearrange deliveries before they are handed out, for simulations.
    fn disturb(&self, _deliveries: &mut Vec<Delivery>) {}
}

/// The oldest and the newest position kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest position kept; one above `last` when nothing is.
    pub first: Position,
    /// The newest position; 0 when nothing was ever published.
    pub last: Position,
}

/// A record as a broker reads it from its log.
#[derive(Debug)]
pub struct Record {
    /// Its place.
    pub position: Position,
    /// When it was published.
    pub time: Timestamp,
    /// The message, or why it cannot be read.
    pub message: Result<Envelope, Undecodable>,
}

/// All groups of one embedded broker.
#[derive(Debug)]
pub struct Groups {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    inner: Arc<Mutex<Inner>>,
}

/// Tells groups of new records. Holds none of the broker's [`Records`], so that the thread which
/// writes them can own it.
#[derive(Clone, Debug)]
pub struct Announcer(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    groups: BTreeMap<Name, Group>,
    next_member: u64,
    paused: bool,
    closed: bool,
}

// === impl Groups ===

impl Groups {
    /// No groups yet, on these records.
    pub fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock, inner: Arc::default() }
    }

    /// Adds a member to a group, which may be new, and shares the partitions anew.
    ///
    /// # Errors
    /// [`SubscribeError::UnknownTopic`], or [`SubscribeError::Invalid`] for a limit that is 0 or
    /// above [`MAX_IN_FLIGHT`](crate::MAX_IN_FLIGHT), an empty or overlong name, or no topics.
    pub fn join(
        self: &Arc<Self>,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError> {
        subscription.check()?;
        let mut topics = Vec::new();
        for topic in &subscription.topics {
            let partitions = self
                .records
                .partitions(topic)
                .ok_or_else(|| SubscribeError::UnknownTopic(topic.clone()))?;
            topics.push((topic.clone(), partitions));
        }
        let bell = Arc::new(Notify::new());
        let mut inner = self.inner.lock();
        inner.next_member += 1;
        let id = inner.next_member;
        let group = inner.groups.entry(subscription.group.clone()).or_default();
        for (topic, partitions) in &topics {
            group.know(topic, *partitions, |partition| {
                self.records.kept(&subscription.group, topic, partition)
            });
        }
        group.join(id, &subscription, Arc::clone(&bell));
        drop(inner);
        metrics::counter!(crate::metrics::REBALANCES, "group" => subscription.group.to_string())
            .increment(1);
        Ok(Box::new(Member::new(id, Arc::clone(self), subscription, bell)))
    }

    /// Makes a group known before its first member comes, with the positions the broker kept: its
    /// lag is shown, and retention spares what it has not passed.
    pub fn know(&self, group: &Name, topic: &Name) {
        let Some(partitions) = self.records.partitions(topic) else { return };
        let mut inner = self.inner.lock();
        inner
            .groups
            .entry(group.clone())
            .or_default()
            .know(topic, partitions, |partition| self.records.kept(group, topic, partition));
    }

    /// Wakes whoever waits for records of this partition, which now ends at `last`.
    pub fn published(&self, topic: &str, partition: u32, last: Position) {
        self.inner.lock().published(topic, partition, last);
    }

    /// A handle for whoever writes records.
    pub fn announcer(&self) -> Announcer {
        Announcer(Arc::clone(&self.inner))
    }

    /// Consumers pend until [`Groups::resume`].
    pub fn pause(&self) {
        self.inner.lock().paused = true;
    }

    /// Consumers go on.
    pub fn resume(&self) {
        let mut inner = self.inner.lock();
        inner.paused = false;
        inner.groups.values().for_each(Group::wake_all);
    }

    /// Every consumer ends with [`ConsumeError::Closed`](crate::ConsumeError::Closed).
    pub fn close(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner.groups.values().for_each(Group::wake_all);
    }

    /// The lowest position that a known group has not passed: retention must not drop what lies
    /// beyond it. `None` when no group reads the topic.
    pub fn floor(&self, topic: &str, partition: u32) -> Option<Position> {
        let inner = self.inner.lock();
        inner.groups.values().filter_map(|group| group.floor(topic, partition)).min()
    }

    /// How far each group has come.
    ///
    /// # Errors
    /// When a record cannot be read for its time.
    pub async fn lags(&self) -> Result<Vec<GroupLag>, BoxError> {
        let standings: Vec<(Name, state::Standing)> = {
            let inner = self.inner.lock();
            let of = |(name, group): (&Name, &Group)| {
                group.standings().into_iter().map(|row| (name.clone(), row)).collect::<Vec<_>>()
            };
            inner.groups.iter().flat_map(of).collect()
        };
        let mut rows = Vec::with_capacity(standings.len());
        for (group, standing) in standings {
            let state::Standing { topic, partition, position, members } = standing;
            let bounds = self.records.bounds(&topic, partition);
            let behind = Position(position.0.max(bounds.first.0.saturating_sub(1)));
            let lag = bounds.last.0.saturating_sub(behind.0);
            let oldest = match lag {
                0 => None,
                _ => self.records.read(&topic, partition, behind, 1).await?.first().map(|r| r.time),
            };
            rows.push(GroupLag { group, topic, partition, position, lag, oldest, members });
        }
        Ok(rows)
    }

    /// Records of a partition after a position, as an operator reads them.
    ///
    /// # Errors
    /// When the partition does not exist or cannot be read.
    pub async fn stored(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Stored>, BoxError> {
        let records = self.records.read(topic, partition, after, limit).await?;
        let stored = |record: Record| Stored {
            position: record.position,
            message: record.message.map_err(|undecodable| undecodable.error),
        };
        Ok(records.into_iter().map(stored).collect())
    }

    /// Moves a group: the next delivery of the partition comes after `position`.
    ///
    /// # Errors
    /// When the group is not known, keeps its progress in its own store, or the position does
    /// not lie among the records that are kept.
    pub fn seek(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        position: Position,
    ) -> Result<(), BoxError> {
        let Bounds { first, last } = match self.records.partitions(topic) {
            Some(count) if partition < count => self.records.bounds(topic, partition),
            _ => return Err(format!("there is no partition {topic}/{partition}").into()),
        };
        if position > last || position.next() < first {
            let text = format!("{topic}/{partition} keeps {first} to {last}, not {position}");
            return Err(text.into());
        }
        let mut inner = self.inner.lock();
        let state =
            inner.groups.get_mut(group).ok_or_else(|| format!("there is no group `{group}`"))?;
        state.seek(topic, partition, position)?;
        self.records.moved(&Name::from(group), &Name::from(topic), partition, position);
        Ok(())
    }

    fn leave(&self, group: &str, member: u64) {
        if let Some(group) = self.inner.lock().groups.get_mut(group) {
            group.leave(member);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

// === impl Announcer ===

impl Announcer {
    /// Wakes whoever waits for records of these partitions, which now end where it says.
    pub fn published<'a>(&self, ends: impl IntoIterator<Item = (&'a str, u32, Position)>) {
        let mut inner = self.0.lock();
        for (topic, partition, last) in ends {
            inner.published(topic, partition, last);
        }
    }
}

// === impl Inner ===

impl Inner {
    fn published(&mut self, topic: &str, partition: u32, last: Position) {
        for group in self.groups.values_mut() {
            group.published(topic, partition, last);
        }
    }
}
