//! Trials that every saga gets for free: repeat everything, fail everywhere, undo twice, lose answers, lose a process.
//!
//! A trial sets the whole play up anew for each case, on twins: the saga, its participants with their own stores and groups, a broker
//! that misbehaves in one exact way. What the play leaves behind is compared as the text that [`Stage::observing`] makes of it. Run
//! trials on paused time (`#[tokio::test(start_paused = true)]`): some wait for minutes.
//!
//! ```no_run
//! # use switchboard_testkit::saga::{self, Seams, Stage};
//! # #[derive(serde::Serialize, serde::Deserialize)] struct Trip;
//! # fn play(seams: &Seams) -> Stage<Trip> { unimplemented!() }
//! # async fn trials() {
//! saga::succeeds_when_repeated(play).await;
//! saga::unwinds_from_every_step(play).await;
//! saga::unwinds_twice(play).await;
//! saga::survives_silence(play).await;
//! saga::survives_the_loss_of_a_process(play).await;
//! # }
//! ```

mod run;
mod stage;
mod wire;

use serde::Serialize;
use serde::de::DeserializeOwned;
use switchboard_saga::{Action, Phase};

use run::Run;
pub use stage::{Seams, Stage};

/// Every command and every answer arrives twice, the second time as another message, and the saga
/// comes to the same end as without.
///
/// # Panics
/// When it does not.
pub async fn succeeds_when_repeated<S, F>(play: F)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Fn(&Seams) -> Stage<S>,
{
    let expected = plain(&play).await;
    let mut run = Run::of(&play).await;
    run.wire().repeat_everything();
    run.start().await;
    run.must_end(Phase::Completed, "with everything repeated").await;
    assert_eq!(run.observed().await, expected, "repeats have left something behind");
}

/// Each step fails in turn. Up to the pivot everything is as if nothing had ever been asked for.
/// After it, and where an undo fails, the saga waits for a person, and a retry brings it to its
/// end.
///
/// # Panics
/// When it is not so.
pub async fn unwinds_from_every_step<S, F>(play: F)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Fn(&Seams) -> Stage<S>,
{
    let expected = plain(&play).await;
    let (names, undoable, pivot) = outline(&play).await;
    for (step, name) in names.iter().enumerate() {
        let mut run = Run::of(&play).await;
        let before = run.observed().await;
        run.wire().refuse(name, Action::Do);
        run.start().await;
        if step <= pivot {
            run.must_end(Phase::Undone, &format!("when `{name}` fails")).await;
            assert_eq!(run.observed().await, before, "`{name}` failed: something is not undone");
        } else {
            let stuck = Phase::Stuck { step, undo: false };
            run.must_end(stuck, &format!("when `{name}` fails, after the pivot")).await;
            run.retry().await;
            run.must_end(Phase::Completed, &format!("when `{name}` is tried again")).await;
            assert_eq!(run.observed().await, expected, "`{name}` was tried again");
        }
    }
    for step in (0..pivot).filter(|step| undoable[*step]) {
        let name = &names[step];
        let mut run = Run::of(&play).await;
        let before = run.observed().await;
        run.wire().refuse(&names[pivot], Action::Do);
        run.wire().refuse(name, Action::Undo);
        run.start().await;
        let stuck = Phase::Stuck { step, undo: true };
        run.must_end(stuck, &format!("when the undo of `{name}` fails")).await;
        run.retry().await;
        run.must_end(Phase::Undone, &format!("when the undo of `{name}` is tried again")).await;
        assert_eq!(run.observed().await, before, "the undo of `{name}` was tried again");
    }
}

/// The pivot fails, every undo arrives twice, and then every command that was ever sent arrives
/// once more: nothing is undone twice, and nothing is done again.
///
/// # Panics
/// When something is, or when a step and its undo do not share topic and key.
pub async fn unwinds_twice<S, F>(play: F)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Fn(&Seams) -> Stage<S>,
{
    let (names, _, pivot) = outline(&play).await;
    let mut run = Run::of(&play).await;
    let before = run.observed().await;
    run.wire().repeat_undos();
    run.wire().refuse(&names[pivot], Action::Do);
    run.start().await;
    run.must_end(Phase::Undone, "with every undo repeated").await;
    assert_eq!(run.observed().await, before, "an undo that came twice has done something twice");
    run.wire().check_pairs();
    run.wire().send_all_again().await;
    run.must_end(Phase::Undone, "after every command has come again").await;
    assert_eq!(run.observed().await, before, "a late command has done something");
}

/// The first answer to each step and to each undo is lost in turn: it is asked again, and nothing
/// is undone because of silence.
///
/// # Panics
/// When the end is another one.
pub async fn survives_silence<S, F>(play: F)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Fn(&Seams) -> Stage<S>,
{
    let expected = plain(&play).await;
    let (names, undoable, pivot) = outline(&play).await;
    for name in &names {
        let mut run = Run::of(&play).await;
        run.wire().lose_answer(name, Action::Do);
        run.start().await;
        run.must_end(Phase::Completed, &format!("when the answer to `{name}` is lost")).await;
        assert_eq!(run.observed().await, expected, "the answer to `{name}` was lost");
    }
    for step in (0..pivot).filter(|step| undoable[*step]) {
        let name = &names[step];
        let mut run = Run::of(&play).await;
        let before = run.observed().await;
        run.wire().refuse(&names[pivot], Action::Do);
        run.wire().lose_answer(name, Action::Undo);
        run.start().await;
        let when = format!("when the answer to the undo of `{name}` is lost");
        run.must_end(Phase::Undone, &when).await;
        assert_eq!(run.observed().await, before, "{when}");
    }
}

/// Everything runs in two processes over the same stores, and one of them dies in turn at each
/// record that is published, when the saga succeeds and when its pivot fails. The other one brings
/// it to the same end.
///
/// # Panics
/// When it does not.
pub async fn survives_the_loss_of_a_process<S, F>(play: F)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Fn(&Seams) -> Stage<S>,
{
    let expected = plain(&play).await;
    let (names, _, pivot) = outline(&play).await;
    for fails in [false, true] {
        // Counted first with two processes that both live.
        let mut records = None;
        for moment in 0.. {
            let mut run = Run::of_two(&play).await;
            let before = run.observed().await;
            if fails {
                run.wire().refuse(&names[pivot], Action::Do);
            }
            let when = match records {
                None => "in two processes".to_owned(),
                Some(records) if moment > records => break,
                Some(_) => {
                    run.kill_other_after(moment);
                    format!("when a process is lost at record {moment}")
                }
            };
            run.start().await;
            let phase = if fails { Phase::Undone } else { Phase::Completed };
            run.must_end(phase, &when).await;
            let wanted = if fails { &before } else { &expected };
            assert_eq!(run.observed().await, *wanted, "{when}");
            records.get_or_insert(run.wire().asked());
        }
    }
}

/// What a run leaves behind in which nothing goes wrong.
async fn plain<S, F>(play: &F) -> String
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Fn(&Seams) -> Stage<S>,
{
    let mut run = Run::of(play).await;
    let before = run.observed().await;
    run.start().await;
    run.must_end(Phase::Completed, "when nothing goes wrong").await;
    let after = run.observed().await;
    assert_ne!(before, after, "nothing is observed that the saga changes: the trials are blind");
    after
}

/// The names of the steps, which have undos, and which is the pivot.
async fn outline<S, F>(play: &F) -> (Vec<String>, Vec<bool>, usize)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Fn(&Seams) -> Stage<S>,
{
    let run = Run::of(play).await;
    let definition = run.saga().definition();
    let names = definition.step_names().map(str::to_owned).collect();
    (names, definition.shape().undoable.clone(), definition.shape().pivot)
}
