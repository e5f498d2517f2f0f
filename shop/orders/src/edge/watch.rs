//! Watching one order: what it is now, then each state that it comes to, until it is final.
//!
//! A watch sleeps until this service commits something. It looks at one row then, and reads the order only when that has changed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use shop_edge::Problem;
use switchboard_core::Position;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::app::{App, View};

/// Orders that are watched at once in this process; another one may have room.
const WATCHES: usize = 1_000;
/// Between two looks. Many commits may come in this time, most of them about other orders.
const PAUSE: Duration = Duration::from_millis(10);

/// The room for watches. Clones share it.
#[derive(Clone)]
pub(super) struct Watches(Arc<Semaphore>);

/// An order, and how much of it was told.
struct Watch {
    app: App,
    id: String,
    commits: watch::Receiver<Position>,
    /// The version of the row that was read.
    version: u64,
    /// Lines of its history that were told, or are ready to be.
    told: usize,
    ready: VecDeque<View>,
    is_over: bool,
    _room: OwnedSemaphorePermit,
}

// === impl Watches ===

impl Watches {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(WATCHES)))
    }

    /// Watches an order from this view of it on. `commits` is older than the view, so that no
    /// change in between is missed.
    ///
    /// # Errors
    /// 429 when there is no room.
    pub(super) fn begin(
        &self,
        app: &App,
        commits: watch::Receiver<Position>,
        view: View,
    ) -> Result<BoxStream<'static, Result<View, Problem>>, Problem> {
        let room = self.0.clone().try_acquire_owned().map_err(|_| {
            Problem::too_many_requests("Too many orders are watched here at once.", 1)
        })?;
        let watch = Watch {
            app: app.clone(),
            id: view.row.key.clone(),
            commits,
            version: view.row.version,
            told: view.history.len(),
            ready: VecDeque::from([view.as_of(view.history.len())]),
            is_over: false,
            _room: room,
        };
        Ok(stream::unfold(watch, Watch::next).boxed())
    }
}

// === impl Watch ===

impl Watch {
    async fn next(mut self) -> Option<(Result<View, Problem>, Self)> {
        loop {
            if let Some(view) = self.ready.pop_front() {
                self.is_over = view.history.last().is_some_and(|past| past.status.is_final());
                return Some((Ok(view), self));
            }
            // A store that is gone commits nothing any more.
            if self.is_over || self.commits.changed().await.is_err() {
                return None;
            }
            if let Err(problem) = self.look().await {
                self.is_over = true;
                return Some((Err(problem), self));
            }
            if self.ready.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Makes ready what has not been told yet, one state after the other.
    async fn look(&mut self) -> Result<(), Problem> {
        // Whatever is committed after this wakes the next look.
        if self.app.version(&self.id).await? == self.version {
            return Ok(());
        }
        let view = self.app.order(&self.id).await?;
        self.version = view.row.version;
        let lines = view.history.len();
        self.ready.extend((self.told + 1..=lines).map(|upto| view.as_of(upto)));
        self.told = self.told.max(lines);
        Ok(())
    }
}
