//! One run of a saga: its events, and where they have led.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchboard_core::{Event, Timestamp};

use crate::{Act, Action, Illegal, Input, Outcome, Phase, Shape, State};

/// A fact about one run of a saga.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SagaEvent {
    /// It began, and its first step was asked for.
    Started {
        /// What it works on.
        input: Value,
    },
    /// A participant answered; what follows from it was asked for in the same unit.
    Answered {
        /// The step.
        step: String,
        /// Do or undo.
        action: Action,
        /// Which question.
        epoch: u32,
        /// What came of it.
        outcome: Outcome,
        /// Why not.
        reason: Option<String>,
        /// What was told beside.
        data: Value,
    },
    /// Somebody wants it undone.
    CancelRequested,
    /// No answer came in time, and the same was asked again.
    AskedAgain,
    /// An operator had it tried again.
    Retried {
        /// Who.
        by: String,
    },
    /// An operator did it by hand.
    Resolved {
        /// Who.
        by: String,
        /// Why, in their words.
        reason: String,
    },
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// What it works on.
    pub input: Value,
    /// The table's state.
    pub state: State,
    /// The number of the question that was asked last; a retry by an operator raises it.
    pub epoch: u32,
    /// How many events have led here.
    pub version: u64,
    /// Why it goes back: the first refusal, or `cancelled`.
    pub reason: Option<String>,
    /// When the last question was asked.
    pub asked_at: Timestamp,
    /// Every answer: by step and action.
    pub answers: BTreeMap<(String, Action), Outcome>,
}

impl Event for SagaEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "Started",
            Self::Answered { .. } => "Answered",
            Self::CancelRequested => "CancelRequested",
            Self::AskedAgain => "AskedAgain",
            Self::Retried { .. } => "Retried",
            Self::Resolved { .. } => "Resolved",
        }
    }
}

// === impl Instance ===

impl Instance {
    /// A run that has just begun.
    pub fn begin(shape: &Shape, input: Value, at: Timestamp) -> Self {
        Self {
            input,
            state: shape.begin(),
            epoch: 1,
            version: 1,
            reason: None,
            asked_at: at,
            answers: BTreeMap::new(),
        }
    }

    /// The run that these events have made; `None` without any.
    ///
    /// # Errors
    /// [`Illegal`] when the stored events do not fit the definition: it was changed in a way that
    /// runs on their way cannot follow.
    pub fn of(
        shape: &Shape,
        events: impl IntoIterator<Item = (SagaEvent, Timestamp)>,
    ) -> Result<Option<Self>, Illegal> {
        let mut instance: Option<Self> = None;
        for (event, at) in events {
            instance = match (instance, event) {
                (None, SagaEvent::Started { input }) => Some(Self::begin(shape, input, at)),
                (Some(run), event) => Some(run.evolve(shape, &event, at)?.0),
                (None, _) => None,
            };
        }
        Ok(instance)
    }

    /// The run after one more event, and what is to be done about it.
    ///
    /// # Errors
    /// [`Illegal`] when the event cannot happen now.
    pub fn evolve(
        mut self,
        shape: &Shape,
        event: &SagaEvent,
        at: Timestamp,
    ) -> Result<(Self, Act), Illegal> {
        let input = match event {
            SagaEvent::Started { .. } => return Ok((self, Act::Wait)),
            SagaEvent::Answered { step, action, outcome, reason, .. } => {
                self.answers.insert((step.clone(), *action), *outcome);
                if *outcome != Outcome::Done && *action == Action::Do && self.reason.is_none() {
                    self.reason = reason.clone();
                }
                Input::Answered(*outcome)
            }
            SagaEvent::CancelRequested => Input::Cancel,
            SagaEvent::AskedAgain => Input::TimedOut,
            SagaEvent::Retried { .. } => Input::Retry,
            SagaEvent::Resolved { .. } => Input::Resolve,
        };
        let before = self.state;
        let act;
        (self.state, act) = shape.next(before, input)?;
        // A cancellation is the reason only if it is what turns the saga back.
        let turned = matches!(before.phase, Phase::Doing(_))
            && matches!(self.state.phase, Phase::Undoing(_) | Phase::Undone);
        if turned && self.reason.is_none() && self.state.cancelling {
            self.reason = Some("cancelled".to_owned());
        }
        self.epoch += u32::from(input == Input::Retry);
        if input != Input::Cancel {
            self.asked_at = at;
        }
        self.version += 1;
        Ok((self, act))
    }

    /// Whether an answer is to the question that was asked last.
    pub fn awaits(&self, step: usize, action: Action, epoch: u32) -> bool {
        let asked = match self.state.phase {
            Phase::Doing(asked) => (asked, Action::Do),
            Phase::Undoing(asked) => (asked, Action::Undo),
            _ => return false,
        };
        asked == (step, action) && epoch == self.epoch
    }
}
