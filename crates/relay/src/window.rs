//! Messages that were read and not published yet, and the choice of what goes into one call.

use std::collections::{HashSet, VecDeque};

use switchboard_core::{Key, Position, Slot};
use switchboard_store::Outgoing;

use crate::Options;

/// Messages in position order, bounded.
#[derive(Debug, Default)]
pub(crate) struct Window {
    records: VecDeque<Outgoing>,
}

/// What one turn of the relay works on.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// To be published in one call: at most one message of each key, so that one that fails has
    /// no later message of its key beside it.
    pub(crate) publish: Vec<Outgoing>,
    /// Messages whose key is parked: they join it.
    pub(crate) join: Vec<Outgoing>,
}

/// What is remembered of a message while the broker has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) slot: Slot,
    pub(crate) position: Position,
}

/// How many messages are held in memory, at most, before a read.
pub(crate) const WINDOW: usize = 1_024;

// === impl Window ===

impl Window {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn push(&mut self, record: Outgoing) {
        self.records.push_back(record);
    }

    /// Puts a message back to the front: it is the oldest of its key.
    pub(crate) fn push_front(&mut self, record: Outgoing) {
        self.records.push_front(record);
    }

    /// Forgets a slot that is blocked: it is read again when it opens.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.records.retain(|record| record.slot != slot);
    }

    /// Takes the oldest messages of different keys, within the limits of one call.
    pub(crate) fn take(&mut self, parked: &HashSet<Key>, options: &Options) -> Batch {
        let mut batch = Batch::default();
        let mut keys: HashSet<Key> = HashSet::new();
        let mut held: Vec<Outgoing> = Vec::new();
        let mut bytes = 0;
        while batch.publish.len() < options.batch && held.len() < options.batch {
            let Some(record) = self.records.pop_front() else { break };
            let Some(key) = &record.envelope.key else {
                if exceeds(&mut bytes, &record, &batch.publish, options) {
                    self.records.push_front(record);
                    break;
                }
                batch.publish.push(record);
                continue;
            };
            if parked.contains(key) {
                batch.join.push(record);
            } else if !keys.insert(key.clone()) {
                held.push(record);
            } else if exceeds(&mut bytes, &record, &batch.publish, options) {
                self.records.push_front(record);
                break;
            } else {
                batch.publish.push(record);
            }
        }
        for record in held.into_iter().rev() {
            self.records.push_front(record);
        }
        batch
    }
}

/// Whether a message does not fit any more. The first one always fits.
fn exceeds(bytes: &mut usize, record: &Outgoing, taken: &[Outgoing], options: &Options) -> bool {
    *bytes += record.envelope.payload.len();
    *bytes > options.batch_bytes && !taken.is_empty()
}

// === impl Sent ===

impl From<&Outgoing> for Sent {
    fn from(record: &Outgoing) -> Self {
        Self { slot: record.slot, position: record.position }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
