//! What is committed at one moment, so that its files can be copied while the log goes on.
//!
//! Committed bytes never change and sealed segments are never appended to, so a copy only needs to know how far each file counts. Retention
//! alone drops and replaces files: it waits while somebody copies.

use std::fmt;
use std::path::PathBuf;

use parking_lot::MutexGuard;

use crate::log::Log;

/// Keeps retention away from the files of a log until it is dropped.
pub struct Hold<'a> {
    log: &'a Log,
    _retention: MutexGuard<'a, ()>,
}

/// What was committed at one moment. The files stay as long as the [`Hold`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The log's epoch.
    pub epoch: u64,
    /// Every segment, oldest first. Together their first `bytes` bytes are a whole log.
    pub segments: Vec<Extent>,
    /// The last committed position of each channel, by its name.
    pub channels: Vec<(String, u64)>,
}

/// The part of a file that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The file.
    pub path: PathBuf,
    /// Its first so many bytes; what follows was not committed then.
    pub bytes: u64,
}

// === impl Hold ===

impl<'a> Hold<'a> {
    pub(crate) fn new(log: &'a Log) -> Self {
        let retention = log.core().retention.lock();
        Self { log, _retention: retention }
    }

    /// What is committed now. Nobody who hears of a later record can have heard of it before this
    /// returns.
    pub fn moment(&self) -> Moment {
        let core = self.log.core();
        let catalog = core.catalog.read();
        let extent = |path: &PathBuf, bytes| Extent { path: path.clone(), bytes };
        let sealed = catalog.sealed.values().map(|segment| extent(&segment.path, segment.end));
        let active = extent(&catalog.active.path, catalog.active.end);
        let channels = catalog.channels().map(|(_, it)| (it.name.to_string(), it.last));
        Moment {
            epoch: core.epoch,
            segments: sealed.chain(std::iter::once(active)).collect(),
            channels: channels.collect(),
        }
    }
}

impl fmt::Debug for Hold<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").field("log", self.log).finish_non_exhaustive()
    }
}
