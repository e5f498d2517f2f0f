//! Timers fire once, when they are due, in the order in which they are due.

use std::time::Duration;

use switchboard_core::{Clock, Timestamp};
use switchboard_relay::{Options, Relay};
use switchboard_store::{Journal, MemoryStore, TimerOp, Unit};
use tokio::time::Instant;

use crate::support::*;

async fn set(store: &MemoryStore, id: &str, due: Timestamp, number: u64) {
    let message = Box::new(message("k", number));
    let set = TimerOp::Set { id: id.into(), due, message };
    store.commit(Unit::new().timer(set)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_timer_fires_when_it_is_due_and_not_before() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let running = Running::of(relay(&store, &wire, &clock));
    let begun = Instant::now();
    set(&store, "a", clock.now().plus(Duration::from_secs(90)), 1).await;
    wire.until(1).await;
    let took = begun.elapsed();
    assert!((90.0..90.1).contains(&took.as_secs_f64()), "{took:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_earlier_timer_and_a_moved_one_wake_the_sleeper() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let running = Running::of(relay(&store, &wire, &clock));
    let begun = Instant::now();
    set(&store, "late", clock.now().plus(Duration::from_secs(500)), 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    set(&store, "early", clock.now().plus(Duration::from_secs(9)), 2).await;
    wire.until(1).await;
    assert!(begun.elapsed() < Duration::from_secs(11));
    set(&store, "late", clock.now().plus(Duration::from_secs(10)), 3).await;
    wire.until(2).await;
    assert!(begun.elapsed() < Duration::from_secs(21));
    assert_eq!(wire.by_key()["k"], [2, 3]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_timer_does_not_fire() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let running = Running::of(relay(&store, &wire, &clock));
    set(&store, "a", clock.now().plus(Duration::from_secs(5)), 1).await;
    set(&store, "b", clock.now().plus(Duration::from_secs(6)), 2).await;
    store.commit(Unit::new().timer(TimerOp::Cancel { id: "a".into() })).await.unwrap();
    wire.until(1).await;
    assert_eq!(wire.by_key()["k"], [2]);
    running.stop().await;
}

/// Acceptance test 10: after a downtime many timers are due, and the rate and the order hold.
#[tokio::test(start_paused = true)]
async fn a_flood_of_due_timers_fires_in_order_at_a_bounded_rate() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let past = clock.now();
    for number in 0..2_000_u64 {
        // Set in an order that is not the one in which they are due.
        let number = (number * 7) % 2_000;
        let due = past.plus(Duration::from_millis(number));
        set(&store, &format!("t{number}"), due, number).await;
    }
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let options = Options { timers_per_second: 500, ..Options::default() };
    let begun = Instant::now();
    let relay = Relay::new(store.clone(), std::sync::Arc::new(wire.clone()), clock.clone());
    let running = Running::of(relay.with_options(options));
    wire.until(2_000).await;
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(wire.by_key()["k"], (0..2_000).collect::<Vec<_>>());
    running.stop().await;
}

/// Firing is one unit: whatever the moment of a crash, the message leaves once.
#[tokio::test(start_paused = true)]
async fn a_crash_around_the_firing_neither_loses_nor_doubles_the_message() {
    for millis in 0..6 {
        let clock = clock();
        let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
        set(&store, "a", clock.now().plus(Duration::from_millis(3)), 1).await;
        let running = Running::of(relay(&store, &wire, &clock));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        running.crash().await;
        let (one, two) = (relay(&store, &wire, &clock), relay(&store, &wire, &clock));
        let (one, two) = (Running::of(one), Running::of(two));
        tokio::time::sleep(Duration::from_secs(5)).await;
        one.stop().await;
        two.stop().await;
        let ids: std::collections::HashSet<_> = wire.ids().into_iter().collect();
        assert_eq!(ids.len(), 1, "crash at {millis} ms");
    }
}
