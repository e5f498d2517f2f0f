//! What a saga is: steps in order, each *do* beside its *undo*, and the pivot.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use switchboard_core::Timestamp;
use switchboard_store::{NewMessage, Unit};

use crate::{Outcome, Phase, Shape};

type Command<S> = Arc<dyn Fn(&S) -> NewMessage + Send + Sync>;
type Hook<S> = Arc<dyn Fn(&S, &Change) -> Unit + Send + Sync>;

/// How long an answer is waited for before the same is asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// One step: what is asked for, and what takes it back.
pub struct Step<S> {
    pub(crate) name: &'static str,
    pub(crate) command: Command<S>,
    pub(crate) undo: Option<Command<S>>,
    changes_nothing: bool,
    is_pivot: bool,
}

/// A saga over inputs of one type.
pub struct Definition<S> {
    pub(crate) name: &'static str,
    pub(crate) replies: &'static str,
    pub(crate) steps: Vec<Step<S>>,
    pub(crate) shape: Shape,
    pub(crate) patience: Duration,
    pub(crate) hook: Hook<S>,
}

/// What has just happened to a saga, for the service's own rows and messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where it stood; `None` when it begins.
    pub from: Option<Phase>,
    /// Where it stands now.
    pub to: Phase,
    /// What the participant answered, when an answer led here.
    pub outcome: Option<Outcome>,
    /// Why it goes back, from the first refusal or the cancellation on.
    pub reason: Option<String>,
    /// What the participant told beside.
    pub data: Value,
    /// When.
    pub at: Timestamp,
}

/// A definition that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDefinition {
    /// There is nothing to do.
    #[error("saga `{0}` has no steps")]
    NoSteps(&'static str),
    /// Two steps share a name.
    #[error("two steps are called `{0}`")]
    Twice(&'static str),
    /// A step before the pivot cannot be undone and does not say that it need not be.
    #[error("step `{0}` comes before the pivot: give it an undo, or say `changes_nothing`")]
    NoUndo(&'static str),
    /// A step after the pivot has an undo that would never run.
    #[error("step `{0}` comes after the pivot and only goes forward: it cannot have an undo")]
    UndoAfterPivot(&'static str),
    /// There are several pivots.
    #[error("a saga has one pivot, and `{0}` is another")]
    TwoPivots(&'static str),
}

// === impl Step ===

impl<S> Step<S> {
    /// A step that asks by this command.
    pub fn new(
        name: &'static str,
        command: impl Fn(&S) -> NewMessage + Send + Sync + 'static,
    ) -> Self {
        let command = Arc::new(command);
        Self { name, command, undo: None, changes_nothing: false, is_pivot: false }
    }

    /// What takes it back. It must have the topic and the key of the command, so that the two
    /// arrive in order.
    #[must_use]
    pub fn undo(mut self, undo: impl Fn(&S) -> NewMessage + Send + Sync + 'static) -> Self {
        self.undo = Some(Arc::new(undo));
        self
    }

    /// It only looks: there is nothing to take back.
    #[must_use]
    pub fn changes_nothing(mut self) -> Self {
        self.changes_nothing = true;
        self
    }

    /// The last step that can be refused. Without one, the last step is the pivot.
    #[must_use]
    pub fn pivot(mut self) -> Self {
        self.is_pivot = true;
        self
    }
}

// === impl Definition ===

impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> Definition<S> {
    /// A saga without steps, whose participants answer on this topic.
    pub fn new(name: &'static str, replies: &'static str) -> Self {
        let shape = Shape { undoable: Vec::new(), pivot: 0 };
        let hook: Hook<S> = Arc::new(|_, _| Unit::new());
        Self { name, replies, steps: Vec::new(), shape, patience: PATIENCE, hook }
    }

    /// One more step, after those before.
    #[must_use]
    pub fn step(mut self, step: Step<S>) -> Self {
        self.steps.push(step);
        self
    }

    /// How long an answer is waited for before the same is asked again. Default 30 s.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What the service adds to the unit of each change: rows, events, messages.
    #[must_use]
    pub fn on_change(mut self, hook: impl Fn(&S, &Change) -> Unit + Send + Sync + 'static) -> Self {
        self.hook = Arc::new(hook);
        self
    }

    /// Checks the definition.
    ///
    /// # Errors
    /// [`InvalidDefinition`] naming the step.
    pub fn build(mut self) -> Result<Arc<Self>, InvalidDefinition> {
        let mut names = BTreeSet::new();
        let mut pivots = self.steps.iter().enumerate().filter(|(_, step)| step.is_pivot);
        let pivot = pivots.next().map(|(index, _)| index);
        if let Some((_, second)) = pivots.next() {
            return Err(InvalidDefinition::TwoPivots(second.name));
        }
        let last = self.steps.len().checked_sub(1).ok_or(InvalidDefinition::NoSteps(self.name))?;
        let pivot = pivot.unwrap_or(last);
        for (index, step) in self.steps.iter().enumerate() {
            if !names.insert(step.name) {
                return Err(InvalidDefinition::Twice(step.name));
            }
            if index < pivot && step.undo.is_none() && !step.changes_nothing {
                return Err(InvalidDefinition::NoUndo(step.name));
            }
            if index > pivot && step.undo.is_some() {
                return Err(InvalidDefinition::UndoAfterPivot(step.name));
            }
        }
        let undoable = self.steps.iter().map(|step| step.undo.is_some()).collect();
        self.shape = Shape { undoable, pivot };
        Ok(Arc::new(self))
    }

    /// What the table needs to know.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The names of its steps, in order.
    pub fn step_names(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().map(|step| step.name)
    }

    /// The name of a step.
    pub(crate) fn step_name(&self, step: usize) -> &'static str {
        self.steps.get(step).map_or("?", |step| step.name)
    }
}

impl<S> fmt::Debug for Definition<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| step.name).collect();
        f.debug_struct("Definition").field("name", &self.name).field("steps", &steps).finish()
    }
}

impl<S> fmt::Debug for Step<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("name", &self.name).finish_non_exhaustive()
    }
}
