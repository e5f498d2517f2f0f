//! What the conformance suite does not ask: images and injected faults.

use std::sync::Arc;

use switchboard_core::{ManualClock, Rng};

use super::{Fault, MemoryStore};
use crate::{Column, CommitError, Journal, Rows, Table, Unit};

static COUNTS: Table = Table { name: "counts", columns: &[Column::integer("n")], indexes: &[] };

fn store() -> MemoryStore {
    let clock = Arc::new(ManualClock::default());
    MemoryStore::new("tests", &[&COUNTS], clock, Rng::from_seed(1))
}

fn one() -> Unit {
    Unit::new().add(&COUNTS, "a", "n", 1)
}

async fn count(store: &MemoryStore) -> i64 {
    store.row(&COUNTS, "a").await.unwrap().map_or(0, |row| row.integer("n"))
}

#[tokio::test]
async fn a_lost_ack_leaves_the_unit_and_a_crash_before_does_not() {
    for (fault, expected) in [(Fault::LoseAck, 1), (Fault::CrashBefore, 0)] {
        let store = store();
        store.inject(fault);
        assert!(matches!(store.commit(one()).await, Err(CommitError::Unknown(_))));
        let refused = store.commit(one()).await;
        assert!(matches!(refused, Err(CommitError::Unavailable(_))), "until it is opened again");
        assert_eq!(count(&store).await, expected);
        store.reopen();
        store.commit(one()).await.unwrap();
        assert_eq!(count(&store).await, expected + 1);
    }
}

#[tokio::test]
async fn a_refused_commit_leaves_nothing_and_the_next_one_works() {
    let store = store();
    store.inject(Fault::Refuse);
    assert!(matches!(store.commit(one()).await, Err(CommitError::Unavailable(_))));
    assert_eq!(count(&store).await, 0);
    store.commit(one()).await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn an_image_is_a_copy_that_later_commits_do_not_reach() {
    let store = store();
    store.commit(one()).await.unwrap();
    let image = store.image();
    store.commit(one()).await.unwrap();
    let clock = Arc::new(ManualClock::default());
    let older = MemoryStore::from_image(image, &[&COUNTS], clock, Rng::from_seed(2));
    assert_eq!((count(&older).await, count(&store).await), (1, 2));
}
