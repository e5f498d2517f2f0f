//! What travels between a saga and its participants: headers of a command, and the reply.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchboard_core::{Envelope, Key, Message};
use switchboard_store::NewMessage;

pub(crate) const SAGA: &str = "saga";
pub(crate) const INSTANCE: &str = "saga-instance";
pub(crate) const STEP: &str = "saga-step";
pub(crate) const EPOCH: &str = "saga-epoch";
pub(crate) const ACTION: &str = "saga-action";
pub(crate) const REPLY_TO: &str = "reply-to";

/// What came of what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done.
    Done,
    /// The participant says no: nothing has happened.
    Rejected,
    /// It failed for good: nothing has happened.
    Failed,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Do the step.
    Do,
    /// Undo it.
    Undo,
}

/// A participant's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The saga's name.
    pub saga: String,
    /// Which run of it.
    pub instance: String,
    /// Which step.
    pub step: String,
    /// Which question.
    pub epoch: u32,
    /// Do or undo.
    pub action: Action,
    /// What came of it.
    pub outcome: Outcome,
    /// Why not, as a stable name: `out_of_stock`.
    pub reason: Option<String>,
    /// What the participant tells beside: an id, a number.
    #[serde(default)]
    pub data: Value,
}

/// A timer's message: no answer came in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedOut {
    /// The saga's name.
    pub saga: String,
    /// Which run of it.
    pub instance: String,
}

impl Message for Reply {
    const TOPIC: &'static str = "saga.replies";
    const KIND: &'static str = "saga.reply";
    fn key(&self) -> Option<Key> {
        Some(Key::from(&*self.instance))
    }
}

impl Message for TimedOut {
    const TOPIC: &'static str = "saga.replies";
    const KIND: &'static str = "saga.timed_out";
    fn key(&self) -> Option<Key> {
        Some(Key::from(&*self.instance))
    }
}

/// What a command says about the saga that sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) saga: String,
    pub(crate) instance: String,
    pub(crate) step: String,
    pub(crate) epoch: u32,
    pub(crate) action: Action,
    pub(crate) reply_to: String,
}

/// A command that does not say which saga sent it.
#[derive(Debug, thiserror::Error)]
#[error("the command has no usable header `{0}`: only a saga may send it")]
pub(crate) struct NotFromASaga(&'static str);

// === impl Action ===

impl Action {
    /// The name in headers and keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
        }
    }
}

// === impl Asked ===

impl Asked {
    pub(crate) fn of(envelope: &Envelope) -> Result<Self, NotFromASaga> {
        let text = |name: &'static str| {
            envelope.headers.get(name).map(ToString::to_string).ok_or(NotFromASaga(name))
        };
        let action = match &*text(ACTION)? {
            "do" => Action::Do,
            "undo" => Action::Undo,
            _ => return Err(NotFromASaga(ACTION)),
        };
        Ok(Self {
            saga: text(SAGA)?,
            instance: text(INSTANCE)?,
            step: text(STEP)?,
            epoch: text(EPOCH)?.parse().map_err(|_| NotFromASaga(EPOCH))?,
            action,
            reply_to: text(REPLY_TO)?,
        })
    }

    /// Writes the headers into a command.
    pub(crate) fn mark(&self, command: NewMessage) -> NewMessage {
        command
            .with_header(SAGA, &*self.saga)
            .with_header(INSTANCE, &*self.instance)
            .with_header(STEP, &*self.step)
            .with_header(EPOCH, self.epoch.to_string())
            .with_header(ACTION, self.action.as_str())
            .with_header(REPLY_TO, &*self.reply_to)
    }

    /// The key of the effect in the participant's store. It names the question, not the message:
    /// another message with the same question gets the same answer.
    pub(crate) fn effect(&self, action: Action) -> String {
        format!("{}/{}/{}/{}", self.saga, self.instance, self.step, action.as_str())
    }
}
