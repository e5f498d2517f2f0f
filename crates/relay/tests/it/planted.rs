//! Bugs that are planted on purpose, each found by the check that would find it by accident.

use std::time::Duration;

use switchboard_relay::planted::Planted;

use crate::support::*;

/// How many of ten messages are lost when the broker does not answer the first call and the relay
/// is started again.
async fn losses(bug: Planted) -> usize {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    for number in 0..10 {
        commit(&store, &format!("k{number}"), number).await;
    }
    wire.inner.faults().refuse_publishes(10);
    let running = Running::of(relay(&store, &wire, &clock).with_planted_bug(bug));
    tokio::time::sleep(Duration::from_millis(1)).await;
    running.crash().await;
    let running = Running::of(relay(&store, &wire, &clock));
    tokio::time::sleep(Duration::from_secs(60)).await;
    running.stop().await;
    10 - wire.first_occurrences().len()
}

#[tokio::test(start_paused = true)]
async fn planted_checkpoint_before_ack_is_found() {
    assert_eq!(losses(Planted::CheckpointBeforeAck).await, 10, "the check must see the bug");
    assert_eq!(losses(Planted::Nothing).await, 0);
}
