//! Every state that can be reached × everything that can happen, compared with a text that people can read.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use switchboard_saga::{Act, Input, Outcome, Phase, Shape, State};

use crate::trip::trip;

const INPUTS: [(&str, Input); 7] = [
    ("done", Input::Answered(Outcome::Done)),
    ("rejected", Input::Answered(Outcome::Rejected)),
    ("failed", Input::Answered(Outcome::Failed)),
    ("cancel", Input::Cancel),
    ("timeout", Input::TimedOut),
    ("retry", Input::Retry),
    ("resolve", Input::Resolve),
];

const STEPS: [&str; 4] = ["look", "room", "pay", "papers"];

#[test]
fn what_follows_from_what_is_exactly_this() {
    let expected = include_str!("table.txt");
    let actual = drawn(trip().shape());
    assert_eq!(actual, expected, "the table has changed; now it is:\n{actual}");
}

/// The table answers every pair, reachable or not, and never leaves the steps that there are.
#[test]
fn the_table_is_total() {
    let shape = trip().shape().clone();
    let mut answered = 0;
    for state in all_states() {
        for (_, input) in INPUTS {
            if let Ok((next, _)) = shape.next(state, input) {
                let step = next.phase.asked().map_or(0, |(step, _)| step);
                assert!(step < STEPS.len(), "{state:?} and {input:?} lead to {next:?}");
            }
            answered += 1;
        }
    }
    assert_eq!(answered, (3 * 4 + 4 + 2) * 2 * 7);
}

/// Acceptance test 6: whatever happens, a saga can still come to a declared end.
#[test]
fn every_state_that_can_be_reached_can_reach_an_end() {
    let shape = trip().shape().clone();
    for state in reachable(&shape) {
        let ends = reachable_from(&shape, state).into_iter().any(|it| it.phase.is_final());
        assert!(ends, "{state:?} leads nowhere");
    }
}

/// A cancellation never cancels the undos, and an undo never runs while its step may still be
/// done: nothing but a negative answer, or a cancellation that has waited for a positive one,
/// turns a saga back.
#[test]
fn nothing_but_an_answer_turns_a_saga_back() {
    let shape = trip().shape().clone();
    for state in reachable(&shape).into_iter().filter(|it| matches!(it.phase, Phase::Doing(_))) {
        for (_, input) in INPUTS {
            let Ok((next, act)) = shape.next(state, input) else { continue };
            if matches!(next.phase, Phase::Undoing(_) | Phase::Undone) {
                assert!(matches!(input, Input::Answered(_)), "{state:?} turned on {input:?}");
            }
            if matches!(input, Input::TimedOut) {
                assert_eq!((next, act), (state, Act::AskAgain));
            }
        }
    }
}

fn all_states() -> Vec<State> {
    let steps = 0..STEPS.len();
    let phases = steps
        .flat_map(|step| {
            let stuck = |undo| Phase::Stuck { step, undo };
            [Phase::Doing(step), Phase::Undoing(step), stuck(false), stuck(true)]
        })
        .chain([Phase::Completed, Phase::Undone]);
    phases.flat_map(|phase| [false, true].map(|cancelling| State { phase, cancelling })).collect()
}

fn reachable(shape: &Shape) -> Vec<State> {
    reachable_from(shape, shape.begin())
}

fn reachable_from(shape: &Shape, first: State) -> Vec<State> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![first]);
    let mut states = Vec::new();
    while let Some(state) = open.pop() {
        if !seen.insert(state_text(state)) {
            continue;
        }
        states.push(state);
        open.extend(INPUTS.iter().filter_map(|(_, it)| shape.next(state, *it).ok()).map(|it| it.0));
    }
    states.sort_by_key(|state| state_text(*state));
    states
}

fn drawn(shape: &Shape) -> String {
    let mut text = String::new();
    for state in reachable(shape) {
        let _ = writeln!(text, "{}", state_text(state));
        for (name, input) in INPUTS {
            if let Ok((next, act)) = shape.next(state, input) {
                let _ = writeln!(text, "    {name:<9} → {}: {}", state_text(next), act_text(act));
            }
        }
    }
    text
}

fn state_text(state: State) -> String {
    let phase = match state.phase {
        Phase::Doing(step) => format!("doing {}", STEPS[step]),
        Phase::Undoing(step) => format!("undoing {}", STEPS[step]),
        Phase::Stuck { step, undo: true } => format!("stuck at undo {}", STEPS[step]),
        Phase::Stuck { step, undo: false } => format!("stuck at {}", STEPS[step]),
        Phase::Completed => "completed".to_owned(),
        Phase::Undone => "undone".to_owned(),
    };
    if state.cancelling { format!("{phase} (cancelling)") } else { phase }
}

fn act_text(act: Act) -> String {
    match act {
        Act::Do(step) => format!("ask for {}", STEPS[step]),
        Act::Undo(step) => format!("ask for undo {}", STEPS[step]),
        Act::AskAgain => "ask again".to_owned(),
        Act::AskAnew => "ask anew".to_owned(),
        Act::Wait => "wait".to_owned(),
        Act::Park => "wait for a person".to_owned(),
        Act::End => "end".to_owned(),
    }
}
