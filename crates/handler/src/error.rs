//! Why a group ended although nobody asked it to: the service restarts it, or a person looks.

use switchboard_core::{BoxError, Name, Retryable, Verdict};
use switchboard_message::{ConsumeError, SubscribeError};

/// A group has ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The options or registrations are wrong. Correct the program.
    #[error("group `{group}`: {what}")]
    Invalid {
        /// The group.
        group: Name,
        /// What to correct.
        what: String,
    },
    /// The topics cannot be subscribed to as they are. Declare them before the group runs.
    #[error("group `{group}` cannot subscribe")]
    Subscribe {
        /// The group.
        group: Name,
        /// What the broker said.
        #[source]
        source: SubscribeError,
    },
    /// The broker has ended the subscription for good: it was closed, or records were lost to the
    /// group ([`ConsumeError::BelowRetention`]) and a person decides where to go on.
    #[error("group `{group}` cannot consume")]
    Consume {
        /// The group.
        group: Name,
        /// What the broker said.
        #[source]
        source: ConsumeError,
    },
    /// The store failed in the middle of a commit. Open it again, then run the group again.
    #[error("group `{group}` has lost its store")]
    Store {
        /// The group.
        group: Name,
        /// What the store said.
        #[source]
        source: BoxError,
    },
}

impl Retryable for Error {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Invalid { .. } | Self::Subscribe { .. } => Verdict::Terminal,
            Self::Consume { source, .. } => source.verdict(),
            Self::Store { .. } => Verdict::Retry,
        }
    }
}
