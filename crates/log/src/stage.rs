//! Where producers meet the writer: records are numbered and encoded here, in the order of calls.
//!
//! A producer computes its checksums outside the lock; under it, it takes its positions and copies
//! its frames into the group that the writer will take next. The writer never copies a record.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{Semaphore, watch};

use crate::catalog::{Catalog, Entry};
use crate::control;
use crate::error::AppendError;
use crate::frame::{self, DATA, HEADER, Header};
use crate::index::{Location, low};
use crate::options::Options;
use crate::segment::Cache;
use crate::ticket::{Append, Ticket};
use crate::types::{Appended, ChannelId, Staging};

/// What all handles, the writer and the readers share.
///
/// Locks are taken in the order of the fields: `stage` before `catalog`.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) epoch: u64,
    pub(crate) salt: u32,
    pub(crate) stage: Mutex<Stage>,
    /// Tells the writer that there is something to do.
    pub(crate) work: Condvar,
    /// Batches that are staged: for a writer that looks out, and to know when one that sleeps is
    /// woken.
    pub(crate) staged: AtomicUsize,
    pub(crate) catalog: RwLock<Catalog>,
    /// Places in the queue.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) cache: Cache,
    /// Counts commits.
    pub(crate) watermark: watch::Sender<u64>,
    /// Whether the last group could be written.
    pub(crate) writes: AtomicBool,
    /// Held by whoever drops or rewrites segments.
    pub(crate) retention: Mutex<()>,
}

/// What is not synced yet.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// The next position of each channel, by number from 1.
    pub(crate) next: Vec<u64>,
    /// Groups, oldest first; producers add to the last one.
    pub(crate) groups: VecDeque<Group>,
    pub(crate) cells: BTreeMap<Arc<str>, Bytes>,
    /// Declarations, cells and oldest positions that ride along with the next group.
    pub(crate) riders: Riders,
    /// Bytes that names and cells take in the next segment's head.
    pub(crate) snapshot: u64,
    /// Why nothing more is taken.
    pub(crate) stopped: Option<AppendError>,
    /// Set by `close`: the writer finishes what is staged and ends.
    pub(crate) closing: bool,
    /// The writer sleeps until so many batches are staged; 0 while it is awake.
    pub(crate) writer_wants: usize,
    /// A group's buffers, to be used again.
    pub(crate) spare: Vec<Group>,
}

/// Small entries without a sync of their own. They may follow the records that need them: a group
/// counts as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Riders {
    pub(crate) channels: BTreeMap<u32, Arc<str>>,
    pub(crate) cells: BTreeMap<Arc<str>, Bytes>,
    pub(crate) floors: BTreeMap<u32, u64>,
}

/// Batches that share one sync.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Whole frames.
    pub(crate) bytes: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) ticket: Arc<Ticket>,
    /// Places in the queue that it gives back.
    pub(crate) places: usize,
    /// Batches in it.
    pub(crate) batches: usize,
}

/// A batch with its checksums.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Staging>,
    sums: Vec<u32>,
    bytes: usize,
    pub(crate) places: u32,
}

// === impl Core ===

impl Core {
    /// Stages a batch, or prepares to wait for room.
    pub(crate) fn append(self: &Arc<Self>, records: Vec<Staging>) -> Append {
        let batch = match self.prepare(records) {
            Ok(batch) => batch,
            Err(error) => return Append::failed(error),
        };
        match self.room.try_acquire_many(batch.places) {
            Ok(permit) => {
                permit.forget();
                self.stage_batch(&batch)
            }
            Err(_) => Append::blocked(self.clone(), batch),
        }
    }

    /// Checks the limits and computes what can be computed outside the lock.
    fn prepare(&self, records: Vec<Staging>) -> Result<Batch, AppendError> {
        let mut bytes = 0;
        let mut places = 0;
        let mut sums = Vec::with_capacity(records.len());
        for (_, data, _) in &records {
            let limit = self.options.max_record_bytes;
            if data.len() > limit {
                return Err(AppendError::TooLarge { bytes: data.len(), limit });
            }
            sums.push(frame::crc(data));
            bytes += HEADER + data.len();
            places += 1 + data.len() / 1024;
        }
        let limit = self.options.max_batch_bytes();
        if bytes as u64 > limit {
            return Err(AppendError::BatchTooLarge { bytes: bytes as u64, limit });
        }
        let places = low(places.min(self.options.queue) as u64);
        Ok(Batch { records, sums, bytes, places })
    }

    /// Numbers and encodes a batch whose places are taken.
    pub(crate) fn stage_batch(self: &Arc<Self>, batch: &Batch) -> Append {
        let mut stage = self.stage.lock();
        let outcome = stage.add(batch, self.options.group_bytes);
        let mut wake = false;
        if outcome.is_ok() {
            let staged = self.staged.fetch_add(1, Ordering::Release) + 1;
            wake = (1..=staged).contains(&stage.writer_wants);
            if wake {
                stage.writer_wants = 0;
            }
        }
        drop(stage);
        match outcome {
            Ok((ticket, appended)) => {
                if wake {
                    self.work.notify_one();
                }
                Append::staged(ticket, appended)
            }
            Err(error) => {
                self.room.add_permits(batch.places as usize);
                Append::failed(error)
            }
        }
    }

    /// Finds a channel or declares it.
    pub(crate) fn channel(&self, name: &str) -> Result<ChannelId, AppendError> {
        if let Some(id) = self.catalog.read().find(name) {
            return Ok(id);
        }
        let mut stage = self.stage.lock();
        if let Some(id) = self.catalog.read().find(name) {
            return Ok(id);
        }
        stage.check()?;
        stage.reserve(name.len() as u64 + 24, self.options.segment_bytes)?;
        let name: Arc<str> = name.into();
        let id = self.catalog.write().add(name.clone(), 0, 1);
        stage.next.push(1);
        stage.riders.channels.insert(id.0, name);
        Ok(id)
    }

    /// Changes a cell in memory; the next group carries it.
    pub(crate) fn set_cell(&self, name: &str, value: Bytes) -> Result<(), AppendError> {
        let mut stage = self.stage.lock();
        stage.check()?;
        let before = stage.cells.get(name).map(|old| old.len() as u64 + name.len() as u64 + 8);
        let after = if value.is_empty() { 0 } else { (value.len() + name.len() + 8) as u64 };
        stage.snapshot -= before.unwrap_or(0);
        if let Err(error) = stage.reserve(after, self.options.segment_bytes) {
            stage.snapshot += before.unwrap_or(0);
            return Err(error);
        }
        let name: Arc<str> = name.into();
        if value.is_empty() {
            stage.cells.remove(&name);
        } else {
            stage.cells.insert(name.clone(), value.clone());
        }
        stage.riders.cells.insert(name, value);
        Ok(())
    }

    /// Gives up everything that is staged, after a group failed or when nothing more is taken.
    pub(crate) fn fail(&self, failed: Option<(Group, Riders)>, error: &AppendError, stop: bool) {
        let mut stage = self.stage.lock();
        if stop {
            stage.stopped = Some(error.clone());
        }
        let mut groups = std::mem::take(&mut stage.groups);
        self.staged.store(0, Ordering::Release);
        if let Some((group, riders)) = failed {
            groups.push_front(group);
            stage.restore(riders);
        }
        let catalog = self.catalog.read();
        stage.next = catalog.channels().map(|(_, channel)| channel.last + 1).collect();
        if stop {
            catalog.notify_all();
        }
        drop(catalog);
        drop(stage);
        for group in groups {
            if group.ticket.resolve(Err(error.clone())) {
                group.ticket.wake_rest();
            }
            self.room.add_permits(group.places);
        }
    }
}

// === impl Stage ===

impl Stage {
    /// Whether anything is taken at all.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        match &self.stopped {
            Some(error) => Err(error.clone()),
            None if self.closing => Err(AppendError::Closed),
            None => Ok(()),
        }
    }

    fn add(
        &mut self,
        batch: &Batch,
        group_bytes: usize,
    ) -> Result<(Arc<Ticket>, Vec<Appended>), AppendError> {
        self.check()?;
        for (channel, ..) in &batch.records {
            if channel.0 == 0 || channel.0 as usize > self.next.len() {
                return Err(AppendError::UnknownChannel(*channel));
            }
        }
        let mut appended = Vec::with_capacity(batch.records.len());
        let index = self.open_group(batch.bytes, group_bytes);
        let group = &mut self.groups[index];
        for ((channel, data, time), sum) in batch.records.iter().zip(&batch.sums) {
            let next = &mut self.next[channel.0 as usize - 1];
            let position = *next;
            *next += 1;
            let header = Header::new(DATA, channel.0, position, *time, data.len(), *sum);
            let at = Location { offset: low(group.bytes.len() as u64), len: header.len };
            frame::push(&mut group.bytes, &header, data);
            group.entries.push(Entry { channel: channel.0, position, time: *time, at });
            appended.push(Appended { channel: *channel, position });
        }
        group.places += batch.places as usize;
        group.batches += 1;
        Ok((group.ticket.clone(), appended))
    }

    /// The group that the next `bytes` go to: the last one, or a new one when that is full.
    fn open_group(&mut self, bytes: usize, group_bytes: usize) -> usize {
        let fits = self.groups.back().is_some_and(|group| {
            group.bytes.is_empty() || group.bytes.len() + bytes <= group_bytes
        });
        if !fits {
            let group = self.spare.pop().unwrap_or_default();
            self.groups.push_back(group);
        }
        self.groups.len() - 1
    }

    /// Keeps the next segment's head within an eighth of a segment, so that with the largest batch
    /// and its riders it always fits.
    fn reserve(&mut self, bytes: u64, segment_bytes: u64) -> Result<(), AppendError> {
        let (bytes, limit) = (self.snapshot + bytes, segment_bytes / 8);
        if bytes > limit {
            return Err(AppendError::TooMany { bytes, limit });
        }
        self.snapshot = bytes;
        Ok(())
    }

    /// Keeps the buffers of a committed group for the next one, unless they are unusually large.
    pub(crate) fn recycle(&mut self, mut group: Group, group_bytes: usize) {
        if self.spare.len() >= 2 || group.bytes.capacity() > group_bytes.saturating_mul(2) {
            return;
        }
        group.bytes.clear();
        group.entries.clear();
        let (bytes, entries) = (group.bytes, group.entries);
        self.spare.push(Group { bytes, entries, ..Group::default() });
    }

    /// Puts riders of a failed group back, unless newer ones took their seats.
    fn restore(&mut self, riders: Riders) {
        self.riders.channels.extend(riders.channels);
        for (name, value) in riders.cells {
            self.riders.cells.entry(name).or_insert(value);
        }
        for (channel, floor) in riders.floors {
            let seat = self.riders.floors.entry(channel).or_insert(floor);
            *seat = floor.max(*seat);
        }
    }
}

// === impl Riders ===

impl Riders {
    pub(crate) fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.cells.is_empty() && self.floors.is_empty()
    }

    /// Appends the entries to a group's frames.
    pub(crate) fn push(&self, buffer: &mut Vec<u8>) {
        for (channel, name) in &self.channels {
            control::push_channel(buffer, *channel, name);
        }
        for (name, value) in &self.cells {
            control::push_cell(buffer, name, value);
        }
        for (channel, floor) in &self.floors {
            control::push_floor(buffer, *channel, *floor);
        }
    }
}
