//! What keeps a store from opening, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use switchboard_core::Name;
use switchboard_store::StoreError;
use switchboard_store::limits::InvalidTable;

/// The store was not opened; nothing was changed that matters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Somebody else has it. Stop that process, or use another folder.
    #[error("{path} is in use by process {by}: stop it first, or use another folder")]
    Locked {
        /// The database.
        path: PathBuf,
        /// The process that holds the lock, as it wrote itself into the lock file.
        by: String,
    },
    /// It was written by a newer version. Run that version, or a newer one.
    #[error(
        "{path} has format {found} and this version knows up to {known}: run the newer version"
    )]
    NewerFormat {
        /// The database.
        path: PathBuf,
        /// The format that the file says it has.
        found: i64,
        /// The newest format known.
        known: i64,
    },
    /// It is another program's database. Name another file.
    #[error("{path} is a database of another program: name another file")]
    NotAStore {
        /// The database.
        path: PathBuf,
    },
    /// It is another service's store. Name the right file.
    #[error("{path} is the store of `{found}`, not of `{expected}`: name the right file")]
    OtherSource {
        /// The database.
        path: PathBuf,
        /// Whose store it is.
        found: String,
        /// Whose store it should be.
        expected: Name,
    },
    /// A table's declaration cannot be kept, or does not fit the table that is there.
    #[error(transparent)]
    Table(#[from] InvalidTable),
    /// The file is damaged. Put a backup in its place; keep the damaged file for a repair.
    #[error("{path} is damaged: put a backup in its place, and keep it for a repair")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite found.
        #[source]
        source: rusqlite::Error,
    },
    /// The folder or file cannot be written. Check owner, rights and free space.
    #[error("{path} cannot be written: check its folder, its rights and the free space")]
    NotWritable {
        /// The database.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The SQLite library has a bug that loses commits. Build with 3.51.3 or newer.
    #[error("SQLite {found} may lose commits: build with 3.51.3 or newer")]
    OldLibrary {
        /// Its version.
        found: &'static str,
    },
    /// Anything else that SQLite says.
    #[error("{path} cannot be opened")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

// === impl OpenError ===

impl OpenError {
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, source }
            }
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::DiskFull,
            ) => Self::NotWritable { path, source: io::Error::other(source) },
            _ => Self::Sqlite { path, source },
        }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::NotWritable { path: path.to_owned(), source }
    }
}

/// A failed read, as its caller sees it.
pub(crate) fn read_error(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.into())
}
