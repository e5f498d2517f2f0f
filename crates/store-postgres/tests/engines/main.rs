//! The PostgreSQL store on a real server: it keeps the contract, alone and beside others.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod enqueue;
mod faults;
mod opening;
mod processes;
mod proxy;
mod server;
mod sharing;

use std::sync::Arc;

use switchboard_core::{ManualClock, Rng, Timestamp};
use switchboard_store::Store;
use switchboard_store_postgres::{Options, PostgresStore};
use switchboard_testkit::store::{Subject, TABLES};

use server::{TestSchema, wait};

/// A store in a schema of its own.
struct Postgres {
    schema: TestSchema,
    clock: Arc<ManualClock>,
    pooler: bool,
}

impl Subject for Postgres {
    fn open(&self) -> Arc<dyn Store> {
        let clock = self.clock.clone();
        let options = Options::new(&self.schema.url, "suite", TABLES, clock, Rng::from_seed(1))
            .with_schema(&self.schema.name)
            .with_pooler(self.pooler);
        Arc::new(wait(PostgresStore::open(options)).unwrap())
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn backend(&self) -> &'static str {
        "PostgreSQL"
    }
}

fn postgres(pooler: bool) -> Postgres {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000)));
    Postgres { schema: TestSchema::new(), clock, pooler }
}

switchboard_testkit::store_suite!(postgres(false));

/// The same without anything that needs a session of one's own.
mod pooled {
    use super::postgres;

    switchboard_testkit::store_suite!(postgres(true));
}
