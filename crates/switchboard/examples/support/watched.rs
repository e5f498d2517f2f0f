//! A store that tells when a unit is committed, so that a bench can time the whole path to the commit.

use std::sync::Arc;

use async_trait::async_trait;
use switchboard::store::{
    Checkpoint, CommitError, Committed, Gate, Inbox, Journal, Outbox, Outgoing, Progress, Row,
    Rows, Select, Sequence, Store, StoreError, StoreIdentity, StoredEvent, Table, Timer, Timers,
    Unit, Waiting,
};
use switchboard::{Key, Position, Timestamp};
use tokio::sync::watch;

/// Called with what a unit was about, after its commit.
type Observe = dyn Fn(&str) + Send + Sync;

/// Wraps a store; after the commit of a unit it names the streams of the events of one kind.
pub(crate) struct Watched {
    inner: Arc<dyn Store>,
    kind: &'static str,
    observe: Box<Observe>,
}

impl Watched {
    /// Calls `observe` with the stream of each committed event of this kind.
    pub(crate) fn new(
        inner: Arc<dyn Store>,
        kind: &'static str,
        observe: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self { inner, kind, observe: Box::new(observe) }
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Journal for Watched {
    fn identity(&self) -> StoreIdentity {
        self.inner.identity()
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError> {
        let of_interest = |event: &&switchboard::store::NewEvent| &*event.kind == self.kind;
        let streams: Vec<_> =
            unit.events.iter().filter(of_interest).map(|event| event.stream.clone()).collect();
        let committed = self.inner.commit(unit).await?;
        if !committed.duplicate {
            streams.iter().for_each(|stream| (self.observe)(stream));
        }
        Ok(committed)
    }

    async fn stream(
        &self,
        stream: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.stream(stream, after, limit).await
    }

    async fn events(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.events(after, limit).await
    }

    fn watch(&self) -> watch::Receiver<Position> {
        self.inner.watch()
    }
}

#[async_trait]
impl Rows for Watched {
    async fn row(&self, table: &'static Table, key: &str) -> Result<Option<Row>, StoreError> {
        self.inner.row(table, key).await
    }

    async fn select(&self, select: Select) -> Result<Vec<Row>, StoreError> {
        self.inner.select(select).await
    }
}

#[async_trait]
impl Inbox for Watched {
    async fn progress(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<Progress>, StoreError> {
        self.inner.progress(group, topic, partition).await
    }

    async fn reading(&self, name: &str) -> Result<Position, StoreError> {
        self.inner.reading(name).await
    }

    async fn gate(&self, group: &str, key: &Key) -> Result<Option<Gate>, StoreError> {
        self.inner.gate(group, key).await
    }

    async fn gates(&self, group: Option<&str>, limit: usize) -> Result<Vec<Gate>, StoreError> {
        self.inner.gates(group, limit).await
    }

    async fn due_gates(
        &self,
        group: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Gate>, Option<Timestamp>), StoreError> {
        self.inner.due_gates(group, now, limit).await
    }

    async fn waiting(
        &self,
        group: &str,
        key: &Key,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        self.inner.waiting(group, key, limit).await
    }
}

#[async_trait]
impl Outbox for Watched {
    async fn outgoing(&self, after: Position, limit: usize) -> Result<Vec<Outgoing>, StoreError> {
        self.inner.outgoing(after, limit).await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        self.inner.checkpoints().await
    }

    async fn sequences(&self) -> Result<Vec<Sequence>, StoreError> {
        self.inner.sequences().await
    }

    async fn reincarnate(&self) -> Result<StoreIdentity, StoreError> {
        self.inner.reincarnate().await
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.inner.sweep(limit).await
    }
}

#[async_trait]
impl Timers for Watched {
    async fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Timer>, Option<Timestamp>), StoreError> {
        self.inner.due_timers(now, limit).await
    }

    fn rescheduled(&self) -> watch::Receiver<u64> {
        self.inner.rescheduled()
    }
}
