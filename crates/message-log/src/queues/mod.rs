//! Queues behind exchanges on the log: what lies where, and what is found after a crash.
//!
//! One channel for each queue, named `queue:` and its name; a record is a message with its routing.
//! What became of messages lies in one more channel, the journal: notes that say which positions
//! are out of their queue and which came back how often. The layout is one cell.
//!
//! A note rides along with the next message, or is written a tenth of a second later. So a crash
//! may forget that a job was done, and the job comes again, counted; what was moved to another
//! queue is one batch with its note, and is in one of the two queues whenever the power goes.
//!
//! - [`LogQueues`] opening, compacting, closing
//! - `shelf` messages and notes in the log
//! - `written` the form of the layout and of notes

mod shelf;
mod written;

use std::sync::Arc;

use async_trait::async_trait;
use switchboard_core::{BoxError, Envelope};
use switchboard_log::{ChannelId, Keep, Log};
use switchboard_message::exchange::embedded::Hub;
use switchboard_message::exchange::{Depth, Layout, Queues, Sent, Worker};
use switchboard_message::{PublishError, SubscribeError, TopologyError};

use crate::{LogBroker, OpenError, Options};
use shelf::Shelf;

/// The queues of a broker.
#[derive(Debug)]
pub(crate) struct LogQueues {
    shelf: Arc<Shelf>,
    pub(crate) hub: Arc<Hub>,
}

// === impl LogQueues ===

impl LogQueues {
    /// The queues as an earlier life left them. Blocks on file work.
    pub(crate) fn open(log: Log, options: &Options) -> Result<Self, OpenError> {
        let (shelf, layout, states) = Shelf::open(log, options)?;
        let clock = Arc::clone(&options.clock);
        let hub = Hub::new(Arc::clone(&shelf) as _, clock, layout, states);
        Ok(Self { shelf, hub })
    }

    /// Writes the journal anew, in short, and says what has to be kept of the queues' channels:
    /// what is settled from the front on may go.
    pub(crate) async fn compact(&self) -> Result<Vec<(ChannelId, Keep)>, BoxError> {
        let _still = self.hub.still().await;
        self.shelf.compact(|| self.hub.snapshot()).await
    }

    /// Ends every worker, finishes what is on its way to the dead letters, and writes what is
    /// pending. The log is closed by the caller, which syncs it.
    pub(crate) async fn close(&self) {
        self.hub.close();
        self.hub.bury_all().await;
        self.shelf.close();
    }
}

#[async_trait]
impl Queues for LogBroker {
    async fn declare(&self, layout: &Layout) -> Result<(), TopologyError> {
        self.hub().declare(layout).await
    }

    async fn send(
        &self,
        exchange: &str,
        routing_key: &str,
        batch: Vec<Envelope>,
    ) -> Vec<Result<Sent, PublishError>> {
        if self.is_paused() {
            let stopped = |_| Err(PublishError::Unavailable("the broker is stopped".into()));
            return batch.iter().map(stopped).collect();
        }
        let bytes: usize = batch.iter().map(|envelope| envelope.payload.len()).sum();
        let answers = self.hub().send(exchange, routing_key, batch).await;
        self.retain_if_due(bytes as u64);
        answers
    }

    async fn work(&self, queue: &str, prefetch: usize) -> Result<Box<dyn Worker>, SubscribeError> {
        self.hub().work(queue, prefetch)
    }

    async fn depths(&self) -> Result<Vec<Depth>, BoxError> {
        Ok(self.hub().depths())
    }
}
