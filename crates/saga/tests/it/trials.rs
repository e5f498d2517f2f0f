//! The trials that every saga gets for free, on a saga with real participants; and that they would find what they look for.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use switchboard_core::Envelope;
use switchboard_handler::{Failure, Group};
use switchboard_saga::{Answer, EFFECTS, Orchestrator, Participant, SAGAS};
use switchboard_store::{Column, Store, Table, Unit};
use switchboard_testkit::saga::{self, Seams, Stage};

use crate::trip::{LeaveRoom, Look, Pay, SendPapers, TRIPS, TakeRoom, Trip, trip};

/// What the agency has done for its travellers.
static BOOKS: Table = Table {
    name: "books",
    columns: &[Column::integer("rooms"), Column::integer("paid"), Column::integer("papers")],
    indexes: &[],
};

/// What is wrong with the participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// It remembers no questions.
    Forgetful,
    /// Its undo does nothing.
    Idle,
}

#[derive(Clone, Copy)]
enum Kind {
    Do,
    Undo,
}

fn play(flaw: Flaw) -> impl Fn(&Seams) -> Stage<Trip> {
    move |seams| {
        let trips = seams.store("trips", &[&SAGAS, &TRIPS]);
        let agency = seams.store("agency", &[&BOOKS, &EFFECTS]);
        let saga = Orchestrator::new(trip(), trips.clone(), seams.clock.clone());
        let groups = [
            saga.register(seams.group("trips.saga", &trips)),
            agency_group(seams.group("agency", &agency), &agency, flaw),
        ];
        Stage::new(saga, Trip { id: "t1".to_owned() }, groups).observing(move || {
            let agency = agency.clone();
            async move {
                let row = agency.row(&BOOKS, "all").await.unwrap();
                let sum = |name| row.as_ref().map_or(0, |row| row.integer(name));
                format!("{} rooms, {} paid, {} papers", sum("rooms"), sum("paid"), sum("papers"))
            }
        })
    }
}

fn agency_group(group: Group, store: &Arc<dyn Store>, flaw: Flaw) -> Group {
    let participant = Participant::new(store.clone());
    let work = move |cause: Arc<Envelope>, kind: Kind, column: Option<(&'static str, i64)>| {
        let participant = participant.clone();
        async move {
            let unit = match column {
                Some((column, by)) => Unit::new().add(&BOOKS, "all", column, by),
                None => Unit::new(),
            };
            act(&participant, flaw, &cause, kind, unit).await
        }
    };
    let (look, take, leave) = (work.clone(), work.clone(), work.clone());
    let (pay, papers) = (work.clone(), work);
    group
        .on::<Look, _, _>(move |_, cause| look(cause, Kind::Do, None))
        .on::<TakeRoom, _, _>(move |_, cause| take(cause, Kind::Do, Some(("rooms", 1))))
        .on::<LeaveRoom, _, _>(move |_, cause| leave(cause, Kind::Undo, Some(("rooms", -1))))
        .on::<Pay, _, _>(move |_, cause| pay(cause, Kind::Do, Some(("paid", 1))))
        .on::<SendPapers, _, _>(move |_, cause| papers(cause, Kind::Do, Some(("papers", 1))))
}

async fn act(
    participant: &Participant,
    flaw: Flaw,
    cause: &Envelope,
    kind: Kind,
    unit: Unit,
) -> Result<Unit, Failure> {
    let done = |unit| async { Ok(Answer::Done { unit, reply: serde_json::Value::Null }) };
    match (kind, flaw) {
        (Kind::Do, Flaw::Forgetful) => {
            // Its effect goes beside the memory, so that a repeat has it once more.
            let remembered = participant.perform(cause, || done(Unit::new())).await?;
            Ok(remembered.and(unit))
        }
        (Kind::Do, _) => participant.perform(cause, || done(unit)).await,
        (Kind::Undo, Flaw::None) => participant.undo(cause, || done(unit)).await,
        (Kind::Undo, Flaw::Idle) => participant.undo(cause, || done(Unit::new())).await,
        (Kind::Undo, Flaw::Forgetful) => {
            let remembered = participant.undo(cause, || done(Unit::new())).await?;
            Ok(remembered.and(unit))
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_succeeds_when_repeated() {
    saga::succeeds_when_repeated(play(Flaw::None)).await;
}

#[tokio::test(start_paused = true)]
async fn it_unwinds_from_every_step() {
    saga::unwinds_from_every_step(play(Flaw::None)).await;
}

#[tokio::test(start_paused = true)]
async fn it_unwinds_twice() {
    saga::unwinds_twice(play(Flaw::None)).await;
}

#[tokio::test(start_paused = true)]
async fn it_survives_silence() {
    saga::survives_silence(play(Flaw::None)).await;
}

/// Acceptance test 6 in two processes: a crash at each step.
#[tokio::test(start_paused = true)]
async fn it_survives_the_loss_of_a_process() {
    saga::survives_the_loss_of_a_process(play(Flaw::None)).await;
}

/// Whether a trial has found something.
async fn finds(trial: impl Future<Output = ()>) -> bool {
    use futures_util::FutureExt;
    AssertUnwindSafe(trial).catch_unwind().await.is_err()
}

#[tokio::test(start_paused = true)]
async fn the_trials_find_a_participant_that_forgets_its_questions() {
    assert!(finds(saga::succeeds_when_repeated(play(Flaw::Forgetful))).await);
    assert!(finds(saga::unwinds_twice(play(Flaw::Forgetful))).await);
    assert!(finds(saga::survives_silence(play(Flaw::Forgetful))).await);
}

#[tokio::test(start_paused = true)]
async fn the_trials_find_an_undo_that_does_nothing() {
    assert!(finds(saga::unwinds_from_every_step(play(Flaw::Idle))).await);
    assert!(finds(saga::unwinds_twice(play(Flaw::Idle))).await);
    assert!(finds(saga::survives_the_loss_of_a_process(play(Flaw::Idle))).await);
}
