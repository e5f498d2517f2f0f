//! How a group begins and ends.

use std::time::Duration;

use switchboard_core::{Position, Retryable, Verdict};
use switchboard_handler::{Error, Failure, Options};
use switchboard_message::ConsumeError;
use switchboard_store::{Inbox, Journal, Progress, Unit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn wrong_options_and_missing_handlers_are_refused_at_once() {
    let world = World::new().await;
    let ended = world.group(GROUP).run(CancellationToken::new()).await;
    assert!(matches!(ended, Err(Error::Invalid { .. })));
    for options in [
        Options { concurrency: 0, ..Options::default() },
        Options { in_flight: 100_000, ..Options::default() },
        Options { delays: vec![Duration::from_secs(30 * 24 * 3600)], ..Options::default() },
    ] {
        let group = world.notes(|note| Ok(effect(note))).with_options(options);
        let ended = group.run(CancellationToken::new()).await;
        assert!(matches!(ended, Err(Error::Invalid { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_not_declared_ends_the_group() {
    let world = World::new().await;
    let group = world.group(GROUP).on_any("nowhere", |_| async { Ok(Unit::new()) });
    let ended = group.run(CancellationToken::new()).await;
    assert!(matches!(ended, Err(Error::Subscribe { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_closed_ends_the_group() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    seconds(1).await;
    world.broker.close();
    let ended = running.task.await.unwrap();
    let Err(Error::Consume { source: ConsumeError::Closed, .. }) = ended else {
        panic!("{ended:?}");
    };
}

/// Below the oldest kept record is Stuck, never a reset.
#[tokio::test(start_paused = true)]
async fn progress_below_retention_stops_the_group_for_a_person() {
    use switchboard_message::{Broker, Retention, Topic, Topology};
    let world = World::new().await;
    let tiny = Retention { age: None, bytes: Some(2_000) };
    let topic = Topic::new("short").with_partitions(1).with_retention(tiny);
    world.broker.declare(&Topology::of([topic])).await.unwrap();
    for number in 0..100 {
        let mut envelope = world.envelope("a", number);
        envelope.topic = "short".into();
        world.publish(&envelope).await;
    }
    let progress = Progress {
        group: GROUP.into(),
        topic: "short".into(),
        partition: 0,
        epoch: 1,
        position: Position(1),
    };
    world.store.commit(Unit { progress: vec![progress], ..Unit::new() }).await.unwrap();
    let group = world.group(GROUP).on_any("short", |_| async { Ok(Unit::new()) });
    let ended = group.run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&ended, Error::Consume { source: ConsumeError::BelowRetention { .. }, .. }));
    assert_eq!(ended.verdict(), Verdict::Stuck);
    let stored = world.store.progress(GROUP, "short", 0).await.unwrap().unwrap();
    assert_eq!(stored.position, Position(1), "nothing was reset");
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_running_handlers_end_and_starts_no_more() {
    let world = World::new().await;
    let running = Running::of(world.group(GROUP).on(|note: Note, _| async move {
        seconds(2).await;
        Ok(effect(&note))
    }));
    for number in 1..=3 {
        world.send("a", number).await;
    }
    seconds(1).await;
    let begun = Instant::now();
    running.stop().await;
    assert!(begun.elapsed() < Duration::from_millis(1_100));
    assert_eq!(world.effects("a").await, [1]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_ever() {
    let world = World::new().await;
    let running = Running::of(world.group(GROUP).on(|note: Note, _| async move {
        seconds(1_000).await;
        Ok(effect(&note))
    }));
    world.send("a", 1).await;
    seconds(1).await;
    let begun = Instant::now();
    running.stop().await;
    assert!(begun.elapsed() <= Duration::from_millis(4_100), "{:?}", begun.elapsed());
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    world.until("a", 1).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_interrupts_waits_for_a_store_that_is_away() {
    let world = World::new().await;
    for _ in 0..10_000 {
        world.store.inject(switchboard_store::memory::Fault::Refuse);
    }
    let running = Running::of(world.notes(|note| Ok(effect(note))));
    world.send("a", 1).await;
    seconds(60).await;
    let begun = Instant::now();
    running.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
}

/// Nothing ticks, with a parked key neither.
#[tokio::test(start_paused = true)]
async fn an_idle_group_does_nothing() {
    let world = World::new().await;
    let running = Running::of(world.notes(|note| match note.number {
        1 => Err(Failure::terminal("no")),
        _ => Ok(effect(note)),
    }));
    world.send("parked", 1).await;
    world.send("a", 2).await;
    world.until("a", 1).await;
    seconds(5).await;
    let looks = world.clock.looks();
    seconds(24 * 3600).await;
    assert_eq!(world.clock.looks(), looks);
    running.stop().await;
}
