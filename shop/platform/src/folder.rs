//! The data folder: made for its owner only, held by one process, and never deleted by mistake.
//!
//! A folder is ours when it holds the file `switchboard-data`. Only such a folder, or an empty one, is used or emptied, so a slip of the
//! pen (`--data ~ --fresh`) costs nothing.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Says that a folder is ours, and in which layout.
const MARKER: &str = "switchboard-data";
/// The layout of the folder that this program writes.
const LAYOUT: &str = "1";
/// Whoever runs on the folder holds a lock on this file.
const LOCK: &str = "lock";
/// Where the running platform can be reached; there only while it runs.
const ADDRESS: &str = "address";
/// What the operator presents.
const OPERATOR_TOKEN: &str = "operator-token";

/// A data folder that this process alone uses, until it is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
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
        "{path} is in use by another `switchboard up` (process {holder}): stop that one, or name \
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
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| unusable(path, "created", source))?;
        let is_ours = check(path)?;
        let lock = hold(path)?;
        if !is_ours {
            let marker = path.join(MARKER);
            write_private(&marker, LAYOUT.as_bytes())
                .map_err(|source| unusable(&marker, "written", source))?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock, _temporary: None })
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
        write_private(&path, url.as_bytes()).map_err(|source| unusable(&path, "written", source))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind, it only makes a command wait for an answer that does not come.
        let _left_behind = fs::remove_file(self.path.join(ADDRESS));
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
        // A crash between the lock and the mark leaves the lock alone.
        if entry.map_err(list)?.file_name() != LOCK {
            return Err(FolderError::NotOurs(path.to_owned()));
        }
    }
    Ok(false)
}

fn hold(folder: &Path) -> Result<File, FolderError> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(|source| unusable(&path, "opened", source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _unknown_is_fine = file.read_to_string(&mut holder);
            let holder = if holder.is_empty() { "unknown".to_owned() } else { holder };
            return Err(FolderError::InUse { path: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(&path, "locked", source)),
    }
    let written = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
    written.map_err(|source| unusable(&path, "written", source))?;
    Ok(file)
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
