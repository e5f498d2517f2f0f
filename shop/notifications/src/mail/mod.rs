//! Letters that leave the shop: what a courier is, and where the mail server is.
//!
//! Without a courier, a letter is delivered by lying in the mailbox that can be browsed. With one it is handed to a mail server, which is
//! an effect outside the store: it happens at least once, and always under the same Message-ID, so that mail programs show it once.

mod address;
mod guard;
#[cfg(feature = "smtp")]
pub mod smtp;

use std::fmt;

use async_trait::async_trait;
use switchboard_core::{BoxError, Retryable, Timestamp, Verdict};

pub use address::{Address, InvalidAddress, Security};
pub(crate) use guard::MailGuard;

/// A letter on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What the letter is, whoever sends it and however often: its Message-ID is made of it.
    pub id: String,
    /// Whom it goes to.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
    /// When what it tells of has happened.
    pub at: Timestamp,
}

/// Takes letters to their recipients.
///
/// 1. `Ok` means that somebody else has the letter now and answers for it.
/// 2. After an error the letter may have been taken all the same: it is sent again, under the same
///    id.
#[async_trait]
pub trait Courier: Send + Sync + fmt::Debug {
    /// Hands a letter over. Bounded in time.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether the letter was taken.
    async fn send(&self, parcel: &Parcel) -> Result<(), SendError>;
}

/// A letter that was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The server will never take this letter: its recipient does not exist, or it was judged. Look
    /// at the answer, correct the address, and replay the key.
    #[error("the mail server refuses the letter to {to} for good")]
    Refused {
        /// The recipient.
        to: String,
        /// What the server answered.
        #[source]
        source: BoxError,
    },
    /// This address cannot be one. Correct it and replay the key.
    #[error("`{to}` is not an e-mail address")]
    NotAnAddress {
        /// The recipient.
        to: String,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// The server does not let the shop in: credentials, encryption. It is not the letter's fault,
    /// so the letter waits until that is corrected.
    #[error("the mail server does not let the shop in: check SWITCHBOARD_SMTP_USER and _PASSWORD")]
    NotLetIn(#[source] BoxError),
    /// The server is away, busy, or says "later".
    #[error("the mail server does not take letters now")]
    Unavailable(#[source] BoxError),
}

// === impl SendError ===

impl Retryable for SendError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused { .. } | Self::NotAnAddress { .. } => Verdict::Terminal,
            Self::NotLetIn(_) | Self::Unavailable(_) => Verdict::Retry,
        }
    }
}
