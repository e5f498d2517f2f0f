//! A disk under SQLite that forgets what was not synced, tears it, fails to sync, and fills up.
//!
//! SIGKILL proves almost nothing about durability: the operating system keeps what the process wrote. This layer sits between SQLite and
//! its files, remembers every write since the last sync, and after a [`FaultyDisk::crash`] leaves on disk what a power cut could leave:
//! what was synced, and of the rest any sectors in any order.
//!
//! ```
//! use switchboard_testkit::vfs::FaultyDisk;
//!
//! let folder = tempfile::tempdir()?;
//! let disk = FaultyDisk::register(7);
//! let open = || rusqlite::Connection::open_with_flags_and_vfs(
//!     folder.path().join("a.db"), rusqlite::OpenFlags::default(), disk.name());
//!
//! let connection = open()?;
//! connection.execute_batch("pragma journal_mode = wal; pragma synchronous = full; create table t(x)")?;
//! connection.execute("insert into t values (1)", [])?; // synced: SQLite has answered
//! disk.crash();
//! drop(connection);
//! disk.settle()?;
//! assert_eq!(open()?.query_row("select count(*) from t", [], |row| row.get::<_, i64>(0))?, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod journal;
mod shim;

use std::io;
use std::sync::Arc;

use journal::Disk;

/// A SQLite file layer with faults on demand. Registered once, used by name, reused after each crash.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    disk: Arc<Disk>,
    name: &'static str,
}

// === impl FaultyDisk ===

impl FaultyDisk {
    /// Registers the layer. Chance comes from the seed. It stays registered while the process lives.
    pub fn register(seed: u64) -> Self {
        let disk = Arc::new(Disk::new(seed));
        let name = shim::register(&disk);
        Self { disk, name }
    }

    /// The name under which SQLite knows the layer.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The power is cut: from now on every access fails, so that closing a file writes nothing.
    pub fn crash(&self) {
        self.disk.crash();
    }

    /// The power is cut after this many more writes and syncs: in the middle of whatever runs then.
    pub fn crash_after(&self, accesses: u64) {
        self.disk.crash_after(accesses);
    }

    /// Whether the power is cut now.
    pub fn has_crashed(&self) -> bool {
        self.disk.has_crashed()
    }

    /// Makes the files what the power cut left, and ends the crash. All connections must be closed.
    ///
    /// # Errors
    /// When files are still open, or the real files cannot be changed.
    pub fn settle(&self) -> io::Result<()> {
        self.disk.settle()
    }

    /// After `syncs` more syncs that succeed, one fails with an I/O error, and what it should have
    /// synced never reaches the disk, as on Linux.
    pub fn fail_sync_after(&self, syncs: u64) {
        self.disk.fail_sync_after(syncs);
    }

    /// The disk is full after this many more bytes; `None` gives it room again.
    pub fn fill_after(&self, bytes: Option<u64>) {
        self.disk.fill_after(bytes);
    }

    /// How many syncs have succeeded.
    pub fn syncs(&self) -> u64 {
        self.disk.syncs()
    }
}
