//! What an operator sees of the policies of a process, and can do to them while it runs.
//!
//! A policy registers itself by name in a [`Registry`]; a program shows [`Registry::views`] and passes on what an operator asks. Looking
//! never changes behaviour, and everything an operator does is recorded with who did it and why.

mod health;
mod registry;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchboard_core::Timestamp;

use crate::PolicyName;

pub use health::{Health, Status};
pub use registry::Registry;

/// A policy that can be looked at and acted on. Register it with [`Registry::register`].
pub trait Controlled: Send + Sync + std::fmt::Debug {
    /// Its present state. Must not block, nor change anything.
    fn view(&self) -> View;

    /// Does what an operator asks, at once.
    ///
    /// # Errors
    /// [`ControlError`] says what this policy can do instead; then nothing has changed.
    fn act(&self, action: &Action) -> Result<(), ControlError>;

    /// The same, by somebody for a reason, for policies that tell their listeners about it.
    ///
    /// # Errors
    /// As [`Controlled::act`].
    fn act_as(&self, action: &Action, _actor: &str, _why: &str) -> Result<(), ControlError> {
        self.act(action)
    }

    /// How well what it guards is served. Default: well.
    fn health(&self) -> Health {
        Health::ok(self.view().name)
    }

    /// Hands its counts to the installed metrics recorder. Policies count by themselves, because
    /// that is cheaper than any recorder, and are read when somebody looks. Default: nothing.
    fn publish(&self) {}
}

/// A policy as an operator sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Its name.
    pub name: PolicyName,
    /// Which policy it is: `breaker`, `bulkhead`, `rate_limit`, `adaptive_limit`, `retry_budget` …
    pub kind: &'static str,
    /// The state in one word: `closed`, `open`, `ok`, `exhausted` …
    pub state: &'static str,
    /// How long a breaker still stays open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_open: Option<Duration>,
    /// What it counts now, by name: calls and failures in the window, places taken, tokens left.
    pub figures: Vec<(&'static str, f64)>,
    /// What it is set to, by name: what [`Action::Reconfigure`] can change.
    pub settings: Vec<(&'static str, f64)>,
    /// Its last changes of state, newest first, a bounded number.
    pub transitions: Vec<Transition>,
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// From which state.
    pub from: &'static str,
    /// To which.
    pub to: &'static str,
    /// Why: `failure_rate 62 %`, `operator ann: maintenance`.
    pub because: String,
}

/// What an operator can ask of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Let nothing through until released.
    Isolate,
    /// Let everything through and count nothing until released.
    Disable,
    /// Let everything through, count, and say when it would have stopped calls, until released.
    Observe,
    /// Go back to judging by results, from the beginning.
    Release,
    /// Change settings, by the names in [`View::settings`]; those that are not named stay.
    Reconfigure {
        /// Names and values: durations in seconds, shares from 0 to 1.
        settings: std::collections::BTreeMap<String, f64>,
    },
}

/// A policy cannot do what was asked; nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No policy has this name.
    #[error("there is no policy `{0}`")]
    Unknown(String),
    /// This kind of policy knows no such action.
    #[error("a {kind} cannot do `{action}`")]
    Unsupported {
        /// The kind.
        kind: &'static str,
        /// The action.
        action: &'static str,
    },
    /// There is no such setting, or not this value of it.
    #[error("`{setting}`: {why}")]
    Invalid {
        /// The setting.
        setting: String,
        /// What it can be.
        why: String,
    },
}

/// Something an operator did to a policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// To which policy.
    pub policy: PolicyName,
    /// What.
    pub action: Action,
    /// Who.
    pub actor: String,
    /// Why, in their words.
    pub why: String,
    /// The state before.
    pub before: &'static str,
    /// The state after.
    pub after: &'static str,
}

// === impl Action ===

impl Action {
    /// The name of the action.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Isolate => "isolate",
            Self::Disable => "disable",
            Self::Observe => "observe",
            Self::Release => "release",
            Self::Reconfigure { .. } => "reconfigure",
        }
    }
}
