//! What operators ask a broker: which topics, how far each group, which records, who published.

use async_trait::async_trait;
use switchboard_core::{BoxError, DecodeError, Envelope, Name, Position, Slot, Timestamp};

/// Questions that change nothing, and the one order (`seek`) that moves a group.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// All topics with their partitions.
    async fn topics(&self) -> Result<Vec<TopicInfo>, BoxError>;

    /// All groups that this broker knows, one row per group and partition.
    async fn groups(&self) -> Result<Vec<GroupLag>, BoxError>;

    /// Records of a partition after a position, oldest first.
    async fn read(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Stored>, BoxError>;

    /// The highest sequences that this source has published, so that a store which was put back
    /// to an older copy notices it.
    async fn published_by(&self, source: &str) -> Result<Vec<Published>, BoxError>;

    /// Moves a group whose progress the broker keeps: the next delivery comes after `position`.
    async fn seek(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        position: Position,
    ) -> Result<(), BoxError>;
}

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: Name,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionInfo>,
}

/// A partition as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// The oldest position kept; above `last` when the partition is empty.
    pub first: Position,
    /// The newest position; 0 when nothing was ever published.
    pub last: Position,
    /// Bytes of the records kept.
    pub bytes: u64,
}

/// How far a group has come in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLag {
    /// The group.
    pub group: Name,
    /// The topic.
    pub topic: Name,
    /// The partition.
    pub partition: u32,
    /// The position below which everything is done.
    pub position: Position,
    /// Records after that position.
    pub lag: u64,
    /// When the oldest record after that position was published.
    pub oldest: Option<Timestamp>,
    /// Members of the group that hold the partition now: 0 or 1.
    pub members: u32,
}

/// A record as it lies in the log.
#[derive(Debug)]
pub struct Stored {
    /// Its place.
    pub position: Position,
    /// The message, or why it cannot be read.
    pub message: Result<Envelope, DecodeError>,
}

/// The newest message of a source in one slot of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The incarnation that published it.
    pub incarnation: u32,
    /// The topic.
    pub topic: Name,
    /// The slot.
    pub slot: Slot,
    /// The highest sequence seen.
    pub sequence: u64,
}
