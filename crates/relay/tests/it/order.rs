//! Everything committed leaves, in order per key, whatever the broker does.

use std::time::Duration;

use switchboard_core::Position;
use switchboard_store::Outbox;
use tokio::time::Instant;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_message_leaves_right_after_its_commit() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let running = Running::of(relay(&store, &wire, &clock));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let begun = Instant::now();
    commit(&store, "a", 1).await;
    wire.until(1).await;
    assert!(begun.elapsed() < Duration::from_millis(5), "{:?}", begun.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_leaves_in_order_per_key_and_complete() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let running = Running::of(relay(&store, &wire, &clock));
    for number in 0..3_000 {
        commit(&store, &format!("k{}", number % 7), number).await;
        if number % 400 == 0 {
            commit(&store, "", number).await;
        }
    }
    wire.until(3_008).await;
    assert_eq!(wire.taken().len(), 3_008, "nothing leaves twice without need");
    for (key, numbers) in wire.by_key() {
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
    running.stop().await;
}

/// Bug class F: errors of single entries of a batch are not lost with the batch.
#[tokio::test(start_paused = true)]
async fn class_f_each_failed_message_of_a_batch_is_published_again() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    for number in 0..200 {
        commit(&store, &format!("k{number}"), number).await;
    }
    let mut calls = 0;
    wire.script(move |_| {
        calls += 1;
        (calls <= 200 && calls % 3 == 0).then(unavailable)
    });
    let running = Running::of(relay(&store, &wire, &clock));
    wire.until(200).await;
    running.stop().await;
}

/// Bug classes B and G, and acceptance test 2: one record is backed off while later ones of its
/// key wait behind it, and other keys do not notice.
#[tokio::test(start_paused = true)]
async fn class_b_a_record_that_fails_for_now_holds_its_own_key_only() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let begun = Instant::now();
    let bad_until = begun + Duration::from_secs(20);
    wire.script(move |envelope| {
        let is_bad = envelope.key == Some("bad".into()) && *envelope.payload == *b"1";
        (is_bad && Instant::now() < bad_until).then(unavailable)
    });
    let running = Running::of(relay(&store, &wire, &clock));
    for number in 1..=5 {
        commit(&store, "bad", number).await;
        commit(&store, "good", number).await;
    }
    wire.until(5).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(wire.by_key()["good"], [1, 2, 3, 4, 5]);
    assert!(!wire.by_key().contains_key("bad"));
    wire.until(10).await;
    assert_eq!(wire.by_key()["bad"], [1, 2, 3, 4, 5]);
    let late = begun.elapsed() - Duration::from_secs(20);
    assert!(late < Duration::from_secs(3), "the wait between tries is bounded: {late:?}");
    running.stop().await;
}

/// Acceptance test 2 and proof 4: two relays of one store, one record that fails in one of them.
#[tokio::test(start_paused = true)]
async fn class_b_two_relays_keep_the_order_of_first_occurrences() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let mut failures = 0;
    wire.script(move |envelope| {
        let fails = envelope.key.as_ref().is_some_and(|key| key.to_string() == "k3");
        failures += u32::from(fails);
        (fails && failures < 9).then(unavailable)
    });
    let first = Running::of(relay(&store, &wire, &clock));
    let second = Running::of(relay(&store, &wire, &clock));
    for number in 0..300 {
        commit(&store, &format!("k{}", number % 10), number).await;
        if number % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    wire.until(150).await;
    first.crash().await;
    wire.until(300).await;
    for (key, numbers) in wire.by_key() {
        assert_eq!(numbers.len(), 30);
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
    second.stop().await;
}

/// Acceptance test 2: killed between send and settle, duplicates are allowed, another order is not.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_repeats_messages_and_never_reorders_or_loses_them() {
    for millis in 0..40 {
        let clock = clock();
        let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
        wire.inner.faults().lose_acks(3);
        for number in 0..60 {
            commit(&store, &format!("k{}", number % 3), number).await;
        }
        let running = Running::of(relay(&store, &wire, &clock));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        running.crash().await;
        let running = Running::of(relay(&store, &wire, &clock));
        wire.until(60).await;
        for (key, numbers) in wire.by_key() {
            assert_eq!(numbers.len(), 20);
            assert!(numbers.is_sorted(), "crash at {millis} ms, {key}: {numbers:?}");
        }
        running.stop().await;
    }
}

/// Proof 5: the store takes units while the broker is away, and everything leaves when it is back.
#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_for_30_s_gets_everything_in_order() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let running = Running::of(relay(&store, &wire, &clock));
    wire.inner.faults().pause();
    for number in 0..2_000 {
        commit(&store, &format!("k{}", number % 500), number).await;
        if number % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
        }
    }
    wire.inner.faults().resume();
    let back = Instant::now();
    wire.until(2_000).await;
    assert!(back.elapsed() < Duration::from_secs(4), "{:?}", back.elapsed());
    for (key, numbers) in wire.by_key() {
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
    running.stop().await;
}

/// Bug class I: what is done with is deleted in small steps, and nothing else.
#[tokio::test(start_paused = true)]
async fn class_i_published_messages_are_swept_and_others_are_kept() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    wire.script(|envelope| (*envelope.payload == *b"7").then(unavailable));
    for number in 0..40 {
        commit(&store, &format!("k{number}"), number).await;
    }
    let running = Running::of(relay(&store, &wire, &clock));
    wire.until(39).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let left = store.outgoing(Position::START, 100).await.unwrap();
    let slot = left.iter().find(|left| *left.envelope.payload == *b"7").unwrap().slot;
    assert!(left.iter().all(|left| left.slot == slot), "only its own slot's are kept");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clean_restart_publishes_nothing_again() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    let running = Running::of(relay(&store, &wire, &clock));
    for number in 0..50 {
        commit(&store, &format!("k{}", number % 5), number).await;
    }
    wire.until(50).await;
    running.stop().await;
    commit(&store, "k0", 50).await;
    let running = Running::of(relay(&store, &wire, &clock));
    wire.until(51).await;
    assert_eq!(wire.taken().len(), 51);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_lost_ends_the_relay() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    commit(&store, "a", 1).await;
    store.inject(switchboard_store::memory::Fault::CrashBefore);
    let shutdown = tokio_util::sync::CancellationToken::new();
    let ended = relay(&store, &wire, &clock).run(shutdown).await;
    assert!(matches!(ended, Err(switchboard_relay::Error::StoreLost(_))));
}

/// Nothing ticks: an idle relay neither looks at the clock nor asks its store.
#[tokio::test(start_paused = true)]
async fn an_idle_relay_does_nothing() {
    let clock = clock();
    let (wire, store) = (Wire::new(clock.clone()).await, store(&clock));
    wire.script(|envelope| (*envelope.payload == *b"1").then(refused));
    let running = Running::of(relay(&store, &wire, &clock));
    commit(&store, "parked", 1).await;
    commit(&store, "a", 2).await;
    wire.until(1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let looks = clock.looks();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(clock.looks(), looks);
    running.stop().await;
}
