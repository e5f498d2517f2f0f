//! Silence is no answer: what has happened is unknown, so the same is asked again, and nothing is undone.

use std::time::Duration;

use switchboard_saga::Phase;

use crate::trip::{PATIENCE, trip_with_two_undos};
use crate::world::{World, done, refused, undo};

const MOMENT: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn silence_asks_the_same_question_again_and_never_undoes() {
    let mut world = World::new().await;
    world.start("t1").await;
    world.told("t1", done("look")).await;
    world.asked().await;
    for _ in 0..5 {
        world.pass(2 * PATIENCE).await;
        assert_eq!(world.asked().await, ["do room #1"]);
        assert_eq!((world.phase("t1").await, world.timers().await), (Phase::Doing(1), 1));
    }
    world.told("t1", done("room")).await;
    assert_eq!(world.phase("t1").await, Phase::Doing(2), "a late answer is an answer");
}

#[tokio::test(start_paused = true)]
async fn an_undo_is_asked_for_again_too() {
    let mut world = World::new().await;
    world.start("t1").await;
    for answer in [done("look"), done("room"), refused("pay", "no_money")] {
        world.told("t1", answer).await;
    }
    world.asked().await;
    world.pass(2 * PATIENCE).await;
    world.pass(2 * PATIENCE).await;
    assert!(world.asked().await.ends_with(&["undo room #1".to_owned()]));
    world.told("t1", undo(done("room"))).await;
    assert_eq!((world.phase("t1").await, world.timers().await), (Phase::Undone, 0));
}

/// One timer serves a whole run: fired while the last question is young, it only waits on.
#[tokio::test(start_paused = true)]
async fn a_timer_that_fires_early_waits_on() {
    let mut world = World::new().await;
    world.start("t1").await;
    world.pass(PATIENCE - 2 * MOMENT).await;
    world.told("t1", done("look")).await;
    world.asked().await;
    world.pass(2 * MOMENT).await;
    assert!(world.asked().await.is_empty(), "that question is only seconds old");
    assert_eq!(world.timers().await, 1);
    world.pass(PATIENCE).await;
    assert_eq!(world.asked().await, ["do room #1"]);
}

/// Acceptance test 6: a timeout after the end, and one while a person is waited for.
#[tokio::test(start_paused = true)]
async fn a_timeout_of_a_run_that_waits_for_nobody_changes_nothing() {
    let mut world = World::new().await;
    world.start("t1").await;
    for answer in [done("look"), done("room"), refused("pay", "no_money")] {
        world.told("t1", answer).await;
    }
    world.told("t1", undo(refused("room", "locked"))).await;
    world.asked().await;
    let before = world.shown("t1").await.run;
    world.pass(2 * PATIENCE).await;
    assert_eq!(world.shown("t1").await.run, before);
    assert!(world.asked().await.is_empty());
    let unit = world.saga.retry("t1", "olga").await.unwrap();
    world.commit(unit).await.unwrap();
    assert_eq!((world.asked().await, world.timers().await), (vec!["undo room #2".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_does_not_stop_the_question_from_being_asked_again() {
    let mut world = World::new().await;
    world.start("t1").await;
    world.told("t1", done("look")).await;
    let unit = world.saga.cancel("t1").await.unwrap();
    world.commit(unit).await.unwrap();
    world.asked().await;
    world.pass(2 * PATIENCE).await;
    assert_eq!(world.asked().await, ["do room #1"]);
    world.told("t1", done("room")).await;
    assert_eq!(world.asked().await, ["undo room #1"]);
}

/// A resolution may come long after the run's timer has fired in vain: the next question must not
/// be left without one, or its lost answer would never be asked for again.
#[tokio::test(start_paused = true)]
async fn what_follows_a_resolution_is_asked_again_too() {
    let mut world = World::of(trip_with_two_undos()).await;
    world.start("t1").await;
    for answer in [done("look"), done("room"), refused("pay", "no_money")] {
        world.told("t1", answer).await;
    }
    world.told("t1", undo(refused("room", "locked"))).await;
    world.pass(2 * PATIENCE).await;
    assert_eq!(world.timers().await, 0, "a person is waited for as long as it takes");
    let unit = world.saga.resolve("t1", "olga", "done by hand").await.unwrap();
    world.commit(unit).await.unwrap();
    world.asked().await;
    assert_eq!(world.timers().await, 1);
    world.pass(2 * PATIENCE).await;
    assert_eq!(world.asked().await, ["undo look #1"]);
}

/// Every timeout is an event, and a run may be left unanswered for days: more events than are read
/// at once must not make it deaf.
#[tokio::test(start_paused = true)]
async fn a_run_with_more_events_than_are_read_at_once_still_hears_its_answer() {
    let mut world = World::new().await;
    world.start("t1").await;
    for _ in 0..600 {
        world.pass(2 * PATIENCE).await;
    }
    assert_eq!(world.shown("t1").await.run.version, 601);
    world.told("t1", done("look")).await;
    assert_eq!(world.phase("t1").await, Phase::Doing(1));
    assert!(world.parked().await.is_empty());
}
