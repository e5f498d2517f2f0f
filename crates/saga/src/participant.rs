//! The other side of a saga: effects that happen once, whatever arrives how often.
//!
//! The answer to a question is kept for ever, in the unit of the effect, under the name of the question. So a repeat gets the same answer
//! even when its message is a new one (another incarnation, a retry after a timeout, an operator's replay), and a command that arrives
//! after its undo finds a tombstone and does nothing.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value as Json;
use switchboard_core::{Envelope, Verdict, chain};
use switchboard_handler::Failure;
use switchboard_store::{Column, Expect, NewMessage, Row, Store, Table, Unit, Value};

use crate::wire::Asked;
use crate::{Action, Outcome, Reply};

/// Every question that was answered. A participant's store declares it.
pub static EFFECTS: Table = Table {
    name: "effects",
    columns: &[
        Column::integer("epoch"),
        Column::text("outcome"),
        Column::text("reason"),
        Column::text("data"),
    ],
    indexes: &[],
};

/// The reason that a command gets which comes after its own undo.
const UNDONE_BEFORE: &str = "undone_before";

/// Answers commands of sagas, each once.
#[derive(Clone, Debug)]
pub struct Participant {
    store: Arc<dyn Store>,
}

/// What a participant makes of a command.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is done, by this unit; `reply` is told beside.
    Done {
        /// The effect.
        unit: Unit,
        /// What is told beside.
        reply: Json,
    },
    /// No; the unit says at most on what the refusal rests.
    Rejected {
        /// Conditions, and whatever is to be remembered.
        unit: Unit,
        /// Why not, as a stable name.
        reason: String,
    },
}

// === impl Answer ===

impl Answer {
    /// It is done, by this unit.
    pub fn done(unit: Unit) -> Self {
        Self::Done { unit, reply: Json::Null }
    }

    /// No, whatever else changes.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected { unit: Unit::new(), reason: reason.into() }
    }
}

/// What was answered before.
struct Kept {
    version: u64,
    epoch: u32,
    outcome: Outcome,
    reason: Option<String>,
    data: Json,
}

// === impl Participant ===

impl Participant {
    /// Over the participant's own store, which declares [`EFFECTS`].
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Does a step, unless it was done, refused or undone before.
    ///
    /// # Errors
    /// A `Retry` or `Stuck` failure of `work`, for the group's retries. A `Terminal` one is
    /// answered: the step has failed.
    pub async fn perform<F, Fut>(&self, command: &Envelope, work: F) -> Result<Unit, Failure>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Answer, Failure>>,
    {
        let asked = Asked::of(command).map_err(Failure::terminal)?;
        let kept = self.kept(&asked, Action::Do).await?;
        match kept {
            // A question that was refused may be asked anew, by an operator.
            Some(kept) if kept.outcome == Outcome::Done || asked.epoch <= kept.epoch => {
                Ok(kept.repeat(&asked))
            }
            kept => answered(&asked, kept.map(|kept| kept.version), settle(work().await)?),
        }
    }

    /// Undoes a step. What was never done leaves a tombstone, so that it will not be done later.
    ///
    /// # Errors
    /// As [`Participant::perform`].
    pub async fn undo<F, Fut>(&self, command: &Envelope, work: F) -> Result<Unit, Failure>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Answer, Failure>>,
    {
        let asked = Asked::of(command).map_err(Failure::terminal)?;
        let kept = self.kept(&asked, Action::Undo).await?;
        let version = match kept {
            Some(kept) if kept.outcome == Outcome::Done || asked.epoch <= kept.epoch => {
                return Ok(kept.repeat(&asked));
            }
            kept => kept.map(|kept| kept.version),
        };
        let nothing = || Answer::Done { unit: Unit::new(), reply: Json::Null };
        match self.kept(&asked, Action::Do).await? {
            Some(done) if done.outcome == Outcome::Done => {
                answered(&asked, version, settle(work().await)?)
            }
            Some(_refused) => answered(&asked, version, (Outcome::Done, nothing(), None)),
            None => {
                let key = asked.effect(Action::Do);
                let tombstone = Unit::new().expect(Expect::row_absent(&EFFECTS, &*key)).put(
                    &EFFECTS,
                    key,
                    cells(asked.epoch, Outcome::Rejected, Some(UNDONE_BEFORE), &Json::Null),
                );
                let unit = answered(&asked, version, (Outcome::Done, nothing(), None))?;
                Ok(unit.and(tombstone))
            }
        }
    }

    async fn kept(&self, asked: &Asked, action: Action) -> Result<Option<Kept>, Failure> {
        let row = self.store.row(&EFFECTS, &asked.effect(action)).await?;
        Ok(row.as_ref().map(Kept::of))
    }
}

/// An answer with its outcome; a terminal failure is one, too.
type Settled = (Outcome, Answer, Option<String>);

fn settle(worked: Result<Answer, Failure>) -> Result<Settled, Failure> {
    match worked {
        Ok(answer @ Answer::Done { .. }) => Ok((Outcome::Done, answer, None)),
        Ok(Answer::Rejected { unit, reason }) => {
            let answer = Answer::Rejected { unit, reason: reason.clone() };
            Ok((Outcome::Rejected, answer, Some(reason)))
        }
        Err(failure) if failure.verdict == Verdict::Terminal => {
            let reason = chain(&*failure.source);
            let answer = Answer::Rejected { unit: Unit::new(), reason: reason.clone() };
            Ok((Outcome::Failed, answer, Some(reason)))
        }
        Err(failure) => Err(failure),
    }
}

/// The unit of an answer: the effect, its memory, the reply.
fn answered(
    asked: &Asked,
    version: Option<u64>,
    (outcome, answer, reason): Settled,
) -> Result<Unit, Failure> {
    let (unit, data) = match answer {
        Answer::Done { unit, reply } => (unit, reply),
        Answer::Rejected { unit, .. } => (unit, Json::Null),
    };
    let key = asked.effect(asked.action);
    let guard = match version {
        Some(version) => Expect::row_at(&EFFECTS, &*key, version),
        None => Expect::row_absent(&EFFECTS, &*key),
    };
    Ok(unit
        .expect(guard)
        .put(&EFFECTS, key, cells(asked.epoch, outcome, reason.as_deref(), &data))
        .send(reply(asked, outcome, reason, data)))
}

fn cells(
    epoch: u32,
    outcome: Outcome,
    reason: Option<&str>,
    data: &Json,
) -> [(&'static str, Value); 4] {
    let outcome = match outcome {
        Outcome::Done => "done",
        Outcome::Rejected => "rejected",
        Outcome::Failed => "failed",
    };
    [
        ("epoch", Value::from(i64::from(epoch))),
        ("outcome", Value::from(outcome)),
        ("reason", Value::from(reason)),
        ("data", Value::from((!data.is_null()).then(|| data.to_string()))),
    ]
}

fn reply(asked: &Asked, outcome: Outcome, reason: Option<String>, data: Json) -> NewMessage {
    let reply = Reply {
        saga: asked.saga.clone(),
        instance: asked.instance.clone(),
        step: asked.step.clone(),
        epoch: asked.epoch,
        action: asked.action,
        outcome,
        reason,
        data,
    };
    NewMessage::of(&reply).to(&*asked.reply_to)
}

// === impl Kept ===

impl Kept {
    fn of(row: &Row) -> Self {
        let reason = row.text("reason");
        Self {
            version: row.version,
            epoch: u32::try_from(row.integer("epoch")).unwrap_or(0),
            outcome: match row.text("outcome") {
                "done" => Outcome::Done,
                "rejected" => Outcome::Rejected,
                _ => Outcome::Failed,
            },
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            data: serde_json::from_str(row.text("data")).unwrap_or(Json::Null),
        }
    }

    /// The same answer once more, to whoever asks now.
    fn repeat(self, asked: &Asked) -> Unit {
        Unit::new().send(reply(asked, self.outcome, self.reason, self.data))
    }
}
