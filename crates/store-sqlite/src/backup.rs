//! Copying a store while it goes on: commits wait for the moment in which a snapshot is opened, and for nothing after it.
//!
//! ```
//! # use std::sync::Arc;
//! # use switchboard_core::{Rng, SystemClock};
//! # use switchboard_store::{Column, Rows, Journal, Table, Unit, Value};
//! # use switchboard_store_sqlite::{Options, SqliteStore};
//! # static NUMBERS: Table = Table { name: "n", columns: &[Column::integer("n")], indexes: &[] };
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let options = |name: &str| {
//! #     Options::new(dir.path().join(name), "s", Arc::new(SystemClock), Rng::from_seed(1))
//! #         .with_tables(&[&NUMBERS])
//! # };
//! let store = SqliteStore::open(options("store.db"))?;
//! let pause = store.pause(); // several stores, to copy them as of one moment
//! let snapshot = store.snapshot()?;
//! drop(pause);
//! snapshot.copy_to(&dir.path().join("copy.db"), &mut |_| true)?;
//! let copy = SqliteStore::open(options("copy.db"))?;
//! # Ok(()) }
//! ```

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::MutexGuard;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use switchboard_core::{Name, Position};
use switchboard_store::StoreIdentity;

use crate::schema::{self, Role};
use crate::{SqliteStore, checkpoint};

/// Pages that are copied between two looks at whether to go on: 4 MiB.
const STEP: i32 = 1_024;

/// Commits of a store wait until this is dropped.
pub struct Pause<'a> {
    _turn: MutexGuard<'a, ()>,
}

/// What a store held at one moment. Commits go on; the write-ahead file grows until this is
/// dropped.
pub struct Snapshot {
    connection: Connection,
    identity: StoreIdentity,
    position: Position,
    _held: Held,
}

/// A store that was not copied. The store itself is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The store cannot be read, or is damaged.
    #[error("the store cannot be read")]
    Store(#[source] rusqlite::Error),
    /// The copy cannot be written. Look for space and rights.
    #[error("{path} cannot be written: look for space and rights")]
    Copy {
        /// The copy.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// The copy cannot be made durable.
    #[error("{path} cannot be synced")]
    Sync {
        /// The copy.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The copy is not sound, so the store is not: put an older backup in its place.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// Whoever asked for the copy wanted no more of it.
    #[error("the copy was given up")]
    GivenUp,
}

/// While it lives, checkpoints do not ask for the file as a whole.
struct Held(Arc<checkpoint::Shared>);

// === impl SqliteStore ===

impl SqliteStore {
    /// Lets the commit that runs come to its end, and the others wait. Blocks for that long.
    ///
    /// Hold several at once in one order everywhere, and for moments only: nobody is told no, but
    /// everybody waits.
    pub fn pause(&self) -> Pause<'_> {
        Pause { _turn: self.turns().turn.lock() }
    }

    /// Opens a snapshot of what is committed now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, CopyError> {
        let held = Held::new(self.turns());
        let connection =
            schema::connect(self.pool().options(), Role::Reader).map_err(CopyError::Store)?;
        connection.execute_batch("BEGIN").map_err(CopyError::Store)?;
        // The first read is what fixes the moment.
        let (source, incarnation) = identity(&connection).map_err(CopyError::Store)?;
        let position = position(&connection).map_err(CopyError::Store)?;
        let identity = StoreIdentity { source, incarnation };
        Ok(Snapshot { connection, identity, position, _held: held })
    }
}

fn identity(connection: &Connection) -> rusqlite::Result<(Name, u32)> {
    let sql = "SELECT (SELECT value FROM sb_meta WHERE name = 'source'), \
                      (SELECT value FROM sb_meta WHERE name = 'incarnation')";
    connection.query_row(sql, [], |row| Ok((Name::from(row.get_ref(0)?.as_str()?), row.get(1)?)))
}

fn position(connection: &Connection) -> rusqlite::Result<Position> {
    let sql = "SELECT max((SELECT value FROM sb_meta WHERE name = 'position'), \
                          coalesce((SELECT max(position) FROM sb_events), 0), \
                          coalesce((SELECT max(position) FROM sb_messages), 0))";
    let position: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(Position(position.cast_unsigned()))
}

// === impl Snapshot ===

impl Snapshot {
    /// Whose store it is.
    pub fn identity(&self) -> &StoreIdentity {
        &self.identity
    }

    /// The newest position in it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Writes it to a new file, verifies and syncs it. `go_on` is asked every 4 MiB, with the
    /// bytes that were copied since it was last asked.
    ///
    /// Blocks for as long as the disk takes: call it from a blocking thread.
    ///
    /// # Errors
    /// [`CopyError`]; a part of the file may be there.
    pub fn copy_to(
        &self,
        path: &Path,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), CopyError> {
        let failed = |source| CopyError::Copy { path: path.to_owned(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut copy = Connection::open_with_flags(path, flags).map_err(failed)?;
        // Half a copy is worth nothing, so nothing guards it on the way; it is synced at the end.
        copy.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(())).map_err(failed)?;
        copy.pragma_update(None, "synchronous", "off").map_err(failed)?;
        {
            let backup = Backup::new(&self.connection, &mut copy).map_err(CopyError::Store)?;
            let mut left = None;
            while backup.step(STEP).map_err(failed)? != StepResult::Done {
                let progress = backup.progress();
                let now = progress.remaining;
                let copied = left.unwrap_or(progress.pagecount).saturating_sub(now);
                left = Some(now);
                if !go_on(u64::try_from(copied).unwrap_or(0) * 4_096) {
                    return Err(CopyError::GivenUp);
                }
            }
        }
        let verdict: String = copy
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(CopyError::Store)?;
        if verdict != "ok" {
            return Err(CopyError::Damaged(verdict));
        }
        copy.close().map_err(|(_, source)| failed(source))?;
        let synced = File::open(path).and_then(|file| file.sync_all());
        synced.map_err(|source| CopyError::Sync { path: path.to_owned(), source })
    }
}

// === impl Held ===

impl Held {
    fn new(turns: &Arc<checkpoint::Shared>) -> Self {
        turns.hold();
        Self(turns.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

impl fmt::Debug for Pause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pause")
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("identity", &self.identity)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
