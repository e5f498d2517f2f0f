//! A message that can never be published parks its key, and an operator releases it in order.

use std::time::Duration;

use switchboard_core::{Clock, Key};
use switchboard_relay::GROUP;
use switchboard_store::{GateOp, Inbox, Journal, MemoryStore, Unit};

use crate::support::*;

async fn depth(store: &MemoryStore, key: &str) -> u64 {
    store.gate(GROUP, &Key::from(key)).await.unwrap().map_or(0, |gate| gate.depth)
}

async fn wake(store: &MemoryStore, clock: &dyn Clock, key: &str) {
    let wake = GateOp::Wake { group: GROUP.into(), key: Key::from(key), at: clock.now() };
    store.commit(Unit { gates: vec![wake], ..Unit::new() }).await.unwrap();
}

/// Proof 4: a poisoned message parks only its key, also across a restart of the relay.
#[tokio::test(start_paused = true)]
async fn a_poisoned_message_parks_its_key_and_later_ones_join_behind() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    wire.script(|envelope| (*envelope.payload == *b"2").then(refused));
    let running = Running::of(relay(&store, &wire, &clock));
    for number in 1..=3 {
        commit(&store, "bad", number).await;
        commit(&store, "good", number * 10).await;
    }
    wire.until(4).await;
    until("the key to be parked", || wire.taken().len() == 4).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(depth(&store, "bad").await, 2);
    running.stop().await;

    let running = Running::of(relay(&store, &wire, &clock));
    commit(&store, "bad", 4).await;
    commit(&store, "good", 40).await;
    wire.until(5).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(depth(&store, "bad").await, 3);
    assert_eq!(wire.by_key()["bad"], [1]);
    assert_eq!(wire.by_key()["good"], [10, 20, 30, 40]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replayed_key_is_published_in_order_and_opens() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    wire.script(|envelope| (*envelope.payload == *b"1").then(refused));
    let running = Running::of(relay(&store, &wire, &clock));
    for number in 1..=100 {
        commit(&store, "bad", number).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(depth(&store, "bad").await, 100);

    wake(&store, &*clock, "bad").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(depth(&store, "bad").await, 100, "it is still refused, and parked again");
    let waiting = store.waiting(GROUP, &Key::from("bad"), 1).await.unwrap();
    assert_eq!(waiting[0].failures.len(), 2);

    wire.script(|_| None);
    wake(&store, &*clock, "bad").await;
    wire.until(100).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(depth(&store, "bad").await, 0);
    commit(&store, "bad", 101).await;
    wire.until(101).await;
    assert_eq!(wire.by_key()["bad"], (1..=101).collect::<Vec<_>>());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replay_meets_a_broker_that_is_away_and_goes_on_by_itself() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    wire.script(|envelope| (*envelope.payload == *b"1").then(refused));
    let running = Running::of(relay(&store, &wire, &clock));
    commit(&store, "bad", 1).await;
    commit(&store, "bad", 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    wire.script(|_| Some(unavailable()));
    wake(&store, &*clock, "bad").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    wire.script(|_| None);
    wire.until(2).await;
    assert_eq!(wire.by_key()["bad"], [1, 2]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_key_parks_alone() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    wire.script(|envelope| (*envelope.payload == *b"1").then(refused));
    let running = Running::of(relay(&store, &wire, &clock));
    for number in 1..=20 {
        commit(&store, "", number).await;
    }
    wire.until(19).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let gates = store.gates(Some(GROUP), 10).await.unwrap();
    assert_eq!(gates.len(), 1);
    assert_eq!(gates[0].depth, 1);
    running.stop().await;
}

/// The key is parked in the same commit as the checkpoint: no crash loses the dead letter or
/// publishes what comes after it first.
#[tokio::test(start_paused = true)]
async fn a_crash_around_the_parking_keeps_the_dead_letter_once() {
    for millis in 0..12 {
        let clock = clock();
        let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
        wire.script(|envelope| (*envelope.payload == *b"2").then(refused));
        for number in 1..=6 {
            commit(&store, "bad", number).await;
        }
        let running = Running::of(relay(&store, &wire, &clock));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        running.crash().await;
        let running = Running::of(relay(&store, &wire, &clock));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(depth(&store, "bad").await, 5, "crash at {millis} ms");
        assert_eq!(wire.by_key()["bad"], [1]);
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_to_park_is_asked_again() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    wire.script(|envelope| (*envelope.payload == *b"1").then(refused));
    commit(&store, "bad", 1).await;
    commit(&store, "bad", 2).await;
    commit(&store, "good", 3).await;
    for _ in 0..3 {
        store.inject(switchboard_store::memory::Fault::Refuse);
    }
    let running = Running::of(relay(&store, &wire, &clock));
    wire.until(1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(depth(&store, "bad").await, 2);
    assert_eq!(wire.taken(), ["good:3"]);
    running.stop().await;
}
