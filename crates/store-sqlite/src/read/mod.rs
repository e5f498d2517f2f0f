//! Reading: a few read-only connections, used inline.
//!
//! A read of a page that is in memory takes microseconds, less than handing it to another thread
//! and back; so it runs where it is asked for. Only long pages go to tokio's blocking threads. A
//! connection is used by one reader at a time and a new one is opened when all are busy, so there
//! are never more than threads that read, and nobody waits for one.

pub(crate) mod inbox;
mod journal;
mod outbox;
mod rows;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use switchboard_store::StoreError;

use crate::error::read_error;
use crate::schema::{self, Role};
use crate::writer::closed;
use crate::{Options, SqliteStore};

/// Idle connections that are kept.
const KEPT: usize = 8;
/// Pages of more records than this are read on a blocking thread.
const INLINE: usize = 256;

pub(crate) struct Pool {
    options: Options,
    idle: Mutex<Option<Vec<Connection>>>,
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, idle: Mutex::new(Some(Vec::new())) }
    }

    /// Reads with one of the connections.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = match &mut *self.idle.lock() {
            Some(idle) => idle.pop(),
            None => return Err(StoreError::Unavailable(closed())),
        };
        let connection = match idle {
            Some(connection) => connection,
            None => schema::connect(&self.options, Role::Reader).map_err(read_error)?,
        };
        let result = read(&connection);
        // A connection that has failed is not used again.
        if !matches!(result, Err(StoreError::Unavailable(_)))
            && let Some(idle) = &mut *self.idle.lock()
            && idle.len() < KEPT
        {
            idle.push(connection);
        }
        result
    }

    /// How the store was opened.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Closes the idle connections; busy ones close when they are given back.
    pub(crate) fn close(&self) {
        self.idle.lock().take();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

// === impl SqliteStore ===

impl SqliteStore {
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.pool().read(read)
    }

    /// Reads a page of so many records, off this thread if it is long.
    async fn read_page<T: Send + 'static>(
        &self,
        limit: usize,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if limit <= INLINE {
            return self.read(read);
        }
        let pool = Arc::clone(self.pool());
        let task = tokio::task::spawn_blocking(move || pool.read(read));
        task.await.map_err(|error| StoreError::Unavailable(error.into()))?
    }
}

/// A limit as SQL takes it.
fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
