//! The data folder: made for its owner only, held by one process, and never deleted by mistake.
//!
//! A folder is ours when it holds the file `switchboard-data`. Only such a folder, or an empty one, is used or emptied, so a slip of the
//! pen (`--data ~ --fresh`) costs nothing.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Says that a folder is ours, and in which layout.
const MARKER: &str = "switchboard-data";
/// The layout of the folder that this program writes.
const LAYOUT: &str = "1";
/// Whoever runs on the folder holds a lock on this file.
const LOCK: &str = "lock";
/// Where the running platform can be reached; there only while it runs.
const ADDRESS: &str = "address";
/// There while a restore has begun and not ended.
pub(crate) const UNFINISHED: &str = "restore-unfinished";
/// What the operator presents.
const OPERATOR_TOKEN: &str = "operator-token";

/// A data folder that this process alone uses, until it is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Whether it is this process that can be reached at the address in it.
    announced: AtomicBool,
    /// Held for its lock.
    _lock: File,
    /// Deletes the folder in the end.
    _temporary: Option<tempfile::TempDir>,
}

/// A data folder that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Another process runs on it.
    #[error(
        "{path} is in use by another `switchboard` (process {holder}): stop that one, or name \
         another folder with --data DIR"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other process, as far as it said.
        holder: String,
    },
    /// Somebody else's files are in it.
    #[error(
        "{0} holds files that are not ours: name an empty folder, or one that does not exist yet, \
         with --data DIR"
    )]
    NotOurs(PathBuf),
    /// Another version of this program wrote it.
    #[error(
        "{path} has the layout `{found}`, and this program knows `{LAYOUT}`: use the program that \
         wrote it"
    )]
    OtherLayout {
        /// The folder.
        path: PathBuf,
        /// Its layout.
        found: String,
    },
    /// A restore has begun and not ended, so it is half one thing and half another.
    #[error(
        "a restore into {0} has begun and not ended: run the same `switchboard restore` again, \
         which takes it to its end"
    )]
    Unfinished(PathBuf),
    /// It cannot be read or written.
    #[error(
        "{path} cannot be {what}: check that it is yours and that the disk has space, or name \
         another folder with --data DIR"
    )]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

// === impl Folder ===

impl Folder {
    /// Opens a folder, or makes it (mode 0700), and holds it.
    ///
    /// # Errors
    /// [`FolderError`], which says what to do.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        Self::open_unfinished(path)?.finished()
    }

    /// The same, also when a restore has begun and not ended: for the restore that ends it.
    pub(crate) fn open_unfinished(path: &Path) -> Result<Self, FolderError> {
        Self::prepare(path, hold)
    }

    fn finished(self) -> Result<Self, FolderError> {
        if self.path.join(UNFINISHED).exists() {
            return Err(FolderError::Unfinished(self.path.clone()));
        }
        Ok(self)
    }

    /// Whether this is the name of a file that belongs to the folder itself, whatever is in it.
    pub(crate) fn is_own(name: &str) -> bool {
        name.starts_with(MARKER) || [LOCK, ADDRESS, UNFINISHED].contains(&name)
    }

    /// Opens a folder, or makes it, beside other processes that share it: services in processes of
    /// their own, on one machine or on a disk that several machines see. It holds their keys.
    ///
    /// # Errors
    /// [`FolderError`], which says what to do: also when a whole shop runs on it.
    pub fn share(path: &Path) -> Result<Self, FolderError> {
        Self::prepare(path, hold_shared)?.finished()
    }

    fn prepare(
        path: &Path,
        hold: impl Fn(&Path) -> Result<File, FolderError>,
    ) -> Result<Self, FolderError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| unusable(path, "created", source))?;
        let is_ours = check(path)?;
        let lock = hold(path)?;
        if !is_ours {
            // By another name first: somebody who looks meanwhile sees no mark, or a whole one.
            let marker = path.join(MARKER);
            let written = tempfile::Builder::new().prefix(MARKER).tempfile_in(path);
            written
                .and_then(|mut file| {
                    file.write_all(LAYOUT.as_bytes())?;
                    Ok(file.persist(&marker)?)
                })
                .map_err(|source| unusable(&marker, "written", source))?;
        }
        let announced = AtomicBool::new(false);
        Ok(Self { path: path.to_owned(), announced, _lock: lock, _temporary: None })
    }

    /// A folder that is deleted in the end.
    ///
    /// # Errors
    /// [`FolderError`] when the system's temporary directory cannot be written.
    pub fn ephemeral() -> Result<Self, FolderError> {
        let parent = std::env::temp_dir();
        let temporary = tempfile::Builder::new()
            .prefix("switchboard-")
            .tempdir_in(&parent)
            .map_err(|source| unusable(&parent, "written", source))?;
        let mut folder = Self::open(temporary.path())?;
        folder._temporary = Some(temporary);
        Ok(folder)
    }

    /// Deletes everything in it but the lock, which stays held, and the mark that it is ours.
    ///
    /// # Errors
    /// [`FolderError`] naming what cannot be deleted.
    pub fn empty(&self) -> Result<(), FolderError> {
        let list = |source| unusable(&self.path, "read", source);
        for entry in fs::read_dir(&self.path).map_err(list)? {
            let path = entry.map_err(list)?.path();
            if path.ends_with(LOCK) || path.ends_with(MARKER) {
                continue;
            }
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|source| unusable(&path, "deleted", source))?;
        }
        Ok(())
    }

    /// Whether nothing was ever stored in it.
    pub fn is_new(&self) -> bool {
        !self.path.join(OPERATOR_TOKEN).exists()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file with the operator's token.
    pub fn operator_token(&self) -> PathBuf {
        self.path.join(OPERATOR_TOKEN)
    }

    /// Writes down where the platform can be reached.
    ///
    /// # Errors
    /// [`FolderError`] when it cannot be written.
    pub fn announce(&self, url: &str) -> Result<(), FolderError> {
        let path = self.path.join(ADDRESS);
        self.announced.store(true, Ordering::Relaxed);
        write_private(&path, url.as_bytes()).map_err(|source| unusable(&path, "written", source))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind, it only makes a command wait for an answer that does not come.
        if self.announced.load(Ordering::Relaxed) {
            let _left_behind = fs::remove_file(self.path.join(ADDRESS));
        }
    }
}

/// Where the platform that runs on this folder can be reached, if one does.
pub fn address(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join(ADDRESS)).ok().map(|url| url.trim().to_owned())
}

/// Whether another process holds the folder now.
pub fn is_held(folder: &Path) -> bool {
    match File::open(folder.join(LOCK)) {
        Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

/// Whether the folder is ours already; an empty one can become ours.
fn check(path: &Path) -> Result<bool, FolderError> {
    let marker = path.join(MARKER);
    match fs::read_to_string(&marker) {
        Ok(layout) if layout.trim() == LAYOUT => return Ok(true),
        Ok(layout) => {
            let found = layout.trim().chars().take(40).collect();
            return Err(FolderError::OtherLayout { path: path.to_owned(), found });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(unusable(&marker, "read", source)),
    }
    let list = |source| unusable(path, "read", source);
    for entry in fs::read_dir(path).map_err(list)? {
        // A crash between the lock and the mark leaves the lock alone; another process may be
        // about to give the mark its name.
        let name = entry.map_err(list)?.file_name();
        if name != LOCK && !name.to_string_lossy().starts_with(MARKER) {
            return Err(FolderError::NotOurs(path.to_owned()));
        }
    }
    Ok(false)
}

fn hold(folder: &Path) -> Result<File, FolderError> {
    let (mut file, path) = open_lock(folder)?;
    let locked = file.try_lock();
    locked.map_err(|error| not_held(folder, &mut file, error))?;
    let written = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
    written.map_err(|source| unusable(&path, "written", source))?;
    Ok(file)
}

/// Holds the folder against a whole shop, and lets other services have it too.
fn hold_shared(folder: &Path) -> Result<File, FolderError> {
    let (mut file, _) = open_lock(folder)?;
    let locked = file.try_lock_shared();
    locked.map_err(|error| not_held(folder, &mut file, error))?;
    Ok(file)
}

fn open_lock(folder: &Path) -> Result<(File, PathBuf), FolderError> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path).map_err(|source| unusable(&path, "opened", source))?;
    Ok((file, path))
}

fn not_held(folder: &Path, file: &mut File, error: TryLockError) -> FolderError {
    match error {
        TryLockError::WouldBlock => {
            let mut holder = String::new();
            let _unknown_is_fine = file.read_to_string(&mut holder);
            let holder = if holder.is_empty() { "unknown".to_owned() } else { holder };
            FolderError::InUse { path: folder.to_owned(), holder }
        }
        TryLockError::Error(source) => unusable(&folder.join(LOCK), "locked", source),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}

fn unusable(path: &Path, what: &'static str, source: io::Error) -> FolderError {
    FolderError::Unusable { path: path.to_owned(), what, source }
}

#[cfg(test)]
mod tests;
