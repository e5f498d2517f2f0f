//! A gate is a key that is blocked: its messages wait in order behind one that failed, while all other keys flow.
//!
//! One mechanism serves delayed retries and dead letters. A gate with a due time is tried again by itself; a gate without one is
//! *parked* and waits for an operator. Messages of the key that arrive meanwhile join behind. Whoever works on the queue takes the
//! head, and guards its unit by releasing exactly that entry; when the queue is empty the key is open again, in the same unit.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use switchboard_core::{DecodeError, Envelope, Key, Name, Timestamp, Verdict};

/// A blocked key of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The group.
    pub group: Name,
    /// The key.
    pub key: Key,
    /// When the head is tried again; `None` when it is parked.
    pub due: Option<Timestamp>,
    /// Since when the key is blocked.
    pub since: Timestamp,
    /// How many messages wait, the head included.
    pub depth: u64,
}

/// A message in the queue of a blocked key.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its place in the queue; unique within the store, rising.
    pub entry: u64,
    /// The encoded envelope, or the raw bytes that could not be decoded.
    pub bytes: Bytes,
    /// When it came to the queue.
    pub since: Timestamp,
    /// Every failure so far, oldest first; at most the first and the last nine.
    pub failures: Vec<Failure>,
}

/// One failed attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// When it failed.
    pub at: Timestamp,
    /// How many times it had been tried, this one included.
    pub attempt: u32,
    /// What the error answered to "again?".
    #[serde(with = "verdict")]
    pub verdict: Verdict,
    /// The error with its causes.
    pub error: String,
}

/// Work on the queue of a blocked key.
#[derive(Clone, Debug, PartialEq)]
pub enum GateOp {
    /// The head was handled (or dropped by an operator): deletes it, and opens the key if it was
    /// the last. Fails with [`CommitError::GateMoved`](crate::CommitError::GateMoved) when the
    /// head is another.
    Release {
        /// The group.
        group: Name,
        /// The key.
        key: Key,
        /// The head.
        entry: u64,
    },
    /// The head failed again. Fails like `Release`.
    Defer {
        /// The group.
        group: Name,
        /// The key.
        key: Key,
        /// The head.
        entry: u64,
        /// When it is tried again; `None` parks it.
        due: Option<Timestamp>,
        /// What went wrong.
        failure: Failure,
    },
    /// An operator asks for a retry: sets the due time of a gate. Fails with
    /// [`CommitError::GateMoved`](crate::CommitError::GateMoved) when the key is not blocked.
    Wake {
        /// The group.
        group: Name,
        /// The key.
        key: Key,
        /// When to try.
        at: Timestamp,
    },
}

/// How many failures of one message are remembered: the first and the last nine.
pub const FAILURES_KEPT: usize = 10;

// === impl Waiting ===

impl Waiting {
    /// The message.
    ///
    /// # Errors
    /// [`DecodeError`] when it is one of those that could not be decoded.
    pub fn envelope(&self) -> Result<Envelope, DecodeError> {
        Envelope::decode(&self.bytes)
    }

    /// Remembers one more failure, within [`FAILURES_KEPT`].
    pub fn remember(failures: &mut Vec<Failure>, failure: Failure) {
        if failures.len() >= FAILURES_KEPT {
            failures.remove(1);
        }
        failures.push(failure);
    }
}

mod verdict {
    use serde::{Deserialize, Deserializer, Serializer};
    use switchboard_core::Verdict;

    pub(super) fn serialize<S: Serializer>(v: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match v {
            Verdict::Retry => "retry",
            Verdict::Terminal => "terminal",
            Verdict::Stuck => "stuck",
        })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Verdict, D::Error> {
        match &*String::deserialize(d)? {
            "retry" => Ok(Verdict::Retry),
            "terminal" => Ok(Verdict::Terminal),
            "stuck" => Ok(Verdict::Stuck),
            other => Err(serde::de::Error::custom(format!("no verdict `{other}`"))),
        }
    }
}
