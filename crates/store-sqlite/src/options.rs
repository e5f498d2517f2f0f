//! How to open a store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, Name, Rng};
use switchboard_store::Table;

/// Settings of a store.
#[derive(Clone)]
pub struct Options {
    pub(crate) path: PathBuf,
    pub(crate) source: Name,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Rng,
    pub(crate) tables: Vec<&'static Table>,
    pub(crate) wal_bytes: u64,
    pub(crate) batch_units: usize,
    pub(crate) lazy_wait: Duration,
    pub(crate) vfs: Option<String>,
    pub(crate) planted: Option<Planted>,
}

/// Bugs that tests plant, to prove that other tests find them.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted"),
    allow(dead_code, unreachable_pub, reason = "only tests plant bugs")
)]
pub enum Planted {
    /// Commits are answered before they are synced.
    AckBeforeSync,
    /// Commits are answered before they are committed.
    AckBeforeCommit,
    /// The handled mark is committed before the effect.
    MarkBeforeCommit,
    /// A fired timer is deleted before its message is committed.
    TimerOutsideUnit,
}

// === impl Options ===

impl Options {
    /// Opens or creates the database file at `path` as the store of the service `source`.
    pub fn new(
        path: impl Into<PathBuf>,
        source: impl Into<Name>,
        clock: Arc<dyn Clock>,
        rng: Rng,
    ) -> Self {
        Self {
            path: path.into(),
            source: source.into(),
            clock,
            rng,
            tables: Vec::new(),
            wal_bytes: 16 << 20,
            batch_units: 1_024,
            lazy_wait: Duration::from_millis(20),
            vfs: None,
            planted: None,
        }
    }

    /// Adds tables: what is missing of them is created when the store opens.
    #[must_use]
    pub fn with_tables(mut self, tables: &[&'static Table]) -> Self {
        self.tables.extend_from_slice(tables);
        self
    }

    /// How much the write-ahead file holds before it is checkpointed, off the writer's path, and
    /// then overwritten. It is grown to this size once, when the store is first opened. Default
    /// 16 MiB, from 256 KiB to 1 GiB.
    #[must_use]
    pub fn with_wal_bytes(mut self, bytes: u64) -> Self {
        self.wal_bytes = bytes.clamp(256 << 10, 1 << 30);
        self
    }

    /// How many units share one commit at most. Default 1 024, from 1 to 10 000.
    #[must_use]
    pub fn with_batch_units(mut self, units: usize) -> Self {
        self.batch_units = units.clamp(1, 10_000);
        self
    }

    /// How long a lazy unit waits for company at most. Default 20 ms, at most 1 s.
    #[must_use]
    pub fn with_lazy_wait(mut self, wait: Duration) -> Self {
        self.lazy_wait = wait.min(Duration::from_secs(1));
        self
    }

    /// Runs on another file layer, registered with SQLite under this name.
    #[doc(hidden)]
    #[must_use]
    pub fn with_vfs(mut self, name: impl Into<String>) -> Self {
        self.vfs = Some(name.into());
        self
    }

    /// Plants a bug.
    #[cfg(feature = "planted")]
    #[doc(hidden)]
    #[must_use]
    pub fn with_planted(mut self, bug: Planted) -> Self {
        self.planted = Some(bug);
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("path", &self.path)
            .field("source", &self.source)
            .field("tables", &self.tables.len())
            .field("wal_bytes", &self.wal_bytes)
            .field("batch_units", &self.batch_units)
            .field("lazy_wait", &self.lazy_wait)
            .finish_non_exhaustive()
    }
}
