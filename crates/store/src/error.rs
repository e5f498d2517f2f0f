//! What a commit can answer, and what whoever asked does next.

use switchboard_core::{BoxError, Name, Retryable, Verdict};

/// A unit was not committed. Nothing of it has happened, except after [`CommitError::Unknown`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A condition does not hold. Load again, decide again, commit again.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The message's key is blocked. Commit it with custody `Behind`.
    #[error("the key is blocked behind a failed message")]
    KeyBlocked,
    /// The message was to wait behind others and the key is open. Handle it.
    #[error("the key is not blocked any more")]
    KeyOpen,
    /// The head of the queue is another one: somebody else has worked on it. Look again.
    #[error("the queue of the key has moved")]
    GateMoved,
    /// The timer fired already or was cancelled.
    #[error("timer `{0}` is not set any more")]
    TimerGone(Name),
    /// The unit can never be committed: an undeclared table or column, a limit exceeded.
    #[error("{0}")]
    Invalid(String),
    /// The store cannot write now: a full disk, a busy file. Nothing happened; try again.
    #[error("the store cannot write")]
    Unavailable(#[source] BoxError),
    /// The store failed while it was committing: the unit may be there after a restart or not.
    /// The store takes no more units until it is opened again.
    #[error("the store failed and must be opened again")]
    Unknown(#[source] BoxError),
}

/// A read failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The query names a table or column that is not declared.
    #[error("{0}")]
    Invalid(String),
    /// A record is there and cannot be read.
    #[error("cannot decode {what}")]
    Undecodable {
        /// Which record.
        what: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The store cannot be read now.
    #[error("the store cannot be read")]
    Unavailable(#[source] BoxError),
}

impl Retryable for CommitError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Invalid(_) => Verdict::Terminal,
            _ => Verdict::Retry,
        }
    }
}

impl Retryable for StoreError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Invalid(_) | Self::Undecodable { .. } => Verdict::Terminal,
            Self::Unavailable(_) => Verdict::Retry,
        }
    }
}
