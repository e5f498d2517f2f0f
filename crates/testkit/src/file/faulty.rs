//! The file layer over the pretended disk, and the switches for its faults.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use switchboard_log::file::{Access, File, FileLayer, LockGuard};

use super::disk::{Disk, due};

/// A file system in memory that fails on demand and forgets what was not synced.
///
/// Chance comes from the seed. Threads that race for the disk still make runs differ.
#[derive(Clone, Debug)]
pub struct FaultyFiles {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug)]
struct FaultyFile {
    disk: Arc<Mutex<Disk>>,
    inode: u64,
    boot: u64,
}

#[derive(Debug)]
struct FaultyLock {
    disk: Arc<Mutex<Disk>>,
    path: PathBuf,
    boot: u64,
}

// === impl FaultyFiles ===

impl FaultyFiles {
    /// An empty disk without faults.
    pub fn new(seed: u64) -> Self {
        Self { disk: Arc::new(Mutex::new(Disk::new(seed))) }
    }

    /// Cuts the power and starts again. Synced bytes and names are there; of the rest, each sector
    /// is as it was after some write or none, and the newest names may be missing. Open files are
    /// dead, locks are free, all faults are over.
    pub fn crash(&self) {
        self.disk.lock().crash();
    }

    /// Cuts the power at the nth change from now; everything fails until `crash`.
    pub fn cut_power_at(&self, nth: u64) {
        self.disk.lock().faults.cut_power = Some(nth);
    }

    /// Whether the power is on: a planned cut has not come, or `crash` followed it.
    pub fn has_power(&self) -> bool {
        self.disk.lock().power
    }

    /// The nth sync of a file from now fails, and its un-synced bytes are no longer waiting to be
    /// written, though they can still be read.
    pub fn fail_sync_at(&self, nth: u64) {
        self.disk.lock().faults.fail_sync = Some(nth);
    }

    /// The nth write from now fails after a part of it.
    pub fn fail_write_at(&self, nth: u64) {
        self.disk.lock().faults.fail_write = Some(nth);
    }

    /// The nth read from now fails.
    pub fn fail_read_at(&self, nth: u64) {
        self.disk.lock().faults.fail_read = Some(nth);
    }

    /// From now on reads and writes may do less than they are asked to.
    pub fn set_short(&self, short: bool) {
        self.disk.lock().faults.short = short;
    }

    /// The disk is full when its files would take more than this beyond what they take now.
    pub fn set_room(&self, more: Option<u64>) {
        let mut disk = self.disk.lock();
        let used = disk.used();
        disk.faults.capacity = more.map(|more| used + more);
    }

    /// Changes made so far: what `cut_power_at` counts.
    pub fn changes(&self) -> u64 {
        self.disk.lock().operations
    }

    /// A file's bytes; `None` when there is no such file.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let disk = self.disk.lock();
        let inode = disk.names.get(path)?;
        disk.inodes.get(inode).map(|inode| inode.cached.clone())
    }

    /// Puts a file there, synced, as if it had always been so. For planting damage.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut disk = self.disk.lock();
        let id = match disk.names.get(path) {
            Some(id) => *id,
            None => disk.link(path),
        };
        if let Some(dir) = path.parent() {
            disk.sync_names(dir);
        }
        if let Ok(inode) = disk.inode(id) {
            inode.set_len(0);
            inode.write(bytes, 0);
            inode.sync();
        }
    }

    /// All names with their files' lengths.
    pub fn names(&self) -> Vec<(PathBuf, usize)> {
        let disk = self.disk.lock();
        let len = |id: &u64| disk.inodes.get(id).map_or(0, |inode| inode.cached.len());
        disk.names.iter().map(|(path, id)| (path.clone(), len(id))).collect()
    }

    fn change(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.disk.lock();
        let boot = disk.boot;
        disk.change(boot)?;
        Ok(disk)
    }

    fn look(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk.lock();
        disk.check(disk.boot)?;
        Ok(disk)
    }
}

impl FileLayer for FaultyFiles {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.look().map(drop)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.look()?;
        let names = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let mut disk = if access == Access::Create { self.change()? } else { self.look()? };
        let inode = match (disk.names.get(path).copied(), access) {
            (Some(inode), Access::Create) => {
                disk.inode(inode)?.set_len(0);
                inode
            }
            (Some(inode), _) => inode,
            (None, Access::Create) => disk.link(path),
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(FaultyFile { disk: self.disk.clone(), inode, boot: disk.boot }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?.unlink(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change()?.sync_names(dir);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        let mut disk = self.look()?;
        if !disk.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (path, boot) = (path.to_owned(), disk.boot);
        Ok(Box::new(FaultyLock { disk: self.disk.clone(), path, boot }))
    }
}

// === impl FaultyFile ===

impl FaultyFile {
    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.change(self.boot)?;
        if due(&mut disk.faults.fail_sync) {
            let mut rng = disk.rng.fork();
            disk.inode(self.inode)?.sync_fails(&mut rng);
            return Err(io::Error::other("a planted sync error"));
        }
        disk.inode(self.inode)?.sync();
        Ok(())
    }
}

impl File for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.lock();
        disk.check(self.boot)?;
        if due(&mut disk.faults.fail_read) {
            return Err(io::Error::other("a planted read error"));
        }
        let most = match buffer.len() {
            len if disk.faults.short && len > 1 => 1 + disk.rng.below(len as u64) as usize,
            len => len,
        };
        let inode = disk.inode(self.inode)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(inode.cached.len());
        let count = most.min(buffer.len()).min(inode.cached.len() - from);
        buffer[..count].copy_from_slice(&inode.cached[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.lock();
        let powered = disk.check(self.boot).is_ok();
        let cut = disk.change(self.boot);
        let fails = cut.is_err() || due(&mut disk.faults.fail_write);
        let most = match data.len() {
            len if len > 1 && (fails || disk.faults.short) => {
                1 + disk.rng.below(len as u64) as usize
            }
            len => len,
        };
        let count = most.min(data.len());
        let end = offset + count as u64;
        let len = disk.inode(self.inode).map_or(0, |inode| inode.cached.len() as u64);
        disk.room(end.saturating_sub(len))?;
        if powered {
            // What is interrupted may have done a part of its work.
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            disk.inode(self.inode)?.write(&data[..count], offset);
        }
        cut?;
        if fails {
            return Err(io::Error::other("a planted write error"));
        }
        Ok(count)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let now = self.len()?;
        if len > now { self.set_len(len) } else { Ok(()) }
    }

    fn len(&self) -> io::Result<u64> {
        let mut disk = self.disk.lock();
        disk.check(self.boot)?;
        Ok(disk.inode(self.inode)?.cached.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.change(self.boot)?;
        let now = disk.inode(self.inode)?.cached.len() as u64;
        disk.room(len.saturating_sub(now))?;
        disk.inode(self.inode)?.set_len(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(())
    }
}

// === impl FaultyLock ===

impl LockGuard for FaultyLock {}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        let mut disk = self.disk.lock();
        if disk.boot == self.boot {
            disk.locks.remove(&self.path);
        }
    }
}
