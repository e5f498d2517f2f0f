//! Where the broker in memory keeps its queues.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use switchboard_core::{BoxError, Clock, Envelope};

use super::MemoryBroker;
use crate::exchange::embedded::{Appending, Limits, Note, Put, Store, Stored};
use crate::exchange::{Depth, Layout, Queues, Sent, Worker};
use crate::{Durability, PublishError, SubscribeError, TopologyError};

/// Bytes that one append carries.
const BATCH_BYTES: usize = 1 << 20;
/// The largest message for all its queues together.
const MOST_BYTES: usize = 64 << 20;

/// The messages of all queues. They go when they are settled.
pub(super) struct Shelf {
    clock: Arc<dyn Clock>,
    message_bytes: usize,
    inner: Mutex<Vec<Kept>>,
}

/// What a queue holds, by position.
#[derive(Default)]
struct Kept {
    last: u64,
    messages: BTreeMap<u64, Stored>,
}

// === impl Shelf ===

impl Shelf {
    pub(super) fn new(clock: Arc<dyn Clock>, message_bytes: usize) -> Self {
        Self { clock, message_bytes, inner: Mutex::default() }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("queues", &self.inner.lock().len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Shelf {
    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn limits(&self) -> Limits {
        Limits {
            message_bytes: self.message_bytes,
            item_bytes: MOST_BYTES,
            batch_bytes: BATCH_BYTES,
            most_bytes: MOST_BYTES,
        }
    }

    async fn declare(&self, layout: &Layout) -> Result<(), TopologyError> {
        self.inner.lock().resize_with(layout.queues.len(), Kept::default);
        Ok(())
    }

    fn append(&self, puts: Vec<Put>, notes: Vec<Note>) -> Appending {
        let time = self.clock.now();
        let mut inner = self.inner.lock();
        let mut positions = Vec::with_capacity(puts.len());
        for Put { queue, bytes } in puts {
            let Some(kept) = inner.get_mut(queue) else { continue };
            kept.last += 1;
            kept.messages.insert(kept.last, Stored { position: kept.last, time, bytes });
            positions.push(kept.last);
        }
        drop(inner);
        notes.into_iter().for_each(|note| self.note(note));
        Box::pin(std::future::ready(Ok(positions)))
    }

    fn note(&self, note: Note) {
        let mut inner = self.inner.lock();
        let Some(kept) = inner.get_mut(note.queue) else { return };
        for position in note.settled.into_iter().flat_map(|(first, last)| first..=last) {
            kept.messages.remove(&position);
        }
    }

    fn read(&self, queue: usize, after: u64, limit: usize) -> Result<Vec<Stored>, BoxError> {
        let inner = self.inner.lock();
        let kept = inner.get(queue).ok_or_else(|| format!("there is no queue {queue}"))?;
        Ok(kept.messages.range(after + 1..).take(limit).map(|(_, m)| m.clone()).collect())
    }
}

#[async_trait]
impl Queues for MemoryBroker {
    async fn declare(&self, layout: &Layout) -> Result<(), TopologyError> {
        self.queues.declare(layout).await
    }

    async fn send(
        &self,
        exchange: &str,
        routing_key: &str,
        batch: Vec<Envelope>,
    ) -> Vec<Result<Sent, PublishError>> {
        let mut answers = Vec::with_capacity(batch.len());
        for envelope in batch {
            match self.topics.admit() {
                Ok(()) => {
                    let sent = self.queues.send(exchange, routing_key, vec![envelope]).await;
                    answers.extend(sent.into_iter().map(|sent| {
                        let sent = sent?;
                        self.topics.deliver_ack().map(|()| sent)
                    }));
                }
                Err(error) => answers.push(Err(error)),
            }
        }
        answers
    }

    async fn work(&self, queue: &str, prefetch: usize) -> Result<Box<dyn Worker>, SubscribeError> {
        self.queues.work(queue, prefetch)
    }

    async fn depths(&self) -> Result<Vec<Depth>, BoxError> {
        Ok(self.queues.depths())
    }
}
