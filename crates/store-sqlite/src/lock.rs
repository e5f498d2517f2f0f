//! One process at a time, and one store at a time within it.
//!
//! The lock belongs to the open file, not to the process, so a second store on the same database
//! is refused in the same process as well. It ends with the process, however that ends.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::OpenError;

/// Held as long as the store is open.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

// === impl Lock ===

impl Lock {
    /// Takes the lock beside the database, and writes who has it.
    pub(crate) fn take(database: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::io(database, error);
        let path = path_of(database);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                // Only a hint for people: an unreadable one does not matter.
                let _ = (&file).take(32).read_to_string(&mut by);
                let by = if by.trim().is_empty() { "unknown" } else { by.trim() }.to_owned();
                return Err(OpenError::Locked { path: database.to_owned(), by });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
