//! The answers of a batch: each record has a ticket, and whoever published waits for the last one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::client::Fault;

/// What became of a record: its offset, or why it has none.
pub(crate) type Report = Result<u64, Fault>;

/// The answers of one batch, by the order of its records.
#[derive(Debug)]
pub(crate) struct Batch {
    answers: Mutex<Vec<Option<Report>>>,
    /// Tickets that are out, and one for whoever still hands out more.
    open: AtomicUsize,
    complete: Notify,
}

/// Where one record's answer goes.
#[derive(Debug)]
pub(crate) struct Ticket {
    batch: Arc<Batch>,
    index: usize,
}

// === impl Batch ===

impl Batch {
    pub(crate) fn new(records: usize) -> Arc<Self> {
        let mut answers = Vec::with_capacity(records);
        answers.resize_with(records, || None);
        let complete = Notify::new();
        Arc::new(Self { answers: Mutex::new(answers), open: AtomicUsize::new(1), complete })
    }

    pub(crate) fn ticket(self: &Arc<Self>, index: usize) -> Box<Ticket> {
        self.open.fetch_add(1, Ordering::AcqRel);
        Box::new(Ticket { batch: Arc::clone(self), index })
    }

    /// No more tickets will be handed out: waits until the last one is back.
    pub(crate) async fn complete(&self) {
        self.close_one();
        while self.open.load(Ordering::Acquire) > 0 {
            self.complete.notified().await;
        }
    }

    /// The answers that there are by now.
    pub(crate) fn take(&self) -> Vec<Option<Report>> {
        let mut answers = self.answers.lock();
        answers.iter_mut().map(Option::take).collect()
    }

    fn close_one(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Kept for a waiter that has looked and not yet begun to wait.
            self.complete.notify_one();
        }
    }
}

// === impl Ticket ===

impl Ticket {
    pub(crate) fn report(&self, report: Report) {
        if let Some(answer) = self.batch.answers.lock().get_mut(self.index) {
            *answer = Some(report);
        }
    }
}

impl Drop for Ticket {
    /// A ticket that is lost without a report does not make its batch wait for ever.
    fn drop(&mut self) {
        self.batch.close_one();
    }
}
