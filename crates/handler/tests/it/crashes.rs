//! Stores and brokers that go away, and crashes at every moment: no effect is lost, none is repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use switchboard_core::Rng;
use switchboard_handler::{Error, Failure};
use switchboard_message::Broker;
use switchboard_store::memory::Fault;
use switchboard_store::{Inbox, MemoryStore};
use tokio_util::sync::CancellationToken;

use crate::support::*;

/// Acceptance test 4: a store that refuses for a while loses nothing, and nothing is settled
/// before its commit.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_keeps_deliveries_unsettled_and_loses_none() {
    let world = World::new().await;
    for _ in 0..300 {
        world.store.inject(Fault::Refuse);
    }
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    for number in 0..50 {
        world.send(&format!("k{}", number % 10), number).await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let lags = world.broker.inspect().unwrap().groups().await.unwrap();
    assert_eq!(lags.iter().map(|lag| lag.lag).sum::<u64>(), 50, "nothing is settled");
    for key in 0..10 {
        world.until(&format!("k{key}"), 5).await;
        assert!(world.effects(&format!("k{key}")).await.is_sorted());
    }
    assert!(world.gates().await.is_empty(), "an outage is not the message's fault");
    running.stop().await;
}

/// The same while a failed message is to be stored as waiting.
#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_custody_is_asked_again() {
    let world = World::new().await;
    let running = Running::of(world.notes(|_| Err(Failure::terminal("no"))));
    for _ in 0..5 {
        world.store.inject(Fault::Refuse);
    }
    world.send("a", 1).await;
    world.send("a", 2).await;
    seconds(30).await;
    assert_eq!(world.gate("a").await.unwrap().depth, 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_lost_ends_the_group() {
    for fault in [Fault::CrashBefore, Fault::LoseAck] {
        let world = World::new().await;
        world.store.inject(fault);
        world.send("a", 1).await;
        let group = world.notes(|note| Ok(effect(note)));
        let ended = group.run(CancellationToken::new()).await;
        assert!(matches!(ended, Err(Error::Store { .. })));

        world.store.reopen();
        let running = Running::of(world.notes(|note| Ok(effect(note))));
        world.send("a", 2).await;
        world.until("a", 2).await;
        assert_eq!(world.effects("a").await, [1, 2], "{fault:?}");
        running.stop().await;
    }
}

/// Acceptance test 11: progress never passes work in flight, whatever finishes first.
#[tokio::test(start_paused = true)]
async fn a_crash_delivers_again_what_was_in_flight_and_nothing_is_lost() {
    for millis in (0..60).step_by(3) {
        let world = World::new().await;
        let group = || {
            world.group(GROUP).on(|note: Note, _| async move {
                // The earlier, the slower: commits come in reverse.
                tokio::time::sleep(Duration::from_millis(60 - note.number)).await;
                Ok(effect(&note))
            })
        };
        for number in 0..60 {
            world.send(&format!("k{number}"), number).await;
        }
        let running = Running::of(group());
        tokio::time::sleep(Duration::from_millis(millis)).await;
        running.crash().await;
        let running = Running::of(group());
        for number in 0..60 {
            world.until(&format!("k{number}"), 1).await;
        }
        seconds(1).await;
        for number in 0..60 {
            assert_eq!(world.effects(&format!("k{number}")).await, [number], "at {millis} ms");
        }
        running.stop().await;
    }
}

/// A group that stops in an orderly way has its whole progress stored.
#[tokio::test(start_paused = true)]
async fn an_orderly_end_stores_the_progress_and_nothing_is_delivered_again() {
    let world = World::new().await;
    let handled = Arc::new(AtomicU32::new(0));
    let group = || {
        let handled = handled.clone();
        world.group(GROUP).on(move |note: Note, _| {
            handled.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_millis(100 - note.number)).await;
                Ok(effect(&note))
            }
        })
    };
    for number in 0..100 {
        world.send(&format!("k{number}"), number).await;
    }
    let running = Running::of(group());
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.stop().await;
    let before = handled.load(Ordering::SeqCst);
    let running = Running::of(group());
    for number in 0..100 {
        world.until(&format!("k{number}"), 1).await;
    }
    assert_eq!(handled.load(Ordering::SeqCst), 100, "{before} before the restart");
    running.stop().await;
}

/// Once nothing is in flight the stored progress is complete, without a shutdown.
#[tokio::test(start_paused = true)]
async fn the_progress_of_an_idle_group_is_complete() {
    let world = World::new().await;
    let running = Running::of(world.group(GROUP).on(|note: Note, _| async move {
        tokio::time::sleep(Duration::from_millis(20 - note.number)).await;
        Ok(effect(&note))
    }));
    let key = |number| format!("k{number}");
    for number in 0..20 {
        world.send(&key(number), number).await;
    }
    for number in 0..20 {
        world.until(&key(number), 1).await;
    }
    seconds(1).await;
    let mut sum = 0;
    for partition in 0..8 {
        let progress = world.store.progress(GROUP, "notes", partition).await.unwrap();
        sum += progress.map_or(0, |progress| progress.position.0);
    }
    assert_eq!(sum, 20);
    running.crash().await;
}

/// A restart from the image of a store: blocked keys are worked off, marks are kept.
#[tokio::test(start_paused = true)]
async fn blocked_keys_survive_a_restart() {
    let mut world = World::new().await;
    let running =
        Running::of(world.notes(|_| Err(Failure::retry("not yet"))).with_options(delays(&[30])));
    world.send("a", 1).await;
    world.send("a", 2).await;
    seconds(1).await;
    running.crash().await;
    let image = world.store.image();
    let store = MemoryStore::from_image(image, &[], world.clock.clone(), Rng::from_seed(5));
    world.store = Arc::new(store);
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    world.send("a", 3).await;
    world.until("a", 3).await;
    assert_eq!(world.effects("a").await, [1, 2, 3]);
    running.stop().await;
}

/// A broker that stands still for a while does not end the group.
#[tokio::test(start_paused = true)]
async fn a_broker_that_pauses_is_waited_for() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    world.send("a", 1).await;
    world.until("a", 1).await;
    world.broker.faults().pause();
    seconds(300).await;
    world.broker.faults().resume();
    world.send("a", 2).await;
    world.until("a", 2).await;
    running.stop().await;
}
