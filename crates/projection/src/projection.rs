//! Catching up and following in one loop: two code paths with a hand-over between them is where events get lost.

use std::sync::Arc;

use switchboard_core::{BoxError, Name, Position};
use switchboard_store::{CommitError, Reading, Store, StoredEvent, Unit};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// Events projected in one unit, at most.
const BATCH: usize = 256;

/// Adds to the unit what an event means for the rows.
type Apply = dyn Fn(&StoredEvent, Unit) -> Result<Unit, BoxError> + Send + Sync;

/// A view that is built from the events of a store.
///
/// Several versions live side by side under several names (`orders-by-day-v1`, `…-v2`): build the
/// new one, compare, then let readers use its tables.
#[derive(Clone)]
pub struct Projection {
    name: Name,
    store: Arc<dyn Store>,
    apply: Arc<Apply>,
}

// === impl Projection ===

impl Projection {
    /// A projection that begins at the first event unless its name has a checkpoint.
    ///
    /// `apply` gets events in position order and must depend on nothing but them and on rows that
    /// it writes: it is run again when the view is rebuilt.
    pub fn new(
        name: impl Into<Name>,
        store: Arc<dyn Store>,
        apply: impl Fn(&StoredEvent, Unit) -> Result<Unit, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), store, apply: Arc::new(apply) }
    }

    /// Projects everything that is committed now; answers the position reached.
    ///
    /// # Errors
    /// [`Error`]; what was projected before it stays committed.
    pub async fn catch_up(&self) -> Result<Position, Error> {
        let mut position = self.store.reading(&self.name).await?;
        loop {
            let events = self.store.events(position, BATCH).await?;
            let Some(last) = events.last() else { return Ok(position) };
            let reached = last.position;
            self.commit(position, reached, &events).await?;
            position = reached;
        }
    }

    /// Follows the store until shutdown: waits for commits, never polls.
    ///
    /// # Errors
    /// [`Error`], which is also what the view's readers should be told.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut committed = self.store.watch();
        loop {
            committed.mark_unchanged();
            self.catch_up().await?;
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                changed = committed.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    /// Steps over the one event that stopped the projection; answers its position.
    ///
    /// A recorded act: the checkpoint moves past the event, and the reason goes to the traces.
    ///
    /// # Errors
    /// [`Error`] when the store fails; nothing is skipped then.
    pub async fn skip(&self, reason: &str) -> Result<Option<Position>, Error> {
        let from = self.store.reading(&self.name).await?;
        // Events before the faulty one may share its batch: project them first, one by one.
        let mut at = from;
        for event in self.store.events(from, BATCH).await? {
            if (self.apply)(&event, Unit::new()).is_ok() {
                self.commit(at, event.position, std::slice::from_ref(&event)).await?;
                at = event.position;
                continue;
            }
            self.commit(at, event.position, &[]).await?;
            tracing::warn!(projection = %self.name, position = %event.position, reason, "skipped");
            return Ok(Some(event.position));
        }
        Ok(None)
    }

    async fn commit(
        &self,
        from: Position,
        to: Position,
        events: &[StoredEvent],
    ) -> Result<(), Error> {
        let mut unit = Unit::new();
        for event in events {
            unit = (self.apply)(event, unit).map_err(|source| Error::Event {
                name: self.name.clone(),
                position: event.position,
                source,
            })?;
        }
        unit.readings.push(Reading { name: self.name.clone(), from, to });
        match self.store.commit(unit).await {
            Ok(_) => {
                metrics::counter!("switchboard.projection.events", "projection" => self.name.to_string())
                    .increment(events.len() as u64);
                Ok(())
            }
            Err(CommitError::Conflict(_)) => Err(Error::Elsewhere(self.name.clone())),
            Err(error) => Err(Error::Commit(error)),
        }
    }
}

impl std::fmt::Debug for Projection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Projection").field("name", &self.name).finish_non_exhaustive()
    }
}
