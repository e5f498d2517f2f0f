//! The handle: what producers, readers and operators call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::error::{AppendError, OpenError, ReadError, RetainError};
use crate::file::LockGuard;
use crate::options::Options;
use crate::read::{self, Tail};
use crate::recover;
use crate::snapshot::Hold;
use crate::stage::Core;
use crate::ticket::Append;
use crate::types::{Bounds, ChannelId, Keep, Reclaimed, Record, Recovered, SegmentInfo, Staging};

/// An append-only log of many channels. Clones share one writer; the last one dropped closes it.
///
/// Every method may be called from any thread. `read` and `channel` touch at most the file system's
/// cache and short locks, so async code may call them; `open`, `close` and `enforce` do real work
/// on files.
#[derive(Clone, Debug)]
pub struct Log {
    handle: Arc<Handle>,
}

/// The cell that is written when a log is tried again.
const TRIED: &str = "tried-again";

/// Closes the log when the last clone goes.
struct Handle {
    core: Arc<Core>,
    running: Mutex<Option<Running>>,
}

struct Running {
    writer: JoinHandle<()>,
    /// Released after the writer is done.
    _guard: Box<dyn LockGuard>,
}

// === impl Log ===

impl Log {
    /// Opens the log in a folder, creating it if absent, and says what was found.
    ///
    /// Takes as long as it takes to read the last segment, and to fill the first with zeros when
    /// the log is new.
    ///
    /// # Errors
    /// Refuses a folder that is in use, and damage to anything that was committed; never answers
    /// damage with an empty log.
    pub fn open(options: Options) -> Result<(Self, Recovered), OpenError> {
        let dir = options.dir.clone();
        let opened = recover::open(options)?;
        let writer = opened.writer;
        let writer = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || writer.run())
            .map_err(OpenError::io("start a thread", dir))?;
        let running = Running { writer, _guard: opened.guard };
        let handle = Handle { core: opened.core, running: Mutex::new(Some(running)) };
        Ok((Self { handle: Arc::new(handle) }, opened.recovered))
    }

    /// The channel of this name, declared if it is new.
    ///
    /// A new channel is durable with the next sync, and never later than its first record. To wait
    /// for that, append an empty batch.
    ///
    /// # Errors
    /// `TooMany` when names and cells would take more than an eighth of a segment.
    pub fn channel(&self, name: &str) -> Result<ChannelId, AppendError> {
        self.core().channel(name)
    }

    /// The channel of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<ChannelId> {
        self.core().catalog.read().find(name)
    }

    /// All channels, in the order in which they were declared.
    pub fn channels(&self) -> Vec<(ChannelId, Arc<str>)> {
        let catalog = self.core().catalog.read();
        catalog.channels().map(|(id, channel)| (id, channel.name.clone())).collect()
    }

    /// Appends a batch: all of it or nothing. The answer comes after the sync, in batch order.
    ///
    /// An empty batch resolves when everything staged before it is synced, cells included.
    ///
    /// # Ordering
    /// Batches lie in the log in the order of the calls, whether or not the futures are polled.
    /// Only while the queue is full does a batch take its place when its future is first polled.
    ///
    /// # Errors
    /// `Unwritten`: nothing of the batch is in the log. `Poisoned`, `Closed`: unknown.
    pub fn append(&self, batch: Vec<Staging>) -> Append {
        self.core().append(batch)
    }

    /// Records of a channel after a position, oldest first; none when there are none yet.
    ///
    /// Only synced records are ever returned, and each is verified. At least one record comes if
    /// there is one, however small `max_bytes`; `max_records` of 0 returns none.
    ///
    /// # Errors
    /// `BelowRetention` when the record after `after` is not kept any more.
    pub fn read(
        &self,
        channel: ChannelId,
        after: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<Record>, ReadError> {
        self.core().read(channel, after, max_records, max_bytes)
    }

    /// What a channel holds; `None` when there is no such channel.
    pub fn bounds(&self, channel: ChannelId) -> Option<Bounds> {
        self.core().catalog.read().bounds(channel)
    }

    /// The last synced position of a channel, to wait on; `None` when there is no such channel.
    pub fn watch(&self, channel: ChannelId) -> Option<watch::Receiver<u64>> {
        self.core().catalog.read().watch(channel)
    }

    /// Reads a channel from a position on and then follows it.
    ///
    /// # Errors
    /// `UnknownChannel`.
    pub fn tail(&self, channel: ChannelId, after: u64) -> Result<Tail, ReadError> {
        let end = read::subscribe(self.core(), channel)?;
        Ok(Tail::new(self.clone(), channel, after, end))
    }

    /// Counts the groups that were committed since the log was opened, to wait on any change.
    pub fn watermark(&self) -> watch::Receiver<u64> {
        self.core().watermark.subscribe()
    }

    /// Whether records can be appended now, as far as anybody knows. After a group that could not be
    /// written a small one is tried, so that nobody has to lose a record to learn that it works again.
    pub async fn can_write(&self) -> bool {
        if self.core().writes.load(Ordering::Acquire) {
            return true;
        }
        // A cell of its own: an empty batch alone would have nothing to write.
        self.set_cell(TRIED, Bytes::from_static(&[1])).is_ok()
            && self.append(Vec::new()).await.is_ok()
    }

    /// The log's epoch: 1 at first, one more after each opening that had to cut a tail.
    pub fn epoch(&self) -> u64 {
        self.core().epoch
    }

    /// Sets a cell: a small named value of which only the last counts. An empty value removes it.
    ///
    /// It has no sync of its own: it rides along with the next group of anything, or is written
    /// when the log is closed, so a crash may take it back to an earlier value.
    ///
    /// # Errors
    /// `TooMany` when names and cells would take more than an eighth of a segment.
    pub fn set_cell(&self, name: &str, value: Bytes) -> Result<(), AppendError> {
        self.core().set_cell(name, value)
    }

    /// The value of a cell, as last set.
    pub fn cell(&self, name: &str) -> Option<Bytes> {
        self.core().stage.lock().cells.get(name).cloned()
    }

    /// All cells whose names begin so, by name.
    pub fn cells(&self, prefix: &str) -> Vec<(Arc<str>, Bytes)> {
        let stage = self.core().stage.lock();
        let cells = stage
            .cells
            .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        cells
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Gives up the records of a channel below a position: readers do not get them any more.
    ///
    /// Positions never move down, nor beyond the next record. The space comes back with `enforce`.
    ///
    /// # Errors
    /// `UnknownChannel`, or the log takes nothing any more.
    pub fn retain(&self, channel: ChannelId, keep_from: u64) -> Result<(), RetainError> {
        self.core().retain(channel, keep_from)
    }

    /// Drops what these channels need not keep at this moment (microseconds); channels that are not
    /// listed keep everything.
    ///
    /// Works on sealed segments only, so the newest records stay whatever the limits say. Blocks on
    /// files: call it from a blocking thread.
    ///
    /// # Errors
    /// What was to be kept is there after any error.
    pub fn enforce(
        &self,
        keep: &[(ChannelId, Keep)],
        now_micros: i64,
    ) -> Result<Reclaimed, RetainError> {
        self.core().enforce(keep, now_micros)
    }

    /// One row per segment, oldest first.
    pub fn inspect(&self) -> Vec<SegmentInfo> {
        self.core().catalog.read().inspect()
    }

    /// Keeps every file as it is but for appends, until the guard is dropped: to copy them. Waits
    /// for retention if that runs, and retention waits for it.
    pub fn hold(&self) -> Hold<'_> {
        Hold::new(self)
    }

    /// Why the log takes nothing any more; `None` while it does.
    pub fn stopped(&self) -> Option<AppendError> {
        self.core().stage.lock().stopped.clone()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.core().stage.lock().stopped.is_some()
    }

    /// Syncs what is staged, stops the threads and releases the folder. Blocks until that is done.
    ///
    /// Every clone is closed by it; what was read stays readable. Closing twice does nothing.
    pub fn close(&self) {
        self.handle.close();
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }
}

// === impl Handle ===

impl Handle {
    fn close(&self) {
        let mut running = self.running.lock();
        let Some(ending) = running.take() else { return };
        self.core.stage.lock().closing = true;
        self.core.room.close();
        self.core.work.notify_one();
        if ending.writer.join().is_err() {
            tracing::error!("the log's writer panicked");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("dir", &self.core.options.dir).finish_non_exhaustive()
    }
}
