//! What a consumer receives, and what it says became of it.

use bytes::Bytes;
use switchboard_core::{DecodeError, Envelope, Key, Name, Position, Timestamp};

/// Everything that can reach a consumer.
#[derive(Debug)]
pub enum Incoming {
    /// These partitions are now this member's.
    Assigned(Vec<Assignment>),
    /// These are not any more: stop their work, settle nothing of them.
    Revoked(Vec<Assignment>),
    /// Records, in position order within each partition. Never empty.
    Deliveries(Vec<Delivery>),
}

/// A partition, with the last position that is done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The topic.
    pub topic: Name,
    /// The partition's number, from 0.
    pub partition: u32,
    /// The log epoch that the position belongs to.
    pub epoch: u64,
    /// The last position that is done; 0 when none is.
    pub position: Position,
}

/// One record on its way to a handler.
#[derive(Debug)]
pub struct Delivery {
    /// Names the delivery when it is settled.
    pub receipt: Receipt,
    /// The message, or why it cannot be read.
    pub message: Result<Envelope, Undecodable>,
    /// 0 the first time; above when the broker knows that it was delivered before.
    pub redelivered: u32,
}

/// Names one delivery of one assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The topic it came from.
    pub topic: Name,
    /// The partition it came from.
    pub partition: u32,
    /// Its place there.
    pub position: Position,
    /// The log epoch of that place.
    pub epoch: u64,
    /// Which assignment of the partition handed it out.
    pub generation: u64,
}

/// A record that is not an envelope.
#[derive(Debug)]
pub struct Undecodable {
    /// The bytes as they are.
    pub bytes: Bytes,
    /// The key, when the broker keeps it outside of those bytes.
    pub key: Option<Key>,
    /// What is wrong with them.
    pub error: DecodeError,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The effect is committed, or somebody has custody of the message.
    Done,
    /// Deliver it again, not before this moment. Its key's order is the consumer's own affair.
    Retry(Timestamp),
    /// Give it up: to the broker's dead letters where it has them.
    Reject,
}
