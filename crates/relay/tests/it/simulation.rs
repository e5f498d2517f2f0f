//! Random failures, crashes and replays from a seed: nothing is lost, and each key keeps its order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::{Clock, Rng};
use switchboard_message::PublishError;
use switchboard_relay::GROUP;
use switchboard_store::{GateOp, Inbox, Journal, Unit};

use crate::support::*;

/// One run: 300 messages of 12 keys, two relays that crash and fail at random, then calm.
async fn run(seed: u64) {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let mut rng = Rng::from_seed(seed);
    let chance = Arc::new(Mutex::new(rng.fork()));
    wire.script(move |_| -> Option<PublishError> {
        match chance.lock().below(20) {
            0..4 => Some(unavailable()),
            4 => Some(refused()),
            _ => None,
        }
    });
    let mut expected: HashMap<String, Vec<u64>> = HashMap::new();
    let mut relays = [None, None];
    for number in 0..300 {
        let key = format!("k{}", rng.below(12));
        commit(&store, &key, number).await;
        expected.entry(key).or_default().push(number);
        if number % 10 == 0 {
            let which = &mut relays[usize::try_from(rng.below(2)).unwrap()];
            match which.take() {
                Some(running) => Running::crash(running).await,
                None => *which = Some(Running::of(relay(&store, &wire, &clock))),
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.below(4))).await;
    }
    wire.script(|_| None);
    for relay in relays.into_iter().flatten() {
        relay.crash().await;
    }
    let running = Running::of(relay(&store, &wire, &clock));
    tokio::time::sleep(Duration::from_secs(30)).await;
    for gate in store.gates(Some(GROUP), 100).await.unwrap() {
        let wake = GateOp::Wake { group: gate.group, key: gate.key, at: clock.now() };
        store.commit(Unit { gates: vec![wake], ..Unit::new() }).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(wire.by_key(), expected, "seed {seed}");
    assert!(store.gates(Some(GROUP), 1).await.unwrap().is_empty(), "seed {seed}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_each_key_arrives_complete_and_in_order() {
    for seed in 0..60 {
        run(seed).await;
    }
}
