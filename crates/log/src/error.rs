//! What can go wrong with a log, who sees it, and what they do next.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use switchboard_core::{Retryable, Verdict};

use crate::{ChannelId, InvalidOptions};

/// The log was not opened. Nothing in the folder was changed by a refusal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting is out of its limits.
    #[error("the log's settings are wrong")]
    Options(#[from] InvalidOptions),
    /// Another log, here or in another process, has the folder. Stop it first.
    #[error("the log in `{}` is in use", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// Committed records are damaged. Restore the file, or move it away and accept the loss.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The files were written by a newer version. Open them with that version.
    #[error("`{}` has format {found}; this version reads up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
        /// The newest format that is known here.
        known: u16,
    },
    /// The file system failed. Opening again may succeed.
    #[error("cannot {action} in `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Bytes that were committed do not verify. Never answered as "the end".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is damaged at byte {offset}: {reason}", path.display())]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// The first byte that is wrong.
    pub offset: u64,
    /// What is wrong there.
    pub reason: String,
}

/// The batch was not appended, or whether it was is unknown.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A record is larger than the limit. It never will be taken: make it smaller.
    #[error("a record of {bytes} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// The record's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The batch does not fit into one segment. Split it.
    #[error("a batch of {bytes} bytes is larger than the limit of {limit}")]
    BatchTooLarge {
        /// The batch's size with headers.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// There is no such channel in this log.
    #[error("there is no channel {0}")]
    UnknownChannel(ChannelId),
    /// Names and cells together would take more than an eighth of a segment.
    #[error("channels and cells would take {bytes} bytes, and at most {limit} are taken")]
    TooMany {
        /// What they would take.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The disk is full or a write failed. Nothing of the batch is in the log: append again later.
    #[error("the log cannot be written now")]
    Unwritten(#[source] Arc<io::Error>),
    /// A sync failed, so nobody knows what the disk holds. Close the log and open it again; what
    /// was recovered then tells whether the batch is in it.
    #[error("the log stopped because a sync failed; open it again")]
    Poisoned(#[source] Arc<io::Error>),
    /// The log was closed before the batch was synced.
    #[error("the log is closed")]
    Closed,
}

/// The records cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such channel in this log.
    #[error("there is no channel {0}")]
    UnknownChannel(ChannelId),
    /// The records after this position are not all kept any more. Whoever lost them decides
    /// whether to go on from `oldest`.
    #[error("position {after} lies below the oldest record that is kept, {oldest}")]
    BelowRetention {
        /// The position that was asked for.
        after: u64,
        /// The oldest record that is kept, or the next one to be written when none is.
        oldest: u64,
    },
    /// A committed record does not verify.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The file system failed. Reading again may succeed.
    #[error("cannot read the log")]
    Io(#[source] Arc<io::Error>),
    /// The log was closed and nothing more will come.
    #[error("the log is closed")]
    Closed,
}

/// Retention could not be carried out. What was to be kept is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetainError {
    /// There is no such channel in this log.
    #[error("there is no channel {0}")]
    UnknownChannel(ChannelId),
    /// The new oldest positions could not be made durable, so nothing was dropped.
    #[error("the oldest positions were not recorded")]
    Append(#[from] AppendError),
    /// Survivors could not be read.
    #[error("the records to keep cannot be read")]
    Read(#[from] ReadError),
    /// A file could not be written or removed.
    #[error("the files cannot be changed")]
    Io(#[from] io::Error),
}

// === impls ===

impl Damage {
    pub(crate) fn at(path: impl Into<PathBuf>, offset: u64, reason: impl fmt::Display) -> Self {
        Self { path: path.into(), offset, reason: reason.to_string() }
    }
}

impl OpenError {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

impl Retryable for AppendError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::TooLarge { .. } | Self::BatchTooLarge { .. } | Self::UnknownChannel(_) => {
                Verdict::Terminal
            }
            Self::TooMany { .. } => Verdict::Stuck,
            Self::Unwritten(_) | Self::Poisoned(_) | Self::Closed => Verdict::Retry,
        }
    }
}

impl Retryable for ReadError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::UnknownChannel(_) | Self::Closed => Verdict::Terminal,
            Self::BelowRetention { .. } | Self::Damaged(_) => Verdict::Stuck,
            Self::Io(_) => Verdict::Retry,
        }
    }
}
