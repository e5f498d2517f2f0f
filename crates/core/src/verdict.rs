//! One question asked of every error: may it be tried again?

use std::error::Error;

/// Any error that can cross a thread, as it appears at composition seams.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// What whoever meets an error should do next.
///
/// | verdict | a call | a consumer | a saga step |
/// |---|---|---|---|
/// | `Retry` | retries within budget and deadline | retries, then parks | unknown: asks again |
/// | `Terminal` | answers 5xx | parks | failed: undoes |
/// | `Stuck` | answers 5xx, alerts | parks, alerts | `undo_failed`: waits for a human |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may pass by itself: the same request can succeed later.
    Retry,
    /// The same request will always fail in the same way.
    Terminal,
    /// Nobody but a person can resolve it.
    Stuck,
}

/// An error that answers "again?".
///
/// A refusal (a domain "no") is not an error: a handler answers it and settles.
pub trait Retryable: Error + Send + Sync + 'static {
    /// What to do next.
    fn verdict(&self) -> Verdict;
}

/// An error with everything that caused it, on one line: `outer: inner: innermost`.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
