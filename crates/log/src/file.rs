//! Everything the log asks of a file system, as two small traits, so that tests can crash it.
//!
//! [`OsFiles`] is the operating system: positioned reads and writes (`pread`, `pwrite`), never a
//! memory map, because a map turns a failed disk or a truncated file into a signal that kills the
//! process. The fault layer in `switchboard-testkit` is the other implementation.

mod os;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use os::OsFiles;

/// A file system, or one that pretends.
///
/// 1. What `sync_data` or `sync_all` answered with `Ok` MUST survive a crash of the machine.
/// 2. A created, renamed or removed name is durable only after `sync_dir` of its folder.
/// 3. `rename` MUST be atomic: after a crash there is the old name or the new one.
/// 4. `lock` MUST refuse a second holder, in another process and in this one.
pub trait FileLayer: Send + Sync + fmt::Debug {
    /// Creates a folder and its parents; succeeds when it exists.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// The names in a folder, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, over whatever had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes a lock until the guard is dropped. `WouldBlock` when somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>>;
}

/// An open file. Every operation says where; there is no cursor.
pub trait File: Send + Sync + fmt::Debug {
    /// Reads at most `buffer.len()` bytes; fewer at the end of the file, and 0 behind it.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at least one byte of `data` and says how many.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes the bytes durable, and the length if it grew.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes the bytes and everything about the file durable.
    fn sync_all(&self) -> io::Result<()>;

    /// Reserves room for this many bytes; the file is at least that long afterwards.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is not a single byte.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

/// Holds a lock until it is dropped.
pub trait LockGuard: Send + Sync + fmt::Debug {}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To read; the file exists.
    Read,
    /// To read and write; the file exists.
    Write,
    /// To read and write; an existing file is emptied.
    Create,
}

/// Writes all of `data`, however few bytes each call takes.
pub(crate) fn write_all_at(file: &dyn File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    while !data.is_empty() {
        let written = file.write_at(data, offset)?;
        if written == 0 || written > data.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        data = &data[written..];
        offset += written as u64;
    }
    Ok(())
}

/// Fills as much of `buffer` as the file holds, and says how much that is.
pub(crate) fn read_full_at(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
