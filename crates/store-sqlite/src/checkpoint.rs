//! Moving pages from the write-ahead file to the database, off the writer's path.
//!
//! Most of a checkpoint runs beside the writer. A passive checkpoint alone would never catch up
//! with a busy one, so its short tail takes the writer's turn; after it the file is overwritten
//! from its beginning, which is cheaper than letting it grow.
//!
//! A sync that fails ends it for good. SQLite syncs the database only when a checkpoint reaches the
//! end of the write-ahead file, and counts what earlier passes copied as done all the same: those
//! pages may be gone, the next pass would not copy them again, and its sync would succeed. Only
//! opening the store anew, which copies the whole file again, makes up for it; until then nobody
//! may checkpoint, not even by closing the last connection.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use switchboard_core::{Name, chain};

use crate::metrics;

/// A write-ahead file of this many times the threshold stops the writer until it is worked off.
const HARD: usize = 16;

thread_local! {
    /// Pages in the write-ahead file after the newest commit of this thread.
    static PAGES: Cell<usize> = const { Cell::new(0) };
}

/// What writer and checkpointer know of each other.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Held while a transaction runs, and while the tail of a checkpoint does.
    pub(crate) turn: Mutex<()>,
    signal: Mutex<Signal>,
    changed: Condvar,
    threshold: usize,
    /// Snapshots that are open for long. They keep the file in use, so asking for it as a whole
    /// would only stop the writer; it grows until they are gone.
    held: AtomicUsize,
    /// A sync has failed: what it should have written may be gone, and the next one would not say.
    is_poisoned: AtomicBool,
}

#[derive(Debug, Default)]
struct Signal {
    pages: usize,
    stop: bool,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(wal_bytes: u64) -> Arc<Self> {
        let pages = usize::try_from(wal_bytes / 4_096).unwrap_or(1_000);
        Arc::new(Self {
            turn: Mutex::new(()),
            signal: Mutex::default(),
            changed: Condvar::new(),
            threshold: pages.max(32),
            held: AtomicUsize::new(0),
            is_poisoned: AtomicBool::new(false),
        })
    }

    /// Called by the writer after a commit.
    pub(crate) fn committed(&self) {
        let pages = PAGES.get();
        if pages >= self.threshold {
            let mut signal = self.signal.lock();
            if signal.pages == 0 {
                signal.pages = pages;
                drop(signal);
                self.changed.notify_one();
            } else {
                signal.pages = pages;
            }
        }
    }

    /// Whether a checkpoint has failed to sync; then nothing more may be committed.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.is_poisoned.load(Ordering::Acquire)
    }

    /// A snapshot begins that stays open for long.
    pub(crate) fn hold(&self) {
        self.held.fetch_add(1, Ordering::AcqRel);
    }

    /// It has ended; the next commit asks for a checkpoint.
    pub(crate) fn let_go(&self) {
        self.held.fetch_sub(1, Ordering::AcqRel);
    }

    fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire) > 0
    }

    pub(crate) fn stop(&self) {
        self.signal.lock().stop = true;
        self.changed.notify_one();
    }

    fn wait(&self) -> Option<usize> {
        let mut signal = self.signal.lock();
        loop {
            if signal.stop {
                return None;
            }
            match std::mem::take(&mut signal.pages) {
                0 => self.changed.wait(&mut signal),
                pages => return Some(pages),
            }
        }
    }
}

/// Makes the writer's connection count its pages.
pub(crate) fn count_pages(writer: &Connection) {
    writer.wal_hook(Some(|_, pages| {
        PAGES.set(usize::try_from(pages).unwrap_or(0));
        Ok(())
    }));
}

/// Starts the checkpointer with a connection of its own.
pub(crate) fn spawn(
    connection: Connection,
    shared: Arc<Shared>,
    source: Name,
) -> std::io::Result<JoinHandle<()>> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(std::io::Error::other)?;
    std::thread::Builder::new().name(format!("{source}-checkpoint")).spawn(move || {
        while let Some(pages) = shared.wait() {
            if let Err(error) = checkpoint(&connection, &shared, pages, &source) {
                let code = error.sqlite_error().map(|error| error.extended_code);
                if code == Some(rusqlite::ffi::SQLITE_IOERR_FSYNC) {
                    shared.is_poisoned.store(true, Ordering::Release);
                    tracing::error!(
                        store = %source, error = %chain(&error),
                        "a checkpoint was not synced: open the store again"
                    );
                    return;
                }
                // After anything else the next commit asks again: the write-ahead file keeps it all.
                tracing::warn!(store = %source, error = %chain(&error), "checkpoint failed");
            }
        }
    })
}

fn checkpoint(
    connection: &Connection,
    shared: &Shared,
    pages: usize,
    source: &Name,
) -> rusqlite::Result<()> {
    if pages < HARD * shared.threshold || shared.is_held() {
        run(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    }
    if shared.is_held() {
        return Ok(());
    }
    let turn = shared.turn.lock();
    let begun = Instant::now();
    let busy = run(connection, "PRAGMA wal_checkpoint(RESTART)")?;
    // What was asked for meanwhile is done: the file is empty again.
    shared.signal.lock().pages = 0;
    drop(turn);
    metrics::checkpointed(source, begun.elapsed());
    if busy && pages >= HARD * shared.threshold {
        tracing::warn!(store = %source, pages, "a reader keeps the write-ahead file in use");
    }
    Ok(())
}

/// Runs a checkpoint and says whether somebody was in its way.
fn run(connection: &Connection, sql: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}
