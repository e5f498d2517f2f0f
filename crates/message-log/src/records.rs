//! What consumers read: the records of the log, as the groups see them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use switchboard_core::{BoxError, Name, Position, Timestamp};
use switchboard_log::{Log, ReadError};
use switchboard_message::group::{Bounds, Record, Records};

use crate::epochs::Epochs;
use crate::positions::Positions;
use crate::published::PublishedTable;
use crate::topics::Topics;
use crate::{OpenError, record};

/// Bytes that one read hands over, unless a single record is larger: 1 MiB.
const READ_BYTES: usize = 1 << 20;
/// How long what changed may stay unwritten.
const WRITE_AFTER: Duration = Duration::from_secs(1);

/// The log and everything kept beside its records.
pub(crate) struct Kept {
    pub(crate) log: Log,
    pub(crate) topics: Topics,
    pub(crate) positions: Positions,
    /// Shared with the log's writer, which must never own the log itself.
    pub(crate) published: Arc<PublishedTable>,
    epochs: Epochs,
    /// Whether a task waits to write what changed: there is at most one, and none when idle.
    write_is_due: AtomicBool,
    me: Weak<Self>,
}

// === impl Kept ===

impl Kept {
    pub(crate) fn open(log: Log) -> Result<Arc<Self>, OpenError> {
        let topics = Topics::open(&log)?;
        let published = Arc::new(PublishedTable::open(&log, &topics)?);
        let positions = Positions::open(&log)?;
        let epochs = Epochs::open(&log)?;
        Ok(Arc::new_cyclic(|me| Self {
            log,
            topics,
            positions,
            published,
            epochs,
            write_is_due: AtomicBool::new(false),
            me: me.clone(),
        }))
    }

    /// Sees to it that what changed is written a little later.
    pub(crate) fn write_soon(&self) {
        if self.write_is_due.load(Ordering::Relaxed)
            || self.write_is_due.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            self.write_is_due.store(false, Ordering::Release);
            return;
        };
        let me = self.me.clone();
        runtime.spawn(async move {
            tokio::time::sleep(WRITE_AFTER).await;
            let Some(kept) = me.upgrade() else { return };
            kept.write_is_due.store(false, Ordering::Release);
            if kept.write(false)
                // An empty batch makes the log sync the cells although nothing else may come.
                && let Err(error) = kept.log.append(Vec::new()).await
            {
                tracing::warn!(error = %switchboard_core::chain(&error), "positions not synced");
            }
        });
    }

    /// Writes what changed, and says whether anything did; it is durable with the log's next sync.
    /// What fails is tried again the next time: it can be worked out again from the records, or
    /// repeats some deliveries.
    pub(crate) fn write(&self, in_any_case: bool) -> bool {
        let written = self
            .positions
            .write(&self.log)
            .and_then(|some| Ok(self.published.write(&self.log, in_any_case)? || some));
        written.unwrap_or_else(|error| {
            tracing::warn!(error = %switchboard_core::chain(&error), "positions not written");
            false
        })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.write(true);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("log", &self.log).finish_non_exhaustive()
    }
}

#[async_trait]
impl Records for Kept {
    fn epoch(&self) -> u64 {
        self.epochs.present()
    }

    fn partitions(&self, topic: &str) -> Option<u32> {
        self.topics.get(topic).map(|declared| declared.topic.partitions)
    }

    fn bounds(&self, topic: &str, partition: u32) -> Bounds {
        let channel = self.topics.get(topic).and_then(|declared| declared.channel(partition));
        let bounds = channel.and_then(|channel| self.log.bounds(channel));
        let (first, last) = bounds.map_or((1, 0), |bounds| (bounds.first, bounds.last));
        Bounds { first: Position(first), last: Position(last) }
    }

    // A read of what was just written comes from the page cache in microseconds, which is less
    // than it takes to ask another thread; so it is done in place.
    async fn read(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Record>, BoxError> {
        let channel = self.topics.get(topic).and_then(|declared| declared.channel(partition));
        let channel = channel.ok_or_else(|| format!("there is no {topic}/{partition}"))?;
        let records = match self.log.read(channel, after.0, limit, READ_BYTES) {
            Err(ReadError::BelowRetention { oldest, .. }) => {
                // The reader sees the gap in the positions, and decides.
                self.log.read(channel, oldest.saturating_sub(1), limit, READ_BYTES)
            }
            other => other,
        };
        let record = |raw: switchboard_log::Record| Record {
            position: Position(raw.position),
            time: Timestamp::from_micros(raw.time),
            message: record::decode(&raw.data),
        };
        Ok(records?.into_iter().map(record).collect())
    }

    fn end_of(&self, epoch: u64, topic: &str, partition: u32) -> Position {
        let channel = self.topics.get(topic).and_then(|declared| declared.channel(partition));
        channel.map_or(Position::START, |channel| self.epochs.end_of(epoch, channel))
    }

    fn kept(&self, group: &Name, topic: &Name, partition: u32) -> Option<Position> {
        self.positions.get(group, topic, partition)
    }

    fn moved(&self, group: &Name, topic: &Name, partition: u32, position: Position) {
        self.positions.set(group, topic, partition, position);
        self.write_soon();
    }
}
