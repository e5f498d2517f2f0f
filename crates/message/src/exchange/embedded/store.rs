//! What an embedded broker brings: a place for messages, and a memory of what became of them.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use switchboard_core::{BoxError, Timestamp};

use super::ranges::Ranges;
use crate::exchange::Layout;
use crate::{Durability, TopologyError};

/// The positions of what was put, once it is as safe as [`Store::durability`] says.
pub type Appending = Pin<Box<dyn Future<Output = Result<Vec<u64>, BoxError>> + Send>>;

/// Where an embedded broker keeps its queues. A queue is known by its number, which is its index
/// in the layout: queues are only ever added at the end.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// What an answered [`Store::append`] promises.
    fn durability(&self) -> Durability;

    /// How large messages and batches may be.
    fn limits(&self) -> Limits;

    /// Keeps the layout, which is the present one with additions, and makes room for new queues.
    async fn declare(&self, layout: &Layout) -> Result<(), TopologyError>;

    /// Appends messages and notes: all of them or, after an error or a crash, none. The order is
    /// that of the calls. Messages are stamped with the broker's time.
    fn append(&self, puts: Vec<Put>, notes: Vec<Note>) -> Appending;

    /// Appends a note some time soon. A crash before may forget it.
    fn note(&self, note: Note);

    /// Up to `limit` messages of a queue after a position, oldest first; fewer is not the end.
    /// Quick: it is called from async code.
    fn read(&self, queue: usize, after: u64, limit: usize) -> Result<Vec<Stored>, BoxError>;
}

/// How large things may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest encoded envelope, in bytes.
    pub message_bytes: usize,
    /// The largest message with its routing, in bytes.
    pub item_bytes: usize,
    /// Bytes that one append may carry, unless a single message for all its queues needs more.
    pub batch_bytes: usize,
    /// Bytes that one append can carry at most.
    pub most_bytes: usize,
}

/// A message on its way into a queue.
#[derive(Clone, Debug)]
pub struct Put {
    /// The queue's number.
    pub queue: usize,
    /// The message with its routing; see `item`.
    pub bytes: Bytes,
}

/// A message as it lies in a queue.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its place.
    pub position: u64,
    /// When it came.
    pub time: Timestamp,
    /// What [`Put::bytes`] were.
    pub bytes: Bytes,
}

/// What became of messages of a queue. Notes may be repeated, and are applied in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The queue's number.
    pub queue: usize,
    /// Up to here messages were handed out.
    pub handed: u64,
    /// Stretches of positions, first and last, that are out of the queue.
    pub settled: Vec<(u64, u64)>,
    /// What came back.
    pub back: Vec<(u64, Back)>,
}

/// A message that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// How often by now.
    pub count: u32,
    /// When it is to be handed out again, if not at once.
    pub due: Option<Timestamp>,
}

/// A queue as an earlier life left it: made from its notes.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) settled: Ranges,
    pub(super) back: BTreeMap<u64, Back>,
    pub(super) handed: u64,
    pub(super) end: u64,
    pub(super) clean: bool,
}

// === impl State ===

impl State {
    /// Takes over what a note says.
    pub fn apply(&mut self, note: &Note) {
        self.handed = self.handed.max(note.handed);
        for (first, last) in &note.settled {
            self.settled.insert(*first, *last);
        }
        for (position, back) in &note.back {
            self.back.insert(*position, *back);
        }
    }

    /// Takes as settled what is not kept any more.
    #[must_use]
    pub fn kept_from(mut self, first: u64) -> Self {
        self.settled.insert(1, first.saturating_sub(1));
        self
    }

    /// The state of a queue that ends at `end`. It is `clean` when the earlier life closed it:
    /// every job in a worker's hands was noted as having come back.
    #[must_use]
    pub fn ended(mut self, end: u64, clean: bool) -> Self {
        // Notes never speak of what is not there, unless somebody put an older log in place.
        self.back.retain(|position, _| *position <= end);
        self.end = end;
        self.clean = clean;
        self
    }
}

// === impl Note ===

impl Note {
    /// That one message is out of its queue.
    pub fn settled(queue: usize, handed: u64, position: u64) -> Self {
        Self { queue, handed, settled: vec![(position, position)], back: Vec::new() }
    }

    /// Takes over a later note of the same queue.
    pub fn merge(&mut self, later: Self) {
        self.handed = self.handed.max(later.handed);
        for (first, last) in later.settled {
            match self.settled.last_mut() {
                Some(stretch) if stretch.1 + 1 == first => stretch.1 = last,
                _ => self.settled.push((first, last)),
            }
        }
        self.back.extend(later.back);
    }
}
