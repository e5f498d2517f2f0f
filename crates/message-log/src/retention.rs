//! What is dropped, and when: after much was published, or hourly, and only while records come.
//!
//! A topic's limit in bytes is shared among its partitions by what they hold. What a group has not
//! passed is kept; the positions that decide it are made durable first, because a group that found
//! itself behind its own records after a crash would have lost them. Of a queue goes what is settled
//! from its front on: one job that is never settled keeps everything behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::{BoxError, Clock, Timestamp};
use switchboard_log::{ChannelId, Keep};
use switchboard_message::group::Groups;

use crate::metrics as names;
use crate::queues::LogQueues;
use crate::records::Kept;
use crate::topics::Declared;

/// The longest time between two enforcements while records come.
const HOURLY: Duration = Duration::from_secs(3_600);

/// Decides when retention is due.
#[derive(Debug)]
pub(crate) struct Due {
    segment_bytes: u64,
    since_last: AtomicU64,
    last: Mutex<Timestamp>,
    running: AtomicBool,
}

// === impl Due ===

impl Due {
    pub(crate) fn new(segment_bytes: u64, now: Timestamp) -> Self {
        Self {
            segment_bytes,
            since_last: AtomicU64::new(0),
            last: Mutex::new(now),
            running: AtomicBool::new(false),
        }
    }

    /// Counts what was published. True when it is time, for one caller at a time, who then calls
    /// [`Due::over`].
    pub(crate) fn count(&self, bytes: u64, now: Timestamp) -> bool {
        let since = self.since_last.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let due = since >= self.segment_bytes || now.since(*self.last.lock()) >= HOURLY;
        if !due || self.running.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.since_last.store(0, Ordering::Relaxed);
        *self.last.lock() = now;
        true
    }

    pub(crate) fn over(&self) {
        self.running.store(false, Ordering::Release);
    }
}

/// Drops what retention lets go. Waits for a sync and for file work.
pub(crate) async fn enforce(
    kept: Arc<Kept>,
    groups: Arc<Groups>,
    queues: Arc<LogQueues>,
    clock: Arc<dyn Clock>,
) -> Result<u64, BoxError> {
    let mut keeps: Vec<(ChannelId, Keep)> =
        kept.topics.all().iter().flat_map(|declared| of(&kept, &groups, declared)).collect();
    keeps.extend(queues.compact().await?);
    kept.positions.write(&kept.log)?;
    kept.log.append(Vec::new()).await?;
    let now = clock.now().as_micros();
    let work = tokio::task::spawn_blocking(move || kept.log.enforce(&keeps, now));
    let reclaimed = work.await??;
    metrics::counter!(names::RECLAIMED).increment(reclaimed.bytes);
    Ok(reclaimed.bytes)
}

/// What is to be kept of a topic's partitions.
fn of(kept: &Kept, groups: &Groups, declared: &Declared) -> Vec<(ChannelId, Keep)> {
    let held = |channel: &ChannelId| kept.log.bounds(*channel).map_or(0, |bounds| bounds.bytes);
    let total: u64 = declared.channels.iter().map(held).sum();
    let topic = &declared.topic;
    let keep = |(partition, channel): (u32, &ChannelId)| {
        let share = |limit: u64| {
            let share = u128::from(limit) * u128::from(held(channel)) / u128::from(total.max(1));
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        let bytes = topic.retention.bytes.filter(|limit| total > *limit).map(share);
        let not_beyond = groups.floor(&topic.name, partition).map(|position| position.0);
        (*channel, Keep { age: topic.retention.age, bytes, not_beyond })
    };
    (0..).zip(&declared.channels).map(keep).collect()
}
