//! How a log is opened: sizes and bounds, checked at birth.

use std::path::PathBuf;
use std::sync::Arc;

use crate::file::{FileLayer, OsFiles};

/// Settings of a log. Everything has a default; [`Log::open`](crate::Log::open) checks the limits.
///
/// ```
/// use switchboard_log::Options;
/// let options = Options::new("data/log").with_segment_bytes(16 << 20);
/// assert!(options.check().is_ok());
/// assert!(options.with_queue(0).check().is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder, created if absent.
    pub dir: PathBuf,
    /// Size of a segment file in bytes. Default 64 MiB, from 16 KiB to 1 GiB. A new log starts with
    /// smaller segments (4 MiB, then four times as much each), so that it opens at once.
    pub segment_bytes: u64,
    /// Largest record in bytes. Default 1 MiB + 64 KiB, at most a quarter of a segment.
    pub max_record_bytes: usize,
    /// Places for records that wait to be synced: a record takes one, and one more for each full
    /// KiB. Default 65 536 (so at most 64 MiB wait), from 1 to 1 048 576. When all are taken,
    /// appends wait.
    pub queue: usize,
    /// Bytes that one sync carries, unless a single batch is larger. Default 4 MiB, at least 4 KiB
    /// and at most a quarter of a segment.
    pub group_bytes: usize,
    /// The file system. Default: the operating system's.
    pub files: Arc<dyn FileLayer>,
    /// Begins an epoch above this one when the log is opened, as if a tail had been cut. For a log
    /// that was put back to an older copy. Default: none is begun without need.
    pub epoch_above: Option<u64>,
    /// Bugs that tests plant to prove that they would be found.
    pub(crate) planted: Planted,
}

/// A setting is out of its limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}, and must be from {least} to {most}")]
pub struct InvalidOptions {
    /// The setting's name.
    pub setting: &'static str,
    /// Its value.
    pub value: u64,
    /// The smallest value that is taken.
    pub least: u64,
    /// The largest value that is taken.
    pub most: u64,
}

/// A bug on purpose. Only tests set it, by the feature `planted`: a harness that does not find the
/// bug proves nothing.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted"),
    allow(dead_code, unreachable_pub, reason = "only tests plant bugs")
)]
pub enum Planted {
    /// No bug.
    #[default]
    None,
    /// Producers hear "synced" before the sync.
    AckBeforeFsync,
    /// Recovery takes records that no commit marker covers.
    AdoptOrphans,
    /// A failed group's bytes stay where they are, and nobody rewinds.
    NoRewind,
    /// The folder is not synced after a segment was created.
    NoDirSync,
    /// A failed sync is tried again on the same file, as if the kernel kept the bytes.
    RetryFsync,
}

/// The smallest segment that can be asked for.
pub(crate) const LEAST_SEGMENT: u64 = 16 << 10;
/// The size of the first segment of a new log, unless `segment_bytes` is smaller.
pub(crate) const FIRST_SEGMENT: u64 = 4 << 20;

// === impl Options ===

impl Options {
    /// A log in this folder with every default.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            max_record_bytes: (1 << 20) + (64 << 10),
            queue: 65_536,
            group_bytes: 4 << 20,
            files: Arc::new(OsFiles),
            epoch_above: None,
            planted: Planted::None,
        }
    }

    /// Sets the size of a segment, and lowers the record and group limits to a quarter of it.
    #[must_use]
    pub fn with_segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        let quarter = usize::try_from(bytes / 4).unwrap_or(usize::MAX);
        self.max_record_bytes = self.max_record_bytes.min(quarter);
        self.group_bytes = self.group_bytes.min(quarter);
        self
    }

    /// Sets the largest record.
    #[must_use]
    pub fn with_max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record_bytes = bytes;
        self
    }

    /// Sets how many places there are for records that wait.
    #[must_use]
    pub fn with_queue(mut self, places: usize) -> Self {
        self.queue = places;
        self
    }

    /// Sets how many bytes one sync carries.
    #[must_use]
    pub fn with_group_bytes(mut self, bytes: usize) -> Self {
        self.group_bytes = bytes;
        self
    }

    /// Sets the file system.
    #[must_use]
    pub fn with_files(mut self, files: Arc<dyn FileLayer>) -> Self {
        self.files = files;
        self
    }

    /// Begins an epoch above this one.
    #[must_use]
    pub fn with_epoch_above(mut self, epoch: u64) -> Self {
        self.epoch_above = Some(epoch);
        self
    }

    /// Plants a bug.
    #[cfg(feature = "planted")]
    #[doc(hidden)]
    #[must_use]
    pub fn with_planted(mut self, planted: Planted) -> Self {
        self.planted = planted;
        self
    }

    /// Whether every setting is within its limits.
    pub fn check(&self) -> Result<(), InvalidOptions> {
        let quarter = self.segment_bytes / 4;
        within("segment_bytes", self.segment_bytes, LEAST_SEGMENT, 1 << 30)?;
        within("max_record_bytes", self.max_record_bytes as u64, 1, quarter)?;
        within("queue", self.queue as u64, 1, 1 << 20)?;
        within("group_bytes", self.group_bytes as u64, 4 << 10, quarter)
    }

    /// The largest batch that is taken, in bytes with its headers: it must fit into one segment.
    pub(crate) fn max_batch_bytes(&self) -> u64 {
        self.segment_bytes / 2
    }
}

fn within(setting: &'static str, value: u64, least: u64, most: u64) -> Result<(), InvalidOptions> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(InvalidOptions { setting, value, least, most })
}
