//! What an attempt's answer says to "again?".
//!
//! The question is richer than yes or no: a request that certainly was not processed may be repeated whatever it does, one that perhaps
//! was needs to be repeatable (R6), a dependency that is too busy costs other tokens and other waits than one that is broken, and it may
//! have said when it wants to be asked again, or that it does not (R2).

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Verdict;

use crate::{Classifier, Outcome, SeamError};

/// What an attempt's answer says to "again?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// This is the answer: a success, a refusal, or a fault that would only happen again.
    No,
    /// It may pass by itself.
    After {
        /// What happened to the request.
        class: Class,
        /// What the dependency said about when.
        hint: Hint,
    },
}

/// What happened to a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may have had an effect or not: only a repeatable call is repeated.
    Transient,
    /// The dependency has too much to do: as `Transient`, with longer waits where the policy has
    /// them.
    Throttled,
    /// It certainly was not processed (no connection, `REFUSED_STREAM`, 425): any call is repeated.
    NotSent,
}

/// When a dependency wants to be asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hint {
    /// It did not say.
    #[default]
    None,
    /// Not before (`Retry-After`).
    AtLeast(Duration),
    /// Then (`grpc-retry-pushback-ms`).
    Exactly(Duration),
    /// Not at all: it is overloaded, or somebody further in has already tried (R7).
    Never,
}

/// Says what answers say. Clones are one.
pub struct Judge<T, E>(Arc<JudgeFn<T, E>>);

type JudgeFn<T, E> = dyn Fn(&Result<T, E>) -> Again + Send + Sync;

// === impl Again ===

impl Again {
    /// It may pass by itself, and nothing more is known.
    pub const TRANSIENT: Self = Self::After { class: Class::Transient, hint: Hint::None };
    /// It certainly was not processed.
    pub const NOT_SENT: Self = Self::After { class: Class::NotSent, hint: Hint::None };
}

// === impl Judge ===

impl<T, E> Judge<T, E> {
    /// By this function. It is not asked about rejections that policies made: their answer is the
    /// house's, see [`judge`](Self::judge).
    pub fn new(judge: impl Fn(&Result<T, E>) -> Again + Send + Sync + 'static) -> Self {
        Self(Arc::new(judge))
    }

    /// Answers are final; of errors, this verdict.
    pub fn of_errors(verdict: impl Fn(&E) -> Verdict + Send + Sync + 'static) -> Self {
        Self::new(move |answer| match answer.as_ref().map_err(&verdict) {
            Err(Verdict::Retry) => Again::TRANSIENT,
            Ok(_) | Err(Verdict::Terminal | Verdict::Stuck) => Again::No,
        })
    }
}

impl<T, E: SeamError> Judge<T, E> {
    /// What this answer says.
    ///
    /// A policy further in that let nothing through is not asked again (B13): the breaker stays
    /// open and the bulkhead full for longer than a retry waits, each further attempt would be
    /// another rejection, and who waits here holds a place that others need. That the request
    /// certainly was not sent does not change it, and its `retry_after` is for whoever is further
    /// out. What was an attempt ([`Reason::is_attempt`](crate::Reason::is_attempt)) may pass; the
    /// request may or may not have had its effect.
    pub fn judge(&self, answer: &Result<T, E>) -> Again {
        match answer.as_ref().err().and_then(SeamError::rejected) {
            Some(rejected) if rejected.reason.is_attempt() => Again::TRANSIENT,
            Some(_) => Again::No,
            None => (self.0)(answer),
        }
    }
}

/// What a breaker counts as a failure may pass by itself; everything else is an answer.
impl<T: 'static, E: 'static> From<Classifier<T, E>> for Judge<T, E> {
    fn from(classifier: Classifier<T, E>) -> Self {
        Self::new(move |answer| match classifier.classify(answer) {
            Outcome::Failure { retry_after } => {
                let hint = retry_after.map_or(Hint::None, Hint::AtLeast);
                Again::After { class: Class::Transient, hint }
            }
            Outcome::Success | Outcome::Ignore => Again::No,
        })
    }
}

impl<T, E> Clone for Judge<T, E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, E> std::fmt::Debug for Judge<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Judge")
    }
}
