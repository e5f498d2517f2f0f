//! Why a relay ended although nobody asked it to.

use switchboard_core::{BoxError, Retryable, Verdict};

/// A relay has ended, or cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed in the middle of a commit. Open it again, then start the relay again.
    #[error("the relay has lost its store")]
    StoreLost(#[source] BoxError),
    /// The store cannot be read at the start. Try again.
    #[error("the relay cannot read its store")]
    Store(#[source] BoxError),
    /// The broker cannot say what it knows of this store, so nothing may be published yet. Try
    /// again.
    #[error("the broker cannot say what this store has published")]
    Broker(#[source] BoxError),
}

impl Retryable for Error {
    fn verdict(&self) -> Verdict {
        Verdict::Retry
    }
}
