//! Opening a log: find the last commit point, cut what was never acknowledged, refuse damage.
//!
//! 1. Trailing segments without a single committed group were prepared or torn while being born:
//!    they go. A segment counts as written as soon as one group in it is committed.
//! 2. The last written segment is read in full; [`crate::scan`] tells an unfinished tail from
//!    damage. Its last group is written and synced again, because the process that wrote it may
//!    have died, or failed, before its own sync was through, and readers are about to see it.
//! 3. An unfinished tail is never written over. A new segment begins, under a new epoch, and says
//!    where its predecessor ends; only then the tail is cut off.
//! 4. Sealed segments are not read if their sidecar fits; positions must follow one another without
//!    a gap through all segments, so one that got lost is noticed.

mod replay;
mod sealed;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{Semaphore, watch};

use self::replay::check_gaps;
use crate::catalog::{Active, Catalog};
use crate::control::{ChannelState, Commit, Head};
use crate::error::{Damage, OpenError};
use crate::file::{Access, File, LockGuard, read_full_at, write_all_at};
use crate::frame;
use crate::index::{Index, low};
use crate::keeper::{CHUNK, Keeper, prepare};
use crate::options::{FIRST_SEGMENT, Options, Planted};
use crate::scan::{Scan, ScanError, Scanned, Tail};
use crate::segment::{Cache, Segment, read_summary, segment_id, segment_path, write_sidecar};
use crate::stage::{Core, Stage};
use crate::types::{Cut, Recovered};
use crate::writer::{Target, Writer, next_capacity};

/// An opened log, its writer not yet running.
pub(crate) struct Opened {
    pub(crate) core: Arc<Core>,
    pub(crate) writer: Writer,
    pub(crate) recovered: Recovered,
    pub(crate) guard: Box<dyn LockGuard>,
}

/// A written segment that was read in full.
struct Last {
    id: u64,
    path: PathBuf,
    file: Arc<dyn File>,
    scanned: Scanned,
    head: Head,
}

/// What accumulates while a log is opened.
struct Opening<'a> {
    options: &'a Options,
    recovered: Recovered,
    cells: BTreeMap<Arc<str>, Bytes>,
}

/// Opens the log in a folder, creating it if there is none.
pub(crate) fn open(options: Options) -> Result<Opened, OpenError> {
    options.check()?;
    let (files, dir) = (options.files.clone(), options.dir.clone());
    files.create_dir(&dir).map_err(OpenError::io("create the folder", &dir))?;
    let guard = files.lock(&dir.join("LOCK")).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked { dir: dir.clone() },
        _ => OpenError::io("take the lock", &dir)(error),
    })?;
    let recovered = Recovered::default();
    let mut opening = Opening { options: &options, recovered, cells: BTreeMap::new() };
    let mut ids = opening.segments()?;
    let (catalog, target, head) = match opening.last(&mut ids)? {
        Some(last) => opening.resume(&ids, last)?,
        None => opening.begin()?,
    };
    let Opening { mut recovered, cells, .. } = opening;
    recovered.epoch = head.epoch;
    recovered.segments = catalog.sealed.len() + 1;
    recovered.channels = catalog.channels().count();
    catalog.notify_all();
    let core = Arc::new(core(options, catalog, cells, &head));
    let keeper = Keeper::spawn(&core.options).map_err(OpenError::io("start a thread", &dir))?;
    let writer = Writer::new(core.clone(), keeper, target);
    Ok(Opened { core, writer, recovered, guard })
}

fn core(options: Options, catalog: Catalog, cells: BTreeMap<Arc<str>, Bytes>, head: &Head) -> Core {
    let names: u64 = catalog.channels().map(|(_, c)| c.name.len() as u64 + 24).sum();
    let values: u64 = cells.iter().map(|(name, v)| (name.len() + v.len()) as u64 + 8).sum();
    let stage = Stage {
        next: catalog.channels().map(|(_, channel)| channel.last + 1).collect(),
        cells,
        snapshot: names + values,
        ..Stage::default()
    };
    Core {
        epoch: head.epoch,
        salt: head.salt,
        stage: Mutex::new(stage),
        work: Condvar::new(),
        staged: AtomicUsize::new(0),
        catalog: RwLock::new(catalog),
        room: Arc::new(Semaphore::new(options.queue)),
        cache: Cache::default(),
        watermark: watch::Sender::new(0),
        writes: AtomicBool::new(true),
        retention: Mutex::new(()),
        options,
    }
}

// === impl Opening ===

impl Opening<'_> {
    /// The numbers of all segments, in order. Half-written replacements go.
    fn segments(&self) -> Result<Vec<u64>, OpenError> {
        let dir = &self.options.dir;
        let names = self.options.files.list(dir).map_err(OpenError::io("list files", dir))?;
        for name in names.iter().filter(|name| name.ends_with(".tmp")) {
            self.remove(&dir.join(name))?;
        }
        let mut ids: Vec<_> = names.iter().filter_map(|name| segment_id(name)).collect();
        ids.sort_unstable();
        if ids.is_empty()
            && let Some(index) = names.iter().find(|name| name.ends_with(".idx"))
        {
            return Err(Damage::at(dir.join(index), 0, "its segment is missing").into());
        }
        Ok(ids)
    }

    /// The last written segment; those after it go (rule 7).
    fn last(&mut self, ids: &mut Vec<u64>) -> Result<Option<Last>, OpenError> {
        while let Some(id) = ids.pop() {
            let path = segment_path(&self.options.dir, id);
            let file = self.open_file(&path, Access::Write)?;
            let mut scanned = self.scan(&path, &*file, None)?;
            let sealed = read_summary(&*self.options.files, &path);
            if let Some(head) = scanned.head.take() {
                let head_crc = head_crc(&*file).map_err(OpenError::io("read", &path))?;
                if sealed.is_some_and(|summary| summary.head_crc == head_crc) {
                    let lost = segment_path(&self.options.dir, id + 1);
                    return Err(Damage::at(lost, 0, "the segment is missing").into());
                }
                return Ok(Some(Last { id, path, file, scanned, head }));
            }
            if sealed.is_some() {
                return Err(Damage::at(path, 0, "the segment was written, and is empty").into());
            }
            self.remove(&path)?;
            self.recovered.unwritten += 1;
        }
        Ok(None)
    }

    /// A log that is empty: its first segment.
    fn begin(&self) -> Result<(Catalog, Target, Head), OpenError> {
        let salt = low(RandomState::new().build_hasher().finish() >> 32);
        let epoch = self.options.epoch_above.unwrap_or(0) + 1;
        let head = Head { id: 1, through: 1, epoch, salt, sequence: 1, ..Head::default() };
        let capacity = FIRST_SEGMENT.min(self.options.segment_bytes);
        let target = self.start(&head, capacity)?;
        Ok((Catalog::new(active(&target, Index::default())), target, head))
    }

    /// A log with records.
    fn resume(&mut self, ids: &[u64], last: Last) -> Result<(Catalog, Target, Head), OpenError> {
        let index = self.index(&last.path, &last.scanned)?;
        let mut head = last.head;
        let (path, file, scanned) = (last.path, last.file, last.scanned);
        self.rewrite_last_group(&path, &*file, &scanned)?;
        let target = Target {
            id: last.id,
            path: path.clone(),
            file: file.clone(),
            end: scanned.end,
            capacity: scanned.len,
            sequence: scanned.sequence,
            head_crc: head_crc(&*file).map_err(OpenError::io("read", &path))?,
        };
        let mut catalog = Catalog::new(active(&target, Index::default()));
        self.replay(&mut catalog, &head, &path, &scanned)?;
        for segment in self.sealed(ids, &head)? {
            catalog.attach(&segment);
        }
        check_gaps(&catalog, &index, &path)?;
        catalog.active.index = index;
        if scanned.tail == Tail::Torn {
            self.recovered.cut = Some(Cut { path, offset: scanned.end });
        } else if self.options.epoch_above.is_none() {
            return Ok((catalog, target, head));
        }
        head.epoch = head.epoch.max(self.options.epoch_above.unwrap_or(0)) + 1;
        let target = self.cut(&mut catalog, target, &head)?;
        Ok((catalog, target, head))
    }

    /// Begins a new segment behind an unfinished tail, then takes the tail away.
    fn cut(&self, catalog: &mut Catalog, last: Target, head: &Head) -> Result<Target, OpenError> {
        let channels = catalog.channels().map(|(_, channel)| ChannelState {
            name: channel.name.clone(),
            last: channel.last,
            floor: channel.floor,
        });
        let next = Head {
            id: last.id + 1,
            through: last.id + 1,
            generation: 0,
            epoch: head.epoch,
            salt: head.salt,
            sequence: last.sequence + 1,
            previous: (last.id, last.end),
            channels: channels.collect(),
            cells: self.cells.clone().into_iter().collect(),
        };
        let capacity = next_capacity(last.capacity, self.options.segment_bytes);
        let target = self.start(&next, capacity)?;
        let cut = last.file.set_len(last.end).and_then(|()| last.file.sync_all());
        cut.map_err(OpenError::io("cut the tail", &last.path))?;
        let index = std::mem::take(&mut catalog.active.index);
        let segment = Segment::new(
            last.path,
            (last.id, last.id),
            (last.end, last.sequence),
            last.head_crc,
            index.runs().copied().collect(),
        );
        let _ = write_sidecar(&*self.options.files, &segment, &index);
        catalog.seal(Arc::new(segment), active(&target, Index::default()));
        Ok(target)
    }

    /// Creates a segment that holds nothing but its head, synced.
    fn start(&self, head: &Head, capacity: u64) -> Result<Target, OpenError> {
        let mut bytes = Vec::new();
        head.push(&mut bytes);
        let head_crc = frame::u32_at(&bytes, 28);
        Commit::of(&bytes, head.sequence, 0, head.salt).push(&mut bytes);
        let end = bytes.len() as u64;
        let path = segment_path(&self.options.dir, head.id);
        let io = || OpenError::io("create a segment", &path);
        let made = prepare(self.options, head.id, capacity.max(end), CHUNK).map_err(io())?;
        write_all_at(&*made.file, &bytes, 0).map_err(io())?;
        made.file.sync_data().map_err(io())?;
        Ok(Target {
            id: head.id,
            path: path.clone(),
            file: made.file,
            end,
            capacity: made.capacity,
            sequence: head.sequence,
            head_crc,
        })
    }

    fn rewrite_last_group(
        &self,
        path: &Path,
        file: &dyn File,
        scanned: &Scanned,
    ) -> Result<(), OpenError> {
        let len = usize::try_from(scanned.end - scanned.last_group).unwrap_or(0);
        let mut bytes = vec![0; len];
        read_full_at(file, &mut bytes, scanned.last_group)
            .and_then(|_| write_all_at(file, &bytes, scanned.last_group))
            .and_then(|()| file.sync_data())
            .map_err(OpenError::io("sync the last group again", path))
    }

    fn scan(&self, path: &Path, file: &dyn File, end: Option<u64>) -> Result<Scanned, OpenError> {
        let adopt_orphans = self.options.planted == Planted::AdoptOrphans;
        Scan { file, path, end, adopt_orphans }.run().map_err(|error| match error {
            ScanError::Io(source) => OpenError::io("read", path)(source),
            ScanError::Damage(damage) => damage.into(),
            ScanError::Newer(found) => newer(path, found),
        })
    }

    fn index(&self, path: &Path, scanned: &Scanned) -> Result<Index, OpenError> {
        Index::of(scanned).map_err(|offset| {
            Damage::at(path, offset, "the positions of a channel have a gap").into()
        })
    }

    fn open_file(&self, path: &Path, access: Access) -> Result<Arc<dyn File>, OpenError> {
        self.options.files.open(path, access).map_err(OpenError::io("open", path))
    }

    fn remove(&self, path: &Path) -> Result<(), OpenError> {
        self.options.files.remove(path).map_err(OpenError::io("remove", path))
    }
}

fn active(target: &Target, index: Index) -> Active {
    Active {
        id: target.id,
        path: target.path.clone(),
        file: target.file.clone(),
        end: target.end,
        index,
    }
}

fn head_crc(file: &dyn File) -> io::Result<u32> {
    let mut bytes = [0; frame::HEADER];
    read_full_at(file, &mut bytes, 0)?;
    Ok(frame::u32_at(&bytes, 28))
}

fn newer(path: &Path, found: u16) -> OpenError {
    OpenError::Newer { path: path.to_owned(), found, known: crate::control::FORMAT }
}
