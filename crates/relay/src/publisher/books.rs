//! Bookkeeping beside the flow: checkpoints without hurry, and the deletion of what is done with.

use std::sync::Arc;
use std::task::Poll;

use futures_util::future::BoxFuture;
use switchboard_core::{Position, Slot};
use switchboard_store::{CommitError, Expect, Store, Unit};
use tokio::time::Instant;

use super::Turns;
use crate::{Error, Options};

/// What a bookkeeping commit came to.
pub(super) struct Books {
    checkpoints: Vec<(Slot, Position)>,
    stored: Result<(), CommitError>,
    swept: usize,
}

// === impl Turns ===

impl Turns {
    /// Stores checkpoints without hurry, and now and then deletes what is done with.
    pub(super) fn keep_books(&mut self) {
        let due = self.books_due();
        if self.bookkeeping.is_some() || due.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let Options { sweep_after, sweep_step, .. } = self.given.options;
        let sweeps = self.unswept >= sweep_after;
        let checkpoints = self.slots.moved(sweeps);
        self.moved_since = None;
        if sweeps {
            self.unswept = 0;
        }
        let fences = self.ranges.fences(checkpoints.iter().map(|(slot, _)| *slot));
        let store = Arc::clone(&self.given.store);
        self.bookkeeping = Some(Box::pin(async move {
            let stored = store_checkpoints(&*store, checkpoints.clone(), fences, true).await;
            let mut swept = 0;
            while sweeps && stored.is_ok() {
                match store.sweep(sweep_step).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => swept += count,
                }
                tokio::task::yield_now().await;
            }
            Books { checkpoints, stored, swept }
        }));
    }

    pub(super) fn books_due(&self) -> Option<Instant> {
        self.moved_since.map(|since| since + self.given.options.checkpoint_every)
    }

    pub(super) async fn note(&mut self, books: Books) -> Result<(), Error> {
        self.bookkeeping = None;
        self.given.numbers.swept.increment(books.swept as u64);
        match books.stored {
            Ok(()) => Ok(()),
            Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
            Err(error) => {
                if matches!(error, CommitError::Conflict(_)) {
                    let slots = books.checkpoints.iter().map(|(slot, _)| *slot);
                    self.ranges.refused(slots).await;
                }
                tracing::warn!(%error, "checkpoints are not stored yet");
                self.slots.not_stored(&books.checkpoints);
                self.moved_since = Some(Instant::now());
                Ok(())
            }
        }
    }
}

pub(super) async fn store_checkpoints(
    store: &dyn Store,
    checkpoints: Vec<(Slot, Position)>,
    conditions: Vec<Expect>,
    lazy: bool,
) -> Result<(), CommitError> {
    if checkpoints.is_empty() {
        return Ok(());
    }
    store.commit(Unit { conditions, checkpoints, lazy, ..Unit::new() }).await.map(|_| ())
}

/// The end of the bookkeeping in flight; `None` at once when there is none.
pub(super) async fn advance(bookkeeping: &mut Option<BoxFuture<'static, Books>>) -> Option<Books> {
    match bookkeeping {
        Some(books) => Some(books.await),
        None => None,
    }
}

/// Does the work, and lets the bookkeeping in flight go on meanwhile.
pub(super) async fn beside<T>(
    bookkeeping: &mut Option<BoxFuture<'static, Books>>,
    work: impl Future<Output = T>,
) -> (T, Option<Books>) {
    let mut ended = None;
    let mut work = std::pin::pin!(work);
    let done = std::future::poll_fn(|context| {
        if let Some(books) = bookkeeping
            && let Poll::Ready(books) = books.as_mut().poll(context)
        {
            ended = Some(books);
            *bookkeeping = None;
        }
        work.as_mut().poll(context)
    });
    (done.await, ended)
}
