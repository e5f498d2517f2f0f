//! Why a projection stops. It stops rather than skip: an event that is left out by default is a view that lies.

use switchboard_core::{BoxError, Name, Position, Retryable, Verdict};
use switchboard_store::{CommitError, StoreError};

/// A projection has stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An event could not be projected. Mend the projection and start it again, or skip this one
    /// event by [`Projection::skip`](crate::Projection::skip).
    #[error("projection `{name}` cannot handle the event at {position}")]
    Event {
        /// The projection.
        name: Name,
        /// The event.
        position: Position,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// Another process runs the same projection: its checkpoint has moved.
    #[error("projection `{0}` runs elsewhere too")]
    Elsewhere(Name),
    /// The projection that is waited for has stopped, and says why.
    #[error("projection `{name}` has stopped: {why}")]
    Stopped {
        /// The projection.
        name: Name,
        /// The error that it stopped with, causes included.
        why: String,
    },
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] StoreError),
    /// The store cannot be written.
    #[error("the store cannot be written")]
    Commit(#[source] CommitError),
}

impl Error {
    /// Whether the projection can go on by itself after a while. A store that failed in the middle
    /// of a commit has to be opened again first.
    pub(crate) fn passes(&self) -> bool {
        !matches!(self, Self::Commit(CommitError::Unknown(_))) && self.verdict() == Verdict::Retry
    }
}

impl Retryable for Error {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Event { .. } | Self::Stopped { .. } => Verdict::Stuck,
            Self::Elsewhere(_) => Verdict::Terminal,
            Self::Read(error) => error.verdict(),
            Self::Commit(error) => error.verdict(),
        }
    }
}
