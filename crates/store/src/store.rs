//! The contract of a store, in small traits; the conformance suite in `switchboard-testkit` holds every backend to it.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use switchboard_core::{Context, Envelope, Id, Key, Name, Position, Slot, Timestamp};
use tokio::sync::watch;

use crate::{CommitError, Gate, Progress, Row, Select, StoreError, Table, Unit, Waiting};

/// Everything that a service needs of its store.
pub trait Store: Journal + Rows + Inbox + Outbox + Timers {}

impl<S: Journal + Rows + Inbox + Outbox + Timers> Store for S {}

/// Commits units and reads facts back.
///
/// 1. A commit is atomic, and `Ok` means that it is durable (memory: visible).
/// 2. Conditions are judged against the state at the moment of the commit, under the store's lock,
///    earlier units of the same batch included.
/// 3. A unit whose message is marked already changes nothing but `progress`, and answers
///    [`Committed::duplicate`].
/// 4. A unit that fails changes nothing and does not fail its neighbours.
/// 5. Positions are given in commit order: a reader never sees a later one before an earlier one.
#[async_trait]
pub trait Journal: Send + Sync + fmt::Debug + 'static {
    /// Whose store this is, and which life of it.
    fn identity(&self) -> StoreIdentity;

    /// Commits a unit.
    ///
    /// # Cancel safety
    /// Dropping the future does not take the unit back: it may still be committed.
    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError>;

    /// The events of a stream after a version, oldest first, at most `limit`.
    async fn stream(
        &self,
        stream: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Events of all streams after a position, in position order, at most `limit`.
    async fn events(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, StoreError>;

    /// The newest position, events and messages alike; changes with every commit that appends.
    fn watch(&self) -> watch::Receiver<Position>;
}

/// Reads rows of declared tables. A commit that has been answered is seen by the next read.
#[async_trait]
pub trait Rows: Send + Sync {
    /// One row.
    async fn row(&self, table: &'static Table, key: &str) -> Result<Option<Row>, StoreError>;

    /// The rows that match, ordered.
    async fn select(&self, select: Select) -> Result<Vec<Row>, StoreError>;
}

/// What consumers keep: progress, and the queues behind blocked keys.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// How far a group has come in a partition.
    async fn progress(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<Progress>, StoreError>;

    /// How far a reading of this store's own log has come; the start if it never began.
    async fn reading(&self, name: &str) -> Result<Position, StoreError>;

    /// The gate of a key, if it is blocked.
    async fn gate(&self, group: &str, key: &Key) -> Result<Option<Gate>, StoreError>;

    /// Blocked keys of one group or of all, longest blocked first, at most `limit`.
    async fn gates(&self, group: Option<&str>, limit: usize) -> Result<Vec<Gate>, StoreError>;

    /// Gates of a group that are due, earliest first; with the time when the next one is due.
    async fn due_gates(
        &self,
        group: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Gate>, Option<Timestamp>), StoreError>;

    /// The messages that wait behind a gate, in order, at most `limit`.
    async fn waiting(
        &self,
        group: &str,
        key: &Key,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError>;
}

/// What the relay needs.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Messages after a position, in position order, at most `limit`.
    async fn outgoing(&self, after: Position, limit: usize) -> Result<Vec<Outgoing>, StoreError>;

    /// The checkpoint of every slot that has one.
    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError>;

    /// The highest sequence given to each topic and slot.
    async fn sequences(&self) -> Result<Vec<Sequence>, StoreError>;

    /// Begins a new incarnation, because the broker knows messages that this store does not:
    /// it was put back to an older copy. Sequences start again at 1.
    async fn reincarnate(&self) -> Result<StoreIdentity, StoreError>;

    /// Deletes messages that every slot's checkpoint has passed, at most `limit` of them; returns
    /// how many there were.
    async fn sweep(&self, limit: usize) -> Result<usize, StoreError>;
}

/// What the timer task needs.
#[async_trait]
pub trait Timers: Send + Sync {
    /// Timers that are due, earliest first, at most `limit`; with the time when the next one is.
    async fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Timer>, Option<Timestamp>), StoreError>;

    /// Wakes whoever waits for timers and gates whenever one of them was set or moved.
    fn rescheduled(&self) -> watch::Receiver<u64>;
}

/// Whose store it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    /// The service's name: the source of its messages.
    pub source: Name,
    /// Bumped when the store was put back to an older copy.
    pub incarnation: u32,
}

/// What a commit answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The message was marked before: nothing but progress has changed.
    pub duplicate: bool,
    /// The newest position that this unit took; the start if it appended nothing.
    pub position: Position,
    /// Ids of the unit's messages, in order (fired timers' messages last).
    pub messages: Vec<Id>,
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its place in the store's log.
    pub position: Position,
    /// Its stream.
    pub stream: Name,
    /// Its number in the stream, from 1.
    pub version: u64,
    /// What happened.
    pub kind: Name,
    /// The version of its schema.
    pub schema: u16,
    /// When it was committed.
    pub time: Timestamp,
    /// What led to it; absent when the unit had no context.
    pub context: Option<Context>,
    /// Its tags.
    pub tags: Vec<Name>,
    /// The content, JSON.
    pub data: Bytes,
}

/// A committed message on its way to the broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Its place in the store's log.
    pub position: Position,
    /// Its slot.
    pub slot: Slot,
    /// The message.
    pub envelope: Envelope,
}

/// How far the relay has come in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The slot.
    pub slot: Slot,
    /// Every message of the slot up to this position is on the broker, or parked.
    pub position: Position,
}

/// The highest sequence given out in one slot of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The topic.
    pub topic: Name,
    /// The slot.
    pub slot: Slot,
    /// The sequence.
    pub last: u64,
}

/// A timer that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// Its id.
    pub id: Name,
    /// When it is due.
    pub due: Timestamp,
}

// === impl StoredEvent ===

impl StoredEvent {
    /// The event as the type it claims to be.
    ///
    /// # Errors
    /// When the content is not such an event.
    pub fn decode<E: switchboard_core::Event>(&self) -> Result<E, StoreError> {
        serde_json::from_slice(&self.data).map_err(|source| StoreError::Undecodable {
            what: format!("event {} of stream `{}`", self.version, self.stream),
            source: source.into(),
        })
    }
}
