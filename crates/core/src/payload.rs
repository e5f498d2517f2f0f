//! What a typed message or a typed event declares about itself, once.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Key;

/// A record addressed to someone: a command, a reply, or an integration event on a topic.
///
/// The payload is JSON. The topic may be overridden when a message is sent (a reply goes where
/// the command asked).
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The topic it is published to.
    const TOPIC: &'static str;
    /// Its type, as consumers see it: `payments.charge`.
    const KIND: &'static str;
    /// The version of its schema.
    const VERSION: u16 = 1;

    /// What keeps it in order: messages of one key are handled one after another.
    fn key(&self) -> Option<Key>;
}

/// The closed set of facts of one kind of stream, usually an enum with `#[serde(tag = "type")]`.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The version of its schema.
    const VERSION: u16 = 1;

    /// The type of this fact, as the audit trail shows it: `Deposited`.
    fn kind(&self) -> &'static str;
}
