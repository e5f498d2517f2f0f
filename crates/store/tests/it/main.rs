//! The store in memory keeps the contract.

use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_core::{ManualClock, Rng, Timestamp};
use switchboard_store::memory::Image;
use switchboard_store::{MemoryStore, Store};
use switchboard_testkit::store::{Subject, TABLES};

/// Opened again, it goes on from the image of what was committed.
struct Memory {
    clock: Arc<ManualClock>,
    last: Mutex<Option<Arc<MemoryStore>>>,
}

impl Subject for Memory {
    fn open(&self) -> Arc<dyn Store> {
        let mut last = self.last.lock();
        let clock = self.clock.clone();
        let image: Option<Image> = last.as_ref().map(|store| store.image());
        let store = match image {
            Some(image) => MemoryStore::from_image(image, TABLES, clock, Rng::from_seed(2)),
            None => MemoryStore::new("suite", TABLES, clock, Rng::from_seed(1)),
        };
        let store = Arc::new(store);
        *last = Some(store.clone());
        store
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn backend(&self) -> &'static str {
        "memory"
    }
}

fn memory() -> Memory {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000)));
    Memory { clock, last: Mutex::new(None) }
}

switchboard_testkit::store_suite!(memory());
