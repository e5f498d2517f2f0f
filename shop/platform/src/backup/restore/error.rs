//! Why a restore was not done, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use switchboard_core::BoxError;

use crate::backup::ManifestError;
use crate::folder::FolderError;

/// A restore that was not done. The data folder is as it was, unless the error says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The backup.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// There is data that nobody said may go.
    #[error("{0} holds data: --force moves it aside, where it is kept until you delete it")]
    NotEmpty(PathBuf),
    /// There is nothing that one service could be put back into.
    #[error("{0} holds no shop: leave --only out to put back everything")]
    Empty(PathBuf),
    /// Another restore has begun and not ended.
    #[error(
        "another restore has begun here and not ended ({0}): run that one again first, with the \
         same --only or without"
    )]
    Unfinished(String),
    /// There is no such service, or the backup does not have it.
    #[error("{backup} has no store of `{service}`; it has: {known}")]
    NoSuchService {
        /// The backup.
        backup: PathBuf,
        /// What was asked for.
        service: String,
        /// What there is.
        known: String,
    },
    /// The backup has the stores and not the log, and the folder needs one.
    #[error(
        "{0} was taken beside another broker: its stores can be put back one by one with --only, \
         or where that broker is"
    )]
    NoLog(PathBuf),
    /// The log does not keep any more what the service would have to read again.
    #[error(
        "the log does not keep any more what `{service}` would have to read again ({missing}): \
         put back everything, or a newer backup"
    )]
    TooOld {
        /// The service.
        service: String,
        /// What is missing.
        missing: String,
    },
    /// Stores and log in the backup do not fit together.
    #[error("{backup} does not fit together, so nothing was restored ({why}): use another backup")]
    Inconsistent {
        /// The backup.
        backup: PathBuf,
        /// Why not.
        why: String,
    },
    /// What was copied cannot be opened, or the log that stays cannot.
    #[error("{what} cannot be opened")]
    Open {
        /// What.
        what: String,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// A file cannot be read, written or moved.
    #[error("{path} cannot be {what}: look for space and rights, then run the same again")]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

pub(super) fn open_error(what: String, source: BoxError) -> RestoreError {
    RestoreError::Open { what, source }
}

pub(super) fn file_error(
    path: &Path,
    what: &'static str,
) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |source| RestoreError::File { path, what, source }
}
