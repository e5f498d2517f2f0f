//! Answering a whole batch with one wake-up.
//!
//! To wake a task of another thread costs microseconds, a task of one's own thread next to nothing.
//! So the writer wakes only the first of those that wait, and it passes the answers on to the
//! others from inside their runtime. Should it never come to that (its runtime is busy, or it was
//! dropped), the rest is delivered by whoever drops it, at the latest by the writer before its next
//! batch is answered or it goes to sleep.
//!
//! The spent unit goes back with its answer: memory is given back where it was taken, and the
//! writer does not spend its time on it.

use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_store::{CommitError, Committed, Unit};
use tokio::sync::oneshot;

pub(crate) type Answer = Result<Committed, CommitError>;

/// A unit, and who waits for its answer. Boxed, as it changes hands a few times.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) unit: Box<Unit>,
    pub(crate) reply: oneshot::Sender<Answered>,
}

/// Batches below this are answered one by one.
const SMALL: usize = 4;

/// What whoever waits for a commit receives.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    _unit: Box<Unit>,
    /// The answers of the others; dropping delivers them.
    _rest: Option<Rest>,
}

/// Answers that are still to be delivered.
#[derive(Clone, Debug)]
pub(crate) struct Rest(Arc<Mutex<Vec<Addressed>>>);

type Addressed = (oneshot::Sender<Answered>, Answered);

/// Answers a batch, and returns what must be delivered before the next one.
pub(super) fn deliver(asked: impl Iterator<Item = Asked>, answers: Vec<Answer>) -> Option<Rest> {
    let is_small = answers.len() < SMALL;
    let mut all = asked.zip(answers).map(|(Asked { unit, reply }, answer)| {
        (reply, Answered { answer, _unit: unit, _rest: None })
    });
    if is_small {
        // Whoever has gone away wants no answer.
        all.for_each(|(reply, answered)| drop(reply.send(answered)));
        return None;
    }
    let (reply, first) = all.next()?;
    let rest = Rest(Arc::new(Mutex::new(all.collect())));
    drop(reply.send(Answered { _rest: Some(rest.clone()), ..first }));
    Some(rest)
}

impl Drop for Rest {
    fn drop(&mut self) {
        let answers = std::mem::take(&mut *self.0.lock());
        for (reply, answered) in answers {
            drop(reply.send(answered));
        }
    }
}
