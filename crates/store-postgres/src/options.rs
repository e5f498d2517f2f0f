//! How to open a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, Name, Rng};
use switchboard_store::Table;

/// Settings of a store.
#[derive(Clone)]
pub struct Options {
    pub(crate) url: String,
    pub(crate) source: Name,
    pub(crate) tables: &'static [&'static Table],
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Rng,
    pub(crate) schema: String,
    pub(crate) connections: u32,
    pub(crate) batch_units: usize,
    pub(crate) lazy_wait: Duration,
    pub(crate) patience: Duration,
    pub(crate) lock_wait: Duration,
    pub(crate) poll: Duration,
    pub(crate) pooler: bool,
}

// === impl Options ===

impl Options {
    /// The store of the service `source` on the server at `url`
    /// (`postgres://user:password@host:port/database`). What is missing of `tables` is created
    /// when the store opens.
    pub fn new(
        url: impl Into<String>,
        source: impl Into<Name>,
        tables: &'static [&'static Table],
        clock: Arc<dyn Clock>,
        rng: Rng,
    ) -> Self {
        let source = source.into();
        Self {
            url: url.into(),
            schema: source.to_string(),
            source,
            tables,
            clock,
            rng,
            connections: 5,
            batch_units: 512,
            lazy_wait: Duration::from_millis(20),
            patience: Duration::from_secs(5),
            lock_wait: Duration::from_secs(10),
            poll: Duration::from_secs(2),
            pooler: false,
        }
    }

    /// The schema that holds the store, created if it is missing. Default: the service's name.
    /// Every process of the service names the same one, and no other service does.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// How many connections the store may hold: one commits, one listens, the others read.
    /// Default 5, at least 3.
    #[must_use]
    pub fn with_connections(mut self, connections: u32) -> Self {
        self.connections = connections.max(3);
        self
    }

    /// How many units share one commit at most. Default 512, from 1 to 5 000.
    #[must_use]
    pub fn with_batch_units(mut self, units: usize) -> Self {
        self.batch_units = units.clamp(1, 5_000);
        self
    }

    /// How long a lazy unit waits for company at most. Default 20 ms, at most 1 s.
    #[must_use]
    pub fn with_lazy_wait(mut self, wait: Duration) -> Self {
        self.lazy_wait = wait.min(Duration::from_secs(1));
        self
    }

    /// How long units wait for a server that is gone before they are answered with an error.
    /// Default 5 s, at most 5 min.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(Duration::from_secs(300));
        self
    }

    /// How long a commit waits for rows and locks that somebody else holds. Default 10 s, from
    /// 100 ms to 5 min.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait.clamp(Duration::from_millis(100), Duration::from_secs(300));
        self
    }

    /// How often the store looks for commits of other processes whose hint was lost. Default 2 s,
    /// from 10 ms to 5 min. Without hints (see [`Options::with_pooler`]) this is their latency.
    #[must_use]
    pub fn with_poll(mut self, every: Duration) -> Self {
        self.poll = every.clamp(Duration::from_millis(10), Duration::from_secs(300));
        self
    }

    /// Whether the server is reached through a proxy that pools transactions. The store then
    /// neither listens nor leaves settings in a session. Default no.
    #[must_use]
    pub fn with_pooler(mut self, is_between: bool) -> Self {
        self.pooler = is_between;
        self
    }
}

impl fmt::Debug for Options {
    /// Without the address: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("source", &self.source)
            .field("schema", &self.schema)
            .field("tables", &self.tables.len())
            .field("connections", &self.connections)
            .field("batch_units", &self.batch_units)
            .field("lazy_wait", &self.lazy_wait)
            .field("patience", &self.patience)
            .field("lock_wait", &self.lock_wait)
            .field("poll", &self.poll)
            .field("pooler", &self.pooler)
            .finish_non_exhaustive()
    }
}
