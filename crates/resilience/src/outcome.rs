//! How a finished call counts: the three-way question that breakers, limits and budgets ask.
//!
//! Two answers are not enough (B4): a "not found" says nothing about the health of a dependency, and counting it as a failure opens a
//! breaker over wrong input, while counting it as a success hides real failures behind it.

use std::sync::Arc;
use std::time::Duration;

use crate::SeamError;

/// How a finished call counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The dependency works.
    Success,
    /// The dependency failed; it may have said when to come back.
    Failure {
        /// When it wants to be asked again (`Retry-After`, `grpc-retry-pushback-ms`).
        retry_after: Option<Duration>,
    },
    /// It says nothing about the dependency.
    Ignore,
}

/// Says how an answer counts. Shared by all clones of a layer.
pub struct Classifier<T, E>(Judging<T, E>);

enum Judging<T, E> {
    /// Answers are successes, so most calls are judged without calling anything.
    Errors(fn(&E) -> Outcome),
    Answers(Arc<Classify<T, E>>),
}

type Classify<T, E> = dyn Fn(&Result<T, E>, Duration) -> Outcome + Send + Sync;

// === impl Outcome ===

impl Outcome {
    /// A failure without a hint when to come back.
    pub const FAILURE: Self = Self::Failure { retry_after: None };
}

// === impl Classifier ===

impl<T, E> Classifier<T, E> {
    /// By this function of the answer.
    pub fn new(classify: impl Fn(&Result<T, E>) -> Outcome + Send + Sync + 'static) -> Self {
        Self(Judging::Answers(Arc::new(move |answer, _| classify(answer))))
    }

    /// By this function of the answer and of how long it took: an answer after its caller's
    /// patience may be a failure.
    pub fn timed(
        classify: impl Fn(&Result<T, E>, Duration) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Self(Judging::Answers(Arc::new(classify)))
    }

    /// How this answer counts, if it took no time.
    pub fn classify(&self, answer: &Result<T, E>) -> Outcome {
        self.classify_after(answer, Duration::ZERO)
    }

    /// How this answer counts that took so long.
    pub fn classify_after(&self, answer: &Result<T, E>, elapsed: Duration) -> Outcome {
        self.classify_within(answer, || elapsed)
    }

    /// The same, where the time is made only for who asks.
    #[inline(always)]
    pub(crate) fn classify_within(
        &self,
        answer: &Result<T, E>,
        elapsed: impl FnOnce() -> Duration,
    ) -> Outcome {
        match (&self.0, answer) {
            (Judging::Errors(_), Ok(_)) => Outcome::Success,
            (Judging::Errors(judge), Err(error)) => judge(error),
            (Judging::Answers(judge), _) => judge(answer, elapsed()),
        }
    }
}

impl<T, E: SeamError> Classifier<T, E> {
    /// Answers are successes, errors failures; what a policy further in rejected says nothing about
    /// the dependency (B13) unless it was an attempt ([`Reason::is_attempt`](crate::Reason::is_attempt)).
    pub fn of_errors() -> Self {
        Self(Judging::Errors(|error| match error.rejected() {
            Some(rejected) if !rejected.reason.is_attempt() => Outcome::Ignore,
            _ => Outcome::FAILURE,
        }))
    }
}

impl<T, E> Clone for Classifier<T, E> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Judging::Errors(judge) => Judging::Errors(*judge),
            Judging::Answers(judge) => Judging::Answers(judge.clone()),
        })
    }
}

impl<T, E> std::fmt::Debug for Classifier<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Classifier")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallError, PolicyName, Reason, Rejected};

    /// B13: what a policy further in rejected is not counted by the breaker outside it.
    #[test]
    fn b13_rejections_from_further_in_say_nothing_but_a_time_out_does() {
        let classifier = Classifier::<(), CallError<&str>>::of_errors();
        let rejected = |reason| Err(Rejected::new(PolicyName::new("inner"), reason).into());
        assert_eq!(classifier.classify(&Ok(())), Outcome::Success);
        assert_eq!(classifier.classify(&Err(CallError::Failed("no"))), Outcome::FAILURE);
        assert_eq!(classifier.classify(&rejected(Reason::Open)), Outcome::Ignore);
        assert_eq!(classifier.classify(&rejected(Reason::BulkheadFull)), Outcome::Ignore);
        assert_eq!(classifier.classify(&rejected(Reason::TimedOut)), Outcome::FAILURE);
    }

    #[test]
    fn b4_a_classifier_may_judge_by_the_time_that_a_call_took() {
        let patience = Duration::from_secs(1);
        let classifier = Classifier::<(), Rejected>::timed(move |_, elapsed| {
            if elapsed > patience { Outcome::FAILURE } else { Outcome::Success }
        });
        assert_eq!(classifier.classify_after(&Ok(()), patience), Outcome::Success);
        assert_eq!(classifier.classify_after(&Ok(()), patience * 2), Outcome::FAILURE);
    }
}
