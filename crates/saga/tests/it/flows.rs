//! Runs on their way: forward, back, cancelled, crashed, and answers that change nothing.

use switchboard_saga::{Error, Outcome, Phase};
use switchboard_store::CommitError;

use crate::trip::Trip;
use crate::world::{Told, World, done, refused, undo};

const STEPS: [&str; 4] = ["look", "room", "pay", "papers"];

/// A run of which these many steps are done, the next one being asked for.
async fn after(steps: usize) -> World {
    let mut world = World::new().await;
    world.start("t1").await;
    for step in &STEPS[..steps] {
        world.told("t1", done(step)).await;
    }
    world.asked().await;
    world
}

#[tokio::test(start_paused = true)]
async fn each_answer_asks_for_the_next_step_and_the_last_one_ends_it() {
    let mut world = World::new().await;
    world.start("t1").await;
    assert_eq!(world.asked().await, ["do look #1"]);
    for (step, next) in [("look", "do room #1"), ("room", "do pay #1"), ("pay", "do papers #1")] {
        assert_eq!(world.shows("t1").await, "on its way");
        world.told("t1", done(step)).await;
        assert_eq!(world.asked().await, [next]);
    }
    world.told("t1", done("papers")).await;
    assert!(world.asked().await.is_empty());
    assert_eq!(world.phase("t1").await, Phase::Completed);
    assert_eq!(world.shows("t1").await, "booked");
    assert_eq!(world.timers().await, 0, "nothing ticks for a run that has ended");
    let trail = world.trail("t1").await;
    assert_eq!(trail, ["Started", "Answered", "Answered", "Answered", "Answered"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_begins_once_whatever_became_of_the_first() {
    let mut world = after(0).await;
    let begin = |world: &World| world.saga.start("t1", &Trip { id: "t1".to_owned() });
    assert!(matches!(world.commit(begin(&world)).await, Err(CommitError::Conflict(_))));
    world.told("t1", refused("look", "sold_out")).await;
    assert_eq!(world.phase("t1").await, Phase::Undone);
    assert!(matches!(world.commit(begin(&world)).await, Err(CommitError::Conflict(_))));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_undoes_what_was_done_before_it() {
    for outcome in [Outcome::Rejected, Outcome::Failed] {
        for (step, undos) in [("look", 0), ("room", 0), ("pay", 1)] {
            let steps = STEPS.iter().position(|it| *it == step).unwrap();
            let mut world = after(steps).await;
            world.told("t1", Told { outcome, ..refused(step, "no") }).await;
            if undos > 0 {
                assert_eq!(world.asked().await, ["undo room #1"]);
                assert_eq!(world.phase("t1").await, Phase::Undoing(1));
                world.told("t1", undo(done("room"))).await;
            }
            assert!(world.asked().await.is_empty(), "{step}");
            assert_eq!(world.phase("t1").await, Phase::Undone, "{step}");
            assert_eq!(world.shown("t1").await.run.reason.as_deref(), Some("no"));
            assert_eq!((&*world.shows("t1").await, world.timers().await), ("cancelled", 0));
        }
    }
}

/// Acceptance test 6: duplicates, answers to other questions, and answers after the end.
#[tokio::test(start_paused = true)]
async fn an_answer_to_another_question_than_the_last_changes_nothing() {
    let strangers = [
        done("look"),
        done("pay"),
        done("nowhere"),
        undo(done("room")),
        undo(refused("room", "no")),
        Told { epoch: 0, ..done("room") },
        Told { epoch: 2, ..done("room") },
    ];
    let mut world = after(1).await;
    let before = world.shown("t1").await;
    for stranger in strangers {
        world.told("t1", stranger).await;
        assert_eq!(world.shown("t1").await.run, before.run, "{stranger:?}");
    }
    assert!(world.asked().await.is_empty());
    assert!(world.parked().await.is_empty());

    let mut world = after(4).await;
    let before = world.shown("t1").await;
    world.told("t1", done("papers")).await;
    world.told("t1", refused("papers", "too_late")).await;
    assert_eq!(world.shown("t1").await.run, before.run, "after the end");
}

/// An answer to a run that nobody knows is neither lost nor guessed at: it waits for a person.
#[tokio::test(start_paused = true)]
async fn an_answer_to_an_unknown_run_parks_and_others_flow() {
    let mut world = after(0).await;
    world.told("nobody", done("look")).await;
    assert_eq!(world.parked().await, ["nobody"]);
    world.told("t1", done("look")).await;
    assert_eq!(world.phase("t1").await, Phase::Doing(1));
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_waits_for_the_step_in_flight_and_then_undoes() {
    for (steps, answer, undos) in [
        (0, done("look"), 0),
        (0, refused("look", "sold_out"), 0),
        (1, done("room"), 1),
        (1, refused("room", "sold_out"), 0),
    ] {
        let mut world = after(steps).await;
        let unit = world.saga.cancel("t1").await.unwrap();
        world.commit(unit).await.unwrap();
        assert!(world.asked().await.is_empty(), "the answer is waited for: {answer:?}");
        assert_eq!(world.phase("t1").await, Phase::Doing(steps));

        world.told("t1", answer).await;
        if undos > 0 {
            assert_eq!(world.asked().await, ["undo room #1"]);
            world.told("t1", undo(done("room"))).await;
        }
        assert_eq!(world.phase("t1").await, Phase::Undone, "{answer:?}");
        let reason = answer.reason.unwrap_or("cancelled");
        assert_eq!(world.shown("t1").await.run.reason.as_deref(), Some(reason), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_is_refused_from_the_pivot_on_and_while_undoing() {
    for steps in 2..=4 {
        let mut world = after(steps).await;
        assert!(matches!(world.saga.cancel("t1").await, Err(Error::Illegal(_))), "{steps}");
        assert!(world.asked().await.is_empty());
    }
    let mut world = after(2).await;
    world.told("t1", refused("pay", "no_money")).await;
    assert!(matches!(world.saga.cancel("t1").await, Err(Error::Illegal(_))));
    assert!(matches!(world.saga.cancel("t2").await, Err(Error::NotFound)));
}

/// Of a cancellation and an answer that were decided in the same state, one comes first and the
/// other is decided anew.
#[tokio::test(start_paused = true)]
async fn a_cancellation_that_lost_a_race_conflicts() {
    let mut world = after(1).await;
    let unit = world.saga.cancel("t1").await.unwrap();
    world.told("t1", done("room")).await;
    assert!(matches!(world.commit(unit).await, Err(CommitError::Conflict(_))));
    assert_eq!(world.phase("t1").await, Phase::Doing(2));
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_changes_nothing() {
    for crash_at in 0..4 {
        let mut world = World::new().await;
        world.start("t1").await;
        for (number, step) in STEPS.into_iter().enumerate() {
            if number == crash_at {
                world = world.crash().await;
            }
            assert_eq!(world.asked().await, [format!("do {step} #1")]);
            world.told("t1", done(step)).await;
        }
        assert_eq!(world.phase("t1").await, Phase::Completed, "crashed at {crash_at}");
    }
}
