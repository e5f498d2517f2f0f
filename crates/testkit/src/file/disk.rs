//! The pretended disk: what is in the cache, what is on the platter, and what a power cut leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use switchboard_core::Rng;

/// Bytes that are written or lost together.
const SECTOR: usize = 512;

/// Everything behind the file layer.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) rng: Rng,
    /// Counts power cuts; a file that was opened before the last one is dead.
    pub(super) boot: u64,
    pub(super) power: bool,
    pub(super) inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    /// Names as programs see them.
    pub(super) names: BTreeMap<PathBuf, u64>,
    /// Names that would be there after a power cut.
    durable: BTreeMap<PathBuf, u64>,
    /// Changes of names since the last sync of their folder, oldest first.
    changes: Vec<Change>,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) faults: Faults,
    /// Operations that change something, since the beginning.
    pub(super) operations: u64,
}

/// What goes wrong next. Countdowns: 1 is the very next one.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) cut_power: Option<u64>,
    pub(super) fail_sync: Option<u64>,
    pub(super) fail_write: Option<u64>,
    pub(super) fail_read: Option<u64>,
    pub(super) short: bool,
    pub(super) capacity: Option<u64>,
}

/// A file's bytes.
#[derive(Debug, Default)]
pub(super) struct Inode {
    /// As programs see them.
    pub(super) cached: Vec<u8>,
    durable: Vec<u8>,
    /// The shortest that the file was since the last sync.
    least: Option<usize>,
    /// The contents that each un-synced sector had after each write to it.
    dirty: BTreeMap<usize, Vec<Vec<u8>>>,
}

#[derive(Clone, Debug)]
enum Change {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

// === impl Disk ===

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::from_seed(seed),
            boot: 0,
            power: true,
            inodes: BTreeMap::new(),
            next_inode: 1,
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            changes: Vec::new(),
            locks: BTreeSet::new(),
            faults: Faults::default(),
            operations: 0,
        }
    }

    /// Whether a program that was started in this boot can do anything.
    pub(super) fn check(&self, boot: u64) -> io::Result<()> {
        if self.power && self.boot == boot {
            return Ok(());
        }
        Err(io::Error::other("the power is cut"))
    }

    /// Counts a change, and cuts the power when its time has come.
    pub(super) fn change(&mut self, boot: u64) -> io::Result<()> {
        self.check(boot)?;
        self.operations += 1;
        if due(&mut self.faults.cut_power) {
            self.power = false;
        }
        self.check(boot)
    }

    pub(super) fn inode(&mut self, id: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn link(&mut self, path: &Path) -> u64 {
        let id = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(id, Inode::default());
        self.names.insert(path.to_owned(), id);
        self.changes.push(Change::Link(path.to_owned(), id));
        id
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        self.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        self.changes.push(Change::Unlink(path.to_owned()));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.names.insert(to.to_owned(), id);
        self.changes.push(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    pub(super) fn sync_names(&mut self, dir: &Path) {
        let (synced, kept) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition(|change: &Change| change.path().parent() == Some(dir));
        self.changes = kept;
        self.persist(synced);
    }

    fn persist(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Link(path, id) => {
                    self.durable.insert(path, id);
                }
                Change::Unlink(path) => {
                    self.durable.remove(&path);
                }
                Change::Rename(from, to) => {
                    if let Some(id) = self.durable.remove(&from) {
                        self.durable.insert(to, id);
                    }
                }
            }
        }
    }

    /// Bytes of all files that have a name.
    pub(super) fn used(&self) -> u64 {
        self.names
            .values()
            .filter_map(|id| self.inodes.get(id))
            .map(|i| i.cached.len() as u64)
            .sum()
    }

    /// Whether files may grow by so much.
    pub(super) fn room(&self, more: u64) -> io::Result<()> {
        match self.faults.capacity {
            Some(capacity) if self.used() + more > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    /// Cuts the power and starts again with what was durable and what chance left of the rest.
    pub(super) fn crash(&mut self) {
        // Names go through a journal: some first part of the changes made it.
        let made_it = self.rng.below(self.changes.len() as u64 + 1) as usize;
        let changes = self.changes.drain(..).take(made_it).collect();
        self.persist(changes);
        self.names = self.durable.clone();
        let named: BTreeSet<_> = self.names.values().copied().collect();
        self.inodes.retain(|id, _| named.contains(id));
        for inode in self.inodes.values_mut() {
            inode.crash(&mut self.rng);
        }
        self.locks.clear();
        self.faults = Faults::default();
        self.boot += 1;
        self.power = true;
    }
}

/// Counts down, and says when it is time.
pub(super) fn due(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0 | 1) => {
            *countdown = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

// === impl Inode ===

impl Inode {
    pub(super) fn write(&mut self, data: &[u8], offset: usize) {
        let end = offset + data.len();
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        self.cached[offset..end].copy_from_slice(data);
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(self.cached.len());
            self.dirty.entry(sector).or_default().push(self.cached[from..to].to_vec());
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.cached.resize(len, 0);
        self.least = Some(self.least.map_or(len, |least| least.min(len)));
        self.dirty.retain(|sector, _| sector * SECTOR < len);
    }

    pub(super) fn sync(&mut self) {
        if let Some(least) = self.least.take() {
            self.durable.truncate(least);
        }
        self.durable.resize(self.cached.len(), 0);
        for sector in std::mem::take(&mut self.dirty).into_keys() {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(self.cached.len());
            self.durable[from..to].copy_from_slice(&self.cached[from..to]);
        }
    }

    /// A sync that fails as on Linux: some sectors are on disk, the rest only look as if.
    pub(super) fn sync_fails(&mut self, rng: &mut Rng) {
        let cached = std::mem::take(&mut self.cached);
        self.settle(cached.len(), rng);
        self.cached = cached;
    }

    fn crash(&mut self, rng: &mut Rng) {
        // A length that was not synced may be the old one, the new one, or somewhere between.
        let (old, new) = (self.durable.len(), self.cached.len());
        let len = match rng.below(3) {
            0 => old,
            1 => new,
            _ => {
                old.min(new) + rng.below((old.abs_diff(new) / SECTOR + 1) as u64) as usize * SECTOR
            }
        };
        self.settle(len, rng);
        self.cached = self.durable.clone();
    }

    /// Leaves each dirty sector as it was after some of the writes to it, perhaps none.
    fn settle(&mut self, len: usize, rng: &mut Rng) {
        self.durable.resize(len, 0);
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            let kept = rng.below(versions.len() as u64 + 1) as usize;
            let Some(version) = kept.checked_sub(1).and_then(|index| versions.get(index)) else {
                continue;
            };
            let from = sector * SECTOR;
            let to = (from + version.len()).min(len);
            if from < to {
                self.durable[from..to].copy_from_slice(&version[..to - from]);
            }
        }
    }
}

// === impl Change ===

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::Link(path, _) | Self::Unlink(path) | Self::Rename(_, path) => path,
        }
    }
}
