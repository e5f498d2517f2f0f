//! What cannot be done waits for a person: who tries again, or does it by hand and says why.

use switchboard_saga::{Error, Phase};

use crate::world::{Told, World, done, refused, undo};

const UNDO_ROOM: Phase = Phase::Stuck { step: 1, undo: true };
const PAPERS: Phase = Phase::Stuck { step: 3, undo: false };

/// A run whose room cannot be given back.
async fn stuck_at_undo() -> World {
    let mut world = World::new().await;
    world.start("t1").await;
    for answer in [done("look"), done("room"), refused("pay", "no_money")] {
        world.told("t1", answer).await;
    }
    world.told("t1", undo(refused("room", "locked"))).await;
    world.asked().await;
    world
}

/// A run whose papers cannot be sent, after the pivot.
async fn stuck_forward() -> World {
    let mut world = World::new().await;
    world.start("t1").await;
    for answer in [done("look"), done("room"), done("pay"), refused("papers", "no_ink")] {
        world.told("t1", answer).await;
    }
    world.asked().await;
    world
}

async fn retry(world: &World) {
    let unit = world.saga.retry("t1", "olga").await.unwrap();
    world.commit(unit).await.unwrap();
}

async fn resolve(world: &World) {
    let unit = world.saga.resolve("t1", "olga", "done by hand").await.unwrap();
    world.commit(unit).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_cannot_be_done_waits_for_a_person() {
    let mut world = stuck_at_undo().await;
    assert_eq!(world.phase("t1").await, UNDO_ROOM);
    assert_eq!(world.shows("t1").await, "somebody looks after it");
    assert_eq!(world.saga.list(Some("stuck"), 10).await.unwrap()[0].step, "room");
    assert!(world.asked().await.is_empty());
    assert!(matches!(world.saga.cancel("t1").await, Err(Error::Illegal(_))));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_another_question_and_answers_to_the_old_one_change_nothing() {
    let mut world = stuck_at_undo().await;
    retry(&world).await;
    assert_eq!(world.asked().await, ["undo room #2"]);
    world.told("t1", undo(done("room"))).await;
    assert_eq!(world.phase("t1").await, Phase::Undoing(1), "that was the old question");
    world.told("t1", Told { epoch: 2, ..undo(done("room")) }).await;
    assert_eq!(world.phase("t1").await, Phase::Undone);
    let reason = world.shown("t1").await.run.reason;
    assert_eq!(reason.as_deref(), Some("no_money"), "what turned it back stays the reason");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_fails_waits_again() {
    let mut world = stuck_at_undo().await;
    for epoch in 2..5 {
        retry(&world).await;
        assert_eq!(world.asked().await, [format!("undo room #{epoch}")]);
        world.told("t1", Told { epoch, ..undo(refused("room", "still_locked")) }).await;
        assert_eq!(world.phase("t1").await, UNDO_ROOM);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_done_by_hand_counts_as_done_and_says_by_whom_and_why() {
    let world = stuck_at_undo().await;
    resolve(&world).await;
    assert_eq!(world.phase("t1").await, Phase::Undone);
    assert_eq!(world.trail("t1").await.last().map(String::as_str), Some("Resolved"));
    let events = world.shown("t1").await.events;
    let data = String::from_utf8_lossy(&events.last().unwrap().data).into_owned();
    assert!(data.contains("olga") && data.contains("done by hand"), "{data}");
}

#[tokio::test(start_paused = true)]
async fn after_the_pivot_a_refusal_waits_for_a_person_and_nothing_is_undone() {
    let mut world = stuck_forward().await;
    assert_eq!(world.phase("t1").await, PAPERS);
    retry(&world).await;
    assert_eq!(world.asked().await, ["do papers #2"]);
    world.told("t1", Told { epoch: 2, ..done("papers") }).await;
    assert_eq!(world.phase("t1").await, Phase::Completed);

    let mut world = stuck_forward().await;
    resolve(&world).await;
    assert_eq!(world.phase("t1").await, Phase::Completed);
    assert!(world.asked().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_what_is_stuck_can_be_retried_or_resolved() {
    let world = World::new().await;
    assert!(matches!(world.saga.retry("t1", "olga").await, Err(Error::NotFound)));
    world.start("t1").await;
    assert!(matches!(world.saga.retry("t1", "olga").await, Err(Error::Illegal(_))));
    assert!(matches!(world.saga.resolve("t1", "olga", "why").await, Err(Error::Illegal(_))));
}

#[tokio::test(start_paused = true)]
async fn two_operators_at_once_act_once() {
    let mut world = stuck_at_undo().await;
    let both = [
        world.saga.retry("t1", "olga").await.unwrap(),
        world.saga.resolve("t1", "oleg", "done by hand").await.unwrap(),
    ];
    let mut taken = 0;
    for unit in both {
        taken += i32::from(world.commit(unit).await.is_ok());
    }
    assert_eq!(taken, 1);
    assert_eq!(world.asked().await, ["undo room #2"]);
}

#[tokio::test(start_paused = true)]
async fn lists_show_what_moved_last_first_and_one_phase_if_asked() {
    let mut world = World::new().await;
    for id in ["t1", "t2", "t3"] {
        world.start(id).await;
        crate::world::quiet().await;
    }
    world.told("t1", refused("look", "sold_out")).await;
    let ids = async |phase: Option<&str>, limit| -> Vec<String> {
        let listed = world.saga.list(phase, limit).await.unwrap();
        listed.into_iter().map(|listed| listed.instance).collect()
    };
    assert_eq!(ids(None, 10).await, ["t1", "t3", "t2"]);
    assert_eq!(ids(None, 2).await, ["t1", "t3"]);
    assert_eq!(ids(Some("doing"), 10).await, ["t3", "t2"]);
    assert_eq!(ids(Some("undone"), 10).await, ["t1"]);
}
