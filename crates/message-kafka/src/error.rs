//! Why a broker is not there: whoever starts the program sees it.

use switchboard_core::{BoxError, Retryable, Verdict};

use crate::UrlError;

/// The broker cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The settings ask for something that this build does not have. Build it with the feature.
    #[error("{wish} needs the cargo feature `{feature}`")]
    Feature {
        /// What was asked for.
        wish: &'static str,
        /// What to build with.
        feature: &'static str,
    },
    /// The settings are wrong.
    #[error("the settings of Kafka are wrong")]
    Invalid(#[source] BoxError),
    /// No broker answered.
    #[error("no Kafka broker answers at {bootstrap}")]
    Unreachable {
        /// Where it was looked for.
        bootstrap: String,
        /// What happened.
        #[source]
        source: BoxError,
    },
}

impl Retryable for ConnectError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Feature { .. } | Self::Invalid(_) => Verdict::Terminal,
            Self::Unreachable { .. } => Verdict::Retry,
        }
    }
}

impl Retryable for UrlError {
    fn verdict(&self) -> Verdict {
        Verdict::Terminal
    }
}
