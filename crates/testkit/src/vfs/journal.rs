//! What was written and not synced, and what of it a power cut leaves: the safe half of the layer.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use switchboard_core::Rng;

/// Disks keep or lose whole sectors.
const SECTOR: usize = 512;

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
}

/// What happened to a file since its last sync.
#[derive(Debug, Default)]
struct Unsynced {
    changes: Vec<Change>,
    /// The file was made and never synced: it may vanish whole.
    is_new: bool,
    /// A sync failed: the kernel took the pages for clean, and no later sync will write them.
    is_doomed: bool,
}

/// One change, with what it takes to undo it.
#[derive(Debug)]
struct Change {
    at: u64,
    /// What stood there; shorter than `new` where the file ended. For a truncation, its lost tail.
    old: Vec<u8>,
    old_length: u64,
    /// What was written; empty for a truncation to `at`.
    new: Vec<u8>,
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
        }))
    }

    pub(super) fn crash(&self) {
        self.0.lock().crashed = true;
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

    pub(super) fn opened(&self, path: Option<&Path>, is_new: bool) {
        let mut state = self.0.lock();
        state.open_files += 1;
        if let Some(path) = path
            && is_new
        {
            state.files.insert(path.to_owned(), Unsynced { is_new: true, ..Unsynced::default() });
        }
    }

    pub(super) fn closed(&self) {
        self.0.lock().open_files -= 1;
    }

    pub(super) fn deleted(&self, path: &Path) {
        self.0.lock().files.remove(path);
    }

    /// A write is about to happen: `old` stood there in a file of `old_length` bytes.
    pub(super) fn writing(
        &self,
        path: &Path,
        at: u64,
        old: Vec<u8>,
        old_length: u64,
        new: &[u8],
    ) -> Result<(), Fault> {
        let mut state = self.0.lock();
        if let Some(left) = state.bytes_left {
            // Overwriting needs no room; only a file that grows does.
            let grows = (at + new.len() as u64).saturating_sub(old_length);
            let Some(rest) = left.checked_sub(grows) else { return Err(Fault::Full) };
            state.bytes_left = Some(rest);
        }
        let change = Change { at, old, old_length, new: new.to_vec() };
        state.files.entry(path.to_owned()).or_default().changes.push(change);
        Ok(())
    }

    /// A truncation is about to happen, which cuts off `tail`.
    pub(super) fn truncating(&self, path: &Path, to: u64, tail: Vec<u8>, old_length: u64) {
        let change = Change { at: to, old: tail, old_length, new: Vec::new() };
        self.0.lock().files.entry(path.to_owned()).or_default().changes.push(change);
    }

    /// A sync is about to happen. On success the file's changes are safe, unless an earlier sync
    /// failed on it.
    pub(super) fn syncing(&self, path: &Path) -> Result<(), Fault> {
        let mut state = self.0.lock();
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
            state.files.entry(path.to_owned()).or_default().is_doomed = true;
            return Err(Fault::Sync);
        }
        state.syncs += 1;
        if state.files.get(path).is_some_and(|file| !file.is_doomed) {
            state.files.remove(path);
        }
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
        Ok(())
    }
}

// === impl Unsynced ===

impl Unsynced {
    /// Takes everything back, then lets chance keep some sectors of each change.
    fn settle(self, path: &Path, rng: &mut Rng) -> io::Result<()> {
        if self.is_new && rng.below(2) == 0 {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let Ok(file) = File::options().read(true).write(true).open(path) else { return Ok(()) };
        for change in self.changes.iter().rev() {
            file.write_all_at(&change.old, change.at)?;
            file.set_len(change.old_length)?;
        }
        // Sometimes nothing survives, sometimes nearly everything, sometimes half.
        let odds = [0, 1, 2, 3, 4][usize::try_from(rng.below(5)).unwrap_or(0)];
        for change in &self.changes {
            let keeps = |rng: &mut Rng| rng.below(4) < odds;
            if change.new.is_empty() {
                if keeps(rng) {
                    file.set_len(change.at)?;
                }
                continue;
            }
            for (number, sector) in change.new.chunks(SECTOR).enumerate() {
                if keeps(rng) {
                    file.write_all_at(sector, change.at + (number * SECTOR) as u64)?;
                }
            }
        }
        Ok(())
    }
}
