//! The one thread that writes: it takes what producers have staged, writes it, syncs, and tells.
//!
//! Group commit is by draining: the first request pays for a sync, and whatever is staged meanwhile
//! rides on the next one. Only after an answer the writer gives those who were answered a moment to
//! come back ([`crate::patience`]). When a write fails, the bytes are overwritten with zeros
//! back to the last commit point, so that no later marker can adopt them. When a sync fails, the
//! kernel may have dropped the bytes and will not say so again: the writer stops for good, and only
//! opening the log again tells what the disk holds.

use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use crate::catalog::Active;
use crate::control::{ChannelState, Commit, Head, MARKER};
use crate::error::AppendError;
use crate::file::{File, write_all_at};
use crate::frame;
use crate::index::Index;
use crate::keeper::{Keeper, Prepared};
use crate::metrics;
use crate::options::{FIRST_SEGMENT, Planted};
use crate::patience::Patience;
use crate::segment::{Loaded, Segment};
use crate::stage::{Core, Group, Riders};
use crate::ticket::Ticket;

/// The writer's own view of the active segment.
#[derive(Debug)]
pub(crate) struct Writer {
    core: Arc<Core>,
    keeper: Keeper,
    target: Target,
    patience: Patience,
    /// The ticket of the last group, while some of its producers may not be awake.
    rest: Mutex<Option<Arc<Ticket>>>,
    /// Batches that are staged once everybody who was answered has come back.
    expected: Cell<usize>,
}

/// The segment that is written.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) id: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    /// Where the committed bytes end.
    pub(crate) end: u64,
    /// Where the prepared zeros end.
    pub(crate) capacity: u64,
    /// The number of the last committed group.
    pub(crate) sequence: u64,
    pub(crate) head_crc: u32,
}

/// Why a group is not committed.
enum Failure {
    /// Nothing of it is there; the writer goes on.
    Unwritten(io::Error),
    /// Nobody knows what is there; the writer stops.
    Poisoned(io::Error),
}

// === impl Writer ===

impl Writer {
    /// Works until the log is closed or poisoned.
    pub(crate) fn run(mut self) {
        let mut done = None;
        let mut stopped = AppendError::Closed;
        while let Some((mut group, riders)) = self.next(done.take()) {
            let committed = self.commit(&mut group, &riders);
            self.core.writes.store(committed.is_ok(), Ordering::Release);
            match committed {
                Ok(()) => done = Some(group),
                Err(Failure::Unwritten(error)) => {
                    tracing::warn!(%error, "a group was not written");
                    let error = AppendError::Unwritten(Arc::new(error));
                    self.core.fail(Some((group, riders)), &error, false);
                    if self.core.stage.lock().closing {
                        // What could not be written would be tried for ever.
                        break;
                    }
                }
                Err(Failure::Poisoned(error)) => {
                    tracing::error!(%error, "a sync failed: the log stops");
                    stopped = AppendError::Poisoned(Arc::new(error));
                    self.core.fail(Some((group, riders)), &stopped, true);
                    break;
                }
            }
        }
        self.wake_rest();
        self.core.fail(None, &stopped, true);
        self.keeper.stop();
    }

    pub(crate) fn new(core: Arc<Core>, keeper: Keeper, target: Target) -> Self {
        Self {
            core,
            keeper,
            target,
            patience: Patience::default(),
            rest: Mutex::default(),
            expected: Cell::new(0),
        }
    }

    /// Waits for work, and gives the buffers of the last group back.
    fn next(&mut self, done: Option<Group>) -> Option<(Group, Riders)> {
        let core = &self.core;
        let mut stage = core.stage.lock();
        if let Some(done) = done {
            let expected = self.expected.get();
            stage.recycle(done, core.options.group_bytes);
            if stage.groups.len() < 2 && !stage.closing && self.patience.is_worth_it() {
                if self.patience.is_tired() {
                    self.patience.sleep(core, &mut stage, expected);
                } else {
                    MutexGuard::unlocked(&mut stage, || {
                        self.patience.look_out(&core.staged, expected);
                    });
                }
            }
        }
        loop {
            if let Some(group) = stage.groups.pop_front() {
                core.staged.fetch_sub(group.batches, Ordering::Relaxed);
                return Some((group, std::mem::take(&mut stage.riders)));
            }
            if stage.closing {
                let riders = std::mem::take(&mut stage.riders);
                return (!riders.is_empty()).then(|| (Group::default(), riders));
            }
            let rest = self.rest.lock().take();
            if let Some(rest) = rest {
                MutexGuard::unlocked(&mut stage, || rest.wake_rest());
                continue;
            }
            stage.writer_wants = 1;
            core.work.wait(&mut stage);
        }
    }

    /// Writes a group, syncs it and tells everybody.
    fn commit(&mut self, group: &mut Group, riders: &Riders) -> Result<(), Failure> {
        riders.push(&mut group.bytes);
        if group.bytes.is_empty() {
            self.tell(group);
            return Ok(());
        }
        let needed = (group.bytes.len() + MARKER) as u64;
        if self.target.end + needed > self.target.capacity {
            self.roll(group)?;
        } else {
            self.append(group)?;
        }
        let target = &self.target;
        if target.end > target.capacity / 2 {
            self.keeper.request(target.id + 1, self.next_capacity(), group.bytes.len());
        }
        Ok(())
    }

    fn append(&mut self, group: &mut Group) -> Result<(), Failure> {
        let target = &mut self.target;
        let (from, sequence) = (target.end, target.sequence + 1);
        Commit::of(&group.bytes, sequence, from, self.core.salt).push(&mut group.bytes);
        let len = group.bytes.len() as u64;
        if let Err(error) = write_all_at(&*target.file, &group.bytes, from) {
            self.rewind(len)?;
            return Err(Failure::Unwritten(error));
        }
        let early = self.core.options.planted == Planted::AckBeforeFsync;
        if early {
            self.publish(group, from, from + len);
        }
        self.sync()?;
        self.target.end = from + len;
        self.target.sequence = sequence;
        if !early {
            self.publish(group, from, from + len);
        }
        Ok(())
    }

    /// Begins the next segment with its head and this group, in one sync.
    fn roll(&mut self, group: &mut Group) -> Result<(), Failure> {
        let sequence = self.target.sequence + 1;
        let mut bytes = Vec::new();
        self.head(sequence).push(&mut bytes);
        let (from, head_crc) = (bytes.len() as u64, frame::u32_at(&bytes, 28));
        bytes.extend_from_slice(&group.bytes);
        Commit::of(&bytes, sequence, 0, self.core.salt).push(&mut bytes);
        let end = bytes.len() as u64;
        let prepared = self
            .keeper
            .take(self.target.id + 1, self.next_capacity(), end)
            .map_err(Failure::Unwritten)?;
        if let Err(error) = write_all_at(&*prepared.file, &bytes, 0) {
            // A file that was touched is not used again.
            let _ = self.core.options.files.remove(&prepared.path);
            return Err(Failure::Unwritten(error));
        }
        let Prepared { id, path, file, capacity } = prepared;
        let next = Target { id, path, file, end, capacity, sequence, head_crc };
        let last = std::mem::replace(&mut self.target, next);
        let early = self.core.options.planted == Planted::AckBeforeFsync;
        if early {
            self.seal(last, from);
            self.publish(group, from, end);
            return self.sync();
        }
        self.sync()?;
        self.seal(last, from);
        self.publish(group, from, end);
        Ok(())
    }

    fn sync(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut synced = self.target.file.sync_data();
        if synced.is_err() && self.core.options.planted == Planted::RetryFsync {
            synced = self.target.file.sync_data();
        }
        metrics::synced(begun.elapsed());
        synced.map_err(Failure::Poisoned)
    }

    /// Overwrites what a failed write may have left behind the last commit point.
    fn rewind(&mut self, len: u64) -> Result<(), Failure> {
        let target = &mut self.target;
        if self.core.options.planted == Planted::NoRewind {
            target.end += len;
            return Ok(());
        }
        let zeros = vec![0; usize::try_from(len).unwrap_or(0)];
        write_all_at(&*target.file, &zeros, target.end)
            .and_then(|()| target.file.sync_data())
            .map_err(Failure::Poisoned)
    }

    /// Hands the full segment to the readers and the keeper, and shows the new one.
    fn seal(&self, last: Target, from: u64) {
        let target = &self.target;
        let next = Active {
            id: target.id,
            path: target.path.clone(),
            file: target.file.clone(),
            end: from,
            index: Index::default(),
        };
        let mut catalog = self.core.catalog.write();
        let index = std::mem::take(&mut catalog.active.index);
        let segment = Arc::new(Segment::new(
            last.path,
            (last.id, last.id),
            (last.end, last.sequence),
            last.head_crc,
            index.runs().copied().collect(),
        ));
        let loaded = Arc::new(Loaded { file: last.file, index });
        segment.adopt(&loaded, &self.core.cache);
        catalog.seal(segment.clone(), next);
        drop(catalog);
        self.keeper.finish(segment, loaded);
    }

    /// Shows a group to the readers, then tells its producers, then those who wait for records.
    fn publish(&self, group: &Group, from: u64, end: u64) {
        self.core.catalog.write().commit(&group.entries, from, end);
        self.tell(group);
        self.core.catalog.read().notify(&group.entries);
        metrics::committed(group.entries.len(), group.bytes.len());
    }

    fn wake_rest(&self) {
        let rest = self.rest.lock().take();
        if let Some(rest) = rest {
            rest.wake_rest();
        }
    }

    fn tell(&self, group: &Group) {
        self.wake_rest();
        // Before anybody is answered: who comes back at once must not be expected a second time.
        let staged = self.core.staged.load(Ordering::Relaxed);
        self.expected.set(staged + group.batches);
        if group.ticket.resolve(Ok(())) {
            *self.rest.lock() = Some(group.ticket.clone());
        }
        self.core.room.add_permits(group.places);
        self.core.watermark.send_modify(|commits| *commits += 1);
    }

    /// Four times the last one, up to the size that was asked for.
    fn next_capacity(&self) -> u64 {
        next_capacity(self.target.capacity, self.core.options.segment_bytes)
    }

    fn head(&self, sequence: u64) -> Head {
        let stage = self.core.stage.lock();
        let cells = stage.cells.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let catalog = self.core.catalog.read();
        Head {
            id: self.target.id + 1,
            through: self.target.id + 1,
            generation: 0,
            epoch: self.core.epoch,
            salt: self.core.salt,
            sequence,
            previous: (self.target.id, self.target.end),
            channels: catalog
                .channels()
                .map(|(_, channel)| ChannelState {
                    name: channel.name.clone(),
                    last: channel.last,
                    floor: channel.floor,
                })
                .collect(),
            cells,
        }
    }
}

/// The size of a segment after one of `capacity` bytes.
pub(crate) fn next_capacity(capacity: u64, most: u64) -> u64 {
    capacity.saturating_mul(4).max(FIRST_SEGMENT).min(most)
}
