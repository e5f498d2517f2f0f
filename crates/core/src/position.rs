//! Places in logs, and the identity that a committed message keeps for ever.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Name, Slot};

/// A place in a log. The first record is at 1; 0 is before everything.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Before the first record.
    pub const START: Self = Self(0);

    /// The place right after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who published a message, and as which one: given once, in the transaction that commits it.
///
/// `sequence` is dense and starts at 1 for each (source, incarnation, topic, slot), so a consumer
/// can tell a duplicate from a message it has never seen without any time limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The store that committed the message, by its service's name.
    pub source: Name,
    /// Bumped when that store is restored from an older copy.
    pub incarnation: u32,
    /// Dense number of the message within its topic and slot.
    pub sequence: u64,
    /// The slot of the message's key.
    pub slot: Slot,
}
