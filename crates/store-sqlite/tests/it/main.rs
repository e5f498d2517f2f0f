//! The SQLite store keeps the contract, opens only what it may, and survives power cuts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup;
mod crash;
mod faults;
mod opening;

use std::sync::Arc;

use switchboard_core::{ManualClock, Rng, Timestamp};
use switchboard_store::Store;
use switchboard_store_sqlite::{Options, SqliteStore};
use switchboard_testkit::store::{Subject, TABLES};
use tempfile::TempDir;

/// A store in a temporary folder.
struct Sqlite {
    folder: TempDir,
    clock: Arc<ManualClock>,
}

impl Sqlite {
    fn options(&self) -> Options {
        let path = self.folder.path().join("suite.db");
        let rng = Rng::from_seed(1);
        Options::new(path, "suite", self.clock.clone(), rng)
            .with_tables(TABLES)
            .with_wal_bytes(256 << 10)
    }
}

impl Subject for Sqlite {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.options()).unwrap())
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn backend(&self) -> &'static str {
        "SQLite"
    }
}

fn sqlite() -> Sqlite {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000)));
    Sqlite { folder: tempfile::tempdir().unwrap(), clock }
}

switchboard_testkit::store_suite!(sqlite());
