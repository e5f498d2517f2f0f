//! What follows from what in a saga: a pure, total table. Whatever it does not list is illegal, never ignored.
//!
//! | phase | done | rejected, failed | cancel | timeout | retry | resolve |
//! |---|---|---|---|---|---|---|
//! | doing, up to the pivot | next step, or end; undo if cancelling | undo the steps before | remember (not at the pivot) | ask again | – | – |
//! | doing, after the pivot | next step, or end | stuck | – | ask again | – | – |
//! | undoing | undo the step before, or end | stuck | – | ask again | – | – |
//! | stuck | – | – | – | – | ask anew | as if done |
//! | completed, undone | – | – | – | – | – | – |

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// What the table needs to know of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// For each step, whether it has an undo.
    pub undoable: Vec<bool>,
    /// The last step that can be refused; later ones only go forward.
    pub pivot: usize,
}

/// Where a saga stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// This step was asked for.
    Doing(usize),
    /// The undo of this step was asked for.
    Undoing(usize),
    /// This step, after the pivot, or this undo cannot be done: a person has to act.
    Stuck {
        /// The step.
        step: usize,
        /// Whether it was its undo.
        undo: bool,
    },
    /// Everything is done.
    Completed,
    /// Everything that was done is undone.
    Undone,
}

/// The whole state of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    /// Where it stands.
    pub phase: Phase,
    /// Whether somebody wants it undone.
    pub cancelling: bool,
}

/// What can happen to a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The participant has answered what was asked last.
    Answered(Outcome),
    /// Somebody wants it undone.
    Cancel,
    /// No answer came in time: what has happened is unknown.
    TimedOut,
    /// An operator wants the stuck step or undo tried again.
    Retry,
    /// An operator has done by hand what was stuck.
    Resolve,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ask for this step.
    Do(usize),
    /// Ask for the undo of this step.
    Undo(usize),
    /// Ask for the same again: the participant gives the same answer to the same question.
    AskAgain,
    /// Ask for the same anew, as another question.
    AskAnew,
    /// Nothing; wait on.
    Wait,
    /// Wait for a person.
    Park,
    /// Nothing more: it has ended.
    End,
}

/// This cannot happen in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{input:?} cannot happen in {state:?}")]
pub struct Illegal {
    /// The state.
    pub state: State,
    /// What was to happen.
    pub input: Input,
}

// === impl Shape ===

impl Shape {
    /// The first state: the first step was asked for.
    pub const fn begin(&self) -> State {
        State { phase: Phase::Doing(0), cancelling: false }
    }

    /// What follows from this input in this state.
    ///
    /// # Errors
    /// [`Illegal`] for whatever the table does not list.
    pub fn next(&self, state: State, input: Input) -> Result<(State, Act), Illegal> {
        let illegal = Err(Illegal { state, input });
        let to = |phase, act| Ok((State { phase, ..state }, act));
        match (state.phase, input) {
            (Phase::Doing(step), Input::Answered(Outcome::Done)) => {
                if state.cancelling && step < self.pivot {
                    self.undo_from(state, step + 1)
                } else {
                    self.forward(state, step)
                }
            }
            (Phase::Doing(step), Input::Answered(Outcome::Rejected | Outcome::Failed)) => {
                if step <= self.pivot {
                    self.undo_from(state, step)
                } else {
                    to(Phase::Stuck { step, undo: false }, Act::Park)
                }
            }
            (Phase::Doing(step), Input::Cancel) if step < self.pivot => {
                Ok((State { cancelling: true, ..state }, Act::Wait))
            }
            (Phase::Doing(_) | Phase::Undoing(_), Input::TimedOut) => {
                to(state.phase, Act::AskAgain)
            }
            (Phase::Undoing(step), Input::Answered(Outcome::Done)) => self.undo_from(state, step),
            (Phase::Undoing(step), Input::Answered(Outcome::Rejected | Outcome::Failed)) => {
                to(Phase::Stuck { step, undo: true }, Act::Park)
            }
            (Phase::Stuck { step, undo: true }, Input::Retry) => {
                to(Phase::Undoing(step), Act::AskAnew)
            }
            (Phase::Stuck { step, undo: false }, Input::Retry) => {
                to(Phase::Doing(step), Act::AskAnew)
            }
            (Phase::Stuck { step, undo: true }, Input::Resolve) => self.undo_from(state, step),
            (Phase::Stuck { step, undo: false }, Input::Resolve) => self.forward(state, step),
            _ => illegal,
        }
    }

    /// After a step is done: the next one, or the end.
    fn forward(&self, state: State, step: usize) -> Result<(State, Act), Illegal> {
        let next = step + 1;
        let (phase, act) = if next < self.undoable.len() {
            (Phase::Doing(next), Act::Do(next))
        } else {
            (Phase::Completed, Act::End)
        };
        Ok((State { phase, ..state }, act))
    }

    /// Undoes the last step before `step` that has an undo; without one it is undone.
    fn undo_from(&self, state: State, step: usize) -> Result<(State, Act), Illegal> {
        let (phase, act) = match self.undoable[..step].iter().rposition(|undoable| *undoable) {
            Some(step) => (Phase::Undoing(step), Act::Undo(step)),
            None => (Phase::Undone, Act::End),
        };
        Ok((State { phase, ..state }, act))
    }
}

// === impl Phase ===

impl Phase {
    /// Whether nothing will happen any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Undone)
    }

    /// The step that it is about, and whether it is its undo.
    pub const fn asked(self) -> Option<(usize, bool)> {
        match self {
            Self::Doing(step) => Some((step, false)),
            Self::Undoing(step) => Some((step, true)),
            Self::Stuck { step, undo } => Some((step, undo)),
            Self::Completed | Self::Undone => None,
        }
    }

    /// The name in lists: `doing`, `undoing`, `stuck`, `completed`, `undone`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Doing(_) => "doing",
            Self::Undoing(_) => "undoing",
            Self::Stuck { .. } => "stuck",
            Self::Completed => "completed",
            Self::Undone => "undone",
        }
    }
}
