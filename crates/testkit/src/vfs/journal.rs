//! What was written and not synced, and what of it a power cut leaves: the safe half of the layer.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use switchboard_core::Rng;

/// Disks keep or lose whole sectors.
const SECTOR: u64 = SECTOR_BYTES as u64;
const SECTOR_BYTES: usize = 512;

/// The state of the disk, shared by all its open files.
#[derive(Debug)]
pub(super) struct Disk(Mutex<State>);

#[derive(Debug)]
struct State {
    rng: Rng,
    crashed: bool,
    open_files: usize,
    files: HashMap<PathBuf, Unsynced>,
    syncs: u64,
    syncs_until_failure: Option<u64>,
    bytes_left: Option<u64>,
    accesses_until_crash: Option<u64>,
}

/// What the disk really holds of a file where the operating system says something else.
#[derive(Debug, Default)]
struct Unsynced {
    /// What stands on the disk in each sector that was written since.
    sectors: BTreeMap<u64, Sector>,
    /// How long the file is on the disk, if that is not how long it seems.
    length: Option<u64>,
    /// The file was made and never synced: it may vanish whole.
    is_new: bool,
    /// How many syncs have failed on it.
    failures: u64,
}

#[derive(Debug)]
struct Sector {
    /// Shorter than a sector where the file ends.
    durable: Vec<u8>,
    /// A sync failed: the kernel took the page for clean, and no later sync will write it unless
    /// it is written again.
    is_doomed: bool,
}

/// Why an access fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Crashed,
    Full,
    Sync,
}

// === impl Disk ===

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(State {
            rng: Rng::from_seed(seed),
            crashed: false,
            open_files: 0,
            files: HashMap::new(),
            syncs: 0,
            syncs_until_failure: None,
            bytes_left: None,
            accesses_until_crash: None,
        }))
    }

    pub(super) fn crash(&self) {
        self.0.lock().crashed = true;
    }

    pub(super) fn crash_after(&self, accesses: u64) {
        self.0.lock().accesses_until_crash = Some(accesses);
    }

    pub(super) fn has_crashed(&self) -> bool {
        self.0.lock().crashed
    }

    pub(super) fn fail_sync_after(&self, syncs: u64) {
        self.0.lock().syncs_until_failure = Some(syncs);
    }

    pub(super) fn fill_after(&self, bytes: Option<u64>) {
        self.0.lock().bytes_left = bytes;
    }

    pub(super) fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// Whether files can be used at all.
    pub(super) fn alive(&self) -> Result<(), Fault> {
        if self.0.lock().crashed { Err(Fault::Crashed) } else { Ok(()) }
    }

    /// A file was opened; answers how many of its syncs had failed before.
    pub(super) fn opened(&self, path: Option<&Path>, is_new: bool) -> u64 {
        let mut state = self.0.lock();
        state.open_files += 1;
        if let Some(path) = path
            && is_new
        {
            state.files.insert(path.to_owned(), Unsynced { is_new: true, ..Unsynced::default() });
        }
        path.and_then(|path| state.files.get(path)).map_or(0, |file| file.failures)
    }

    pub(super) fn closed(&self) {
        self.0.lock().open_files -= 1;
    }

    pub(super) fn deleted(&self, path: &Path) {
        self.0.lock().files.remove(path);
    }

    /// A write of so many bytes is about to happen, in a file of `length` bytes. `old` reads what
    /// stands there, up to the end of the file.
    pub(super) fn writing(
        &self,
        path: &Path,
        at: u64,
        bytes: u64,
        length: u64,
        old: impl FnOnce(u64, u64) -> Vec<u8>,
    ) -> Result<(), Fault> {
        let mut state = self.0.lock();
        state.step()?;
        let grows = (at + bytes).saturating_sub(length);
        if let Some(left) = state.bytes_left {
            // Overwriting needs no room; only a file that grows does.
            let Some(rest) = left.checked_sub(grows) else { return Err(Fault::Full) };
            state.bytes_left = Some(rest);
        }
        let file = state.files.entry(path.to_owned()).or_default();
        if grows > 0 {
            file.length.get_or_insert(length);
        }
        file.remember(at, at + bytes, old);
        Ok(())
    }

    /// A truncation is about to happen.
    pub(super) fn truncating(
        &self,
        path: &Path,
        to: u64,
        length: u64,
        old: impl FnOnce(u64, u64) -> Vec<u8>,
    ) {
        let mut state = self.0.lock();
        let file = state.files.entry(path.to_owned()).or_default();
        file.length.get_or_insert(length);
        file.remember(to, length, old);
    }

    /// A sync is about to happen. On success the file is safe, but for what an earlier sync has
    /// failed to write. A failure is told once to everybody who has the file open, as on Linux:
    /// `told` counts those that this handle knows of.
    pub(super) fn syncing(&self, path: &Path, told: &AtomicU64) -> Result<(), Fault> {
        let mut state = self.0.lock();
        state.step()?;
        let fails = match &mut state.syncs_until_failure {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        if fails {
            state.syncs_until_failure = None;
            let file = state.files.entry(path.to_owned()).or_default();
            file.sectors.values_mut().for_each(|sector| sector.is_doomed = true);
            file.failures += 1;
        }
        if let Some(file) = state.files.get_mut(path) {
            if told.swap(file.failures, Ordering::Relaxed) < file.failures {
                return Err(Fault::Sync);
            }
            file.sectors.retain(|_, sector| sector.is_doomed);
            (file.length, file.is_new) = (None, false);
        }
        state.syncs += 1;
        Ok(())
    }

    pub(super) fn settle(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.open_files > 0 {
            return Err(io::Error::other(format!("{} files are still open", state.open_files)));
        }
        let files = std::mem::take(&mut state.files);
        for (path, unsynced) in files {
            unsynced.settle(&path, &mut state.rng)?;
            // The index of the write-ahead log lives in shared memory, which a power cut empties.
            let mut index = path.into_os_string();
            index.push("-shm");
            let _absent_is_fine = fs::remove_file(index);
        }
        state.crashed = false;
        state.syncs_until_failure = None;
        state.accesses_until_crash = None;
        Ok(())
    }
}

// === impl State ===

impl State {
    /// Comes one write or sync nearer to the crash, if one is due.
    fn step(&mut self) -> Result<(), Fault> {
        match &mut self.accesses_until_crash {
            Some(0) => {
                self.crashed = true;
                Err(Fault::Crashed)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

// === impl Unsynced ===

impl Unsynced {
    /// Keeps what the disk holds between two places, before it is written over.
    fn remember(&mut self, from: u64, to: u64, old: impl FnOnce(u64, u64) -> Vec<u8>) {
        let (first, last) = (from / SECTOR, to.div_ceil(SECTOR));
        let bytes = old(first * SECTOR, (last - first) * SECTOR);
        let mut chunks = bytes.chunks(SECTOR_BYTES);
        for number in first..last {
            let durable = chunks.next().unwrap_or_default();
            let sector = self
                .sectors
                .entry(number)
                .or_insert_with(|| Sector { durable: durable.to_vec(), is_doomed: false });
            sector.is_doomed = false;
        }
    }

    /// Lets chance decide which sectors had reached the disk.
    fn settle(self, path: &Path, rng: &mut Rng) -> io::Result<()> {
        if self.is_new && rng.below(2) == 0 {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let Ok(file) = File::options().read(true).write(true).open(path) else { return Ok(()) };
        // Sometimes nothing survives, sometimes nearly everything, sometimes half.
        let odds = rng.below(5);
        let mut longest = 0;
        let mut lost = Vec::new();
        for (number, sector) in self.sectors {
            if !sector.is_doomed && rng.below(4) < odds {
                longest = (number + 1) * SECTOR;
            } else {
                lost.push((number * SECTOR, sector.durable));
            }
        }
        let present = file.metadata()?.len();
        let length = match self.length {
            // A sector that has survived behind the end takes the length with it.
            Some(durable) if longest > durable || rng.below(4) < odds => present,
            Some(durable) => durable,
            None => present,
        };
        for (at, mut bytes) in lost {
            bytes.resize(SECTOR_BYTES, 0);
            file.write_all_at(&bytes, at)?;
        }
        file.set_len(length)
    }
}
