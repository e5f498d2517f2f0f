//! Why a handler could not produce a unit. A business "no" is not a failure: it is a unit that carries the answer.

use std::fmt;

use switchboard_core::{BoxError, Retryable, Verdict, chain};

/// A handler's answer when it has no unit to commit.
///
/// Every [`Retryable`] error becomes one by `?`; for others say what to do next:
///
/// ```
/// use switchboard_core::Verdict;
/// use switchboard_handler::Failure;
///
/// let failure = Failure::retry("the mail server is busy");
/// assert_eq!(failure.verdict, Verdict::Retry);
/// assert_eq!(failure.to_string(), "the mail server is busy");
/// ```
#[derive(Debug)]
pub struct Failure {
    /// Whether to try again, to park the message, or to call a person as well.
    pub verdict: Verdict,
    /// What went wrong.
    pub source: BoxError,
}

// === impl Failure ===

impl Failure {
    /// It may pass by itself: tried again, then parked.
    pub fn retry(source: impl Into<BoxError>) -> Self {
        Self { verdict: Verdict::Retry, source: source.into() }
    }

    /// It will always fail: parked at once.
    pub fn terminal(source: impl Into<BoxError>) -> Self {
        Self { verdict: Verdict::Terminal, source: source.into() }
    }

    /// Only a person can resolve it: parked at once, with an alert.
    pub fn stuck(source: impl Into<BoxError>) -> Self {
        Self { verdict: Verdict::Stuck, source: source.into() }
    }

    /// The error with its causes, cut to 8 KiB so that a dead letter stays small.
    pub(crate) fn text(&self) -> String {
        const LIMIT: usize = 8 * 1024;
        let mut text = chain(&*self.source);
        if text.len() > LIMIT {
            let cut = (0..=LIMIT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
        }
        text
    }
}

impl<E: Retryable> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { verdict: error.verdict(), source: Box::new(error) }
    }
}

/// The error alone; [`chain`] of the source shows its causes.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
