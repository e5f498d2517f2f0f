//! A store that was put back to an older copy begins a new life before it publishes anything.

use std::sync::Arc;

use switchboard_core::Rng;
use switchboard_store::memory::Image;
use switchboard_store::{Journal, MemoryStore};

use crate::support::*;

fn restored(image: &Image, clock: &Arc<PausedClock>) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::from_image(image.clone(), &[], clock.clone(), Rng::from_seed(9)))
}

#[tokio::test(start_paused = true)]
async fn a_store_that_knows_all_its_messages_keeps_its_incarnation() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    commit(&store, "a", 1).await;
    let running = Running::of(relay(&store, &wire, &clock));
    wire.until(1).await;
    running.stop().await;
    commit(&store, "a", 2).await;
    assert_eq!(relay(&store, &wire, &clock).check_incarnation().await.unwrap().incarnation, 1);
}

/// Proof 3: without the check, the second message would carry a sequence that consumers have
/// marked already.
#[tokio::test(start_paused = true)]
async fn a_store_put_back_to_an_older_copy_begins_a_new_incarnation() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    commit(&store, "a", 1).await;
    let image = store.image();
    commit(&store, "a", 2).await;
    let running = Running::of(relay(&store, &wire, &clock));
    wire.until(2).await;
    running.stop().await;

    let copy = restored(&image, &clock);
    let started = relay(&copy, &wire, &clock).start().await.unwrap();
    assert_eq!(started.identity().incarnation, 2);
    assert_eq!(copy.identity().incarnation, 2);
}

/// A copy that is older than an earlier restore must not take up the incarnation of that restore.
#[tokio::test(start_paused = true)]
async fn a_copy_older_than_an_earlier_restore_passes_over_its_incarnation() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let oldest = store.image();
    commit(&store, "a", 1).await;
    let running = Running::of(relay(&store, &wire, &clock));
    wire.until(1).await;
    running.stop().await;

    let second = restored(&oldest, &clock);
    let started = relay(&second, &wire, &clock).start().await.unwrap();
    assert_eq!(started.identity().incarnation, 2);
    commit(&second, "a", 2).await;
    let running = Running::of(relay(&second, &wire, &clock));
    wire.until(2).await;
    running.stop().await;

    let third = restored(&oldest, &clock);
    let started = relay(&third, &wire, &clock).start().await.unwrap();
    assert_eq!(started.identity().incarnation, 3);
}
