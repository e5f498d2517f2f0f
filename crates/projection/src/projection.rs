//! Catching up and following in one loop: two code paths with a hand-over between them is where events get lost.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{BoxError, Clock, Name, Position, chain};
use switchboard_store::leases::Keeper;
use switchboard_store::limits::UNIT_ROWS;
use switchboard_store::table::SELECT_LIMIT;
use switchboard_store::{
    CommitError, Lease, NewEvent, Reading, RowOp, Select, Sharing, Store, StoredEvent, Table, Unit,
    Value,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Error, metrics as names};

/// Events projected in one unit, at most.
const BATCH: usize = 256;
/// Waits while the store is away: the first one, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// Streams of this prefix hold what operators did to projections; they are not projected.
const OWN_STREAMS: &str = "projections/";

/// Adds to the unit what an event means for the rows.
type Apply = dyn Fn(&StoredEvent, Unit) -> Result<Unit, BoxError> + Send + Sync;

/// A view that is built from the events of a store.
///
/// Several versions live side by side under several names (`orders-by-day-v1`, `…-v2`): build the
/// new one, compare, then let readers use its tables. Clones are handles on the same projection:
/// run one, and [wait](Projection::wait_until) on another.
#[derive(Clone)]
pub struct Projection {
    pub(crate) name: Name,
    pub(crate) store: Arc<dyn Store>,
    apply: Arc<Apply>,
    standing: Arc<watch::Sender<Standing>>,
    /// Who holds the lease, if other processes run the projection too.
    pub(crate) keeper: Option<Arc<Keeper>>,
}

/// How far a projection has come, and why it goes no further.
#[derive(Clone, Debug, Default)]
struct Standing {
    reached: Position,
    stopped: Option<String>,
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
        let standing = Arc::new(watch::Sender::default());
        Self { name: name.into(), store, apply: Arc::new(apply), standing, keeper: None }
    }

    /// The same where other processes may run it on the same store: [`Projection::run`] then
    /// writes only while this process holds the lease `projections/<name>`, and otherwise follows
    /// what the holder has written.
    #[must_use]
    pub fn shared(mut self, sharing: &Sharing, clock: &Arc<dyn Clock>) -> Self {
        self.keeper = sharing.keeper(&self.store, clock, &format!("projections/{}", self.name));
        self
    }

    /// Projects everything that is committed now; answers the position of the last event.
    ///
    /// # Errors
    /// [`Error`]; what was projected before it stays committed.
    pub async fn catch_up(&self) -> Result<Position, Error> {
        self.catch_up_under(None).await
    }

    async fn catch_up_under(&self, lease: Option<&Lease>) -> Result<Position, Error> {
        let mut position = self.store.reading(&self.name).await?;
        loop {
            // Messages take positions too: once all events are read, everything up to here is.
            let newest = *self.store.watch().borrow();
            let events = self.store.events(position, BATCH).await?;
            let Some(last) = events.last() else {
                self.reach(newest.max(position));
                return Ok(position);
            };
            let reached = last.position;
            let mut unit = self.project(&events)?;
            unit.conditions.extend(lease.map(Lease::fence));
            self.commit(position, reached, unit).await?;
            metrics::counter!(names::EVENTS, "projection" => self.name.to_string())
                .increment(events.len() as u64);
            position = reached;
            self.reach(position);
        }
    }

    /// Follows the store until shutdown: waits for commits, never polls. A store that is away is
    /// waited for.
    ///
    /// # Errors
    /// [`Error`], which is also what those who wait for it are told.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        self.standing.send_modify(|standing| standing.stopped = None);
        let result = match &self.keeper {
            None => tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                result = self.follow(None) => result,
            },
            Some(keeper) => tokio::select! {
                biased;
                result = self.take_turns(keeper, &shutdown) => result,
                lost = keeper.run() => Err(Error::Commit(lost)),
            },
        };
        if let Err(error) = &result {
            let (projection, why) = (&self.name, chain(error));
            tracing::error!(%projection, why, "the projection has stopped");
            metrics::gauge!(names::STUCK, "projection" => projection.to_string()).set(1.0);
            self.standing.send_modify(|standing| standing.stopped = Some(why));
        }
        result
    }

    /// Waits until the rows show everything up to a position, such as the one that a commit
    /// answered: read your own writes. Combine it with a timeout.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the projection will not get there.
    pub async fn wait_until(&self, position: Position) -> Result<(), Error> {
        let mut standing = self.standing.subscribe();
        let there =
            |standing: &Standing| standing.reached >= position || standing.stopped.is_some();
        // The sender is held by this projection itself.
        let Ok(standing) = standing.wait_for(there).await else { return Ok(()) };
        match &standing.stopped {
            Some(why) if standing.reached < position => {
                Err(Error::Stopped { name: self.name.clone(), why: why.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Steps over the one event that stopped the projection; answers its position, or nothing when
    /// no event stops it within its next batch.
    ///
    /// A recorded act: the event `EventSkipped` of the stream `projections/<name>` keeps what was
    /// skipped and why, in the same commit as the checkpoint.
    ///
    /// # Errors
    /// [`Error`] when the store fails; nothing is skipped then.
    pub async fn skip(&self, reason: &str) -> Result<Option<Position>, Error> {
        let mut at = self.store.reading(&self.name).await?;
        for event in self.store.events(at, BATCH).await? {
            // Events before the faulty one share its batch: they are projected first, one by one.
            if let Ok(unit) = self.project(std::slice::from_ref(&event)) {
                self.commit(at, event.position, unit).await?;
                at = event.position;
                continue;
            }
            let record = self.record_of_skip(&event, reason);
            self.commit(at, event.position, Unit { events: vec![record], ..Unit::new() }).await?;
            tracing::warn!(projection = %self.name, position = %event.position, reason, "skipped");
            metrics::counter!(names::SKIPPED, "projection" => self.name.to_string()).increment(1);
            return Ok(Some(event.position));
        }
        Ok(None)
    }

    /// Empties the view's tables and begins again at the first event, in one commit. For views of
    /// up to 10 000 rows that may be empty for a while; build others anew under a new name.
    ///
    /// # Errors
    /// [`Error`] when the store fails or the tables hold more rows; nothing is changed then.
    pub async fn rebuild(&self, tables: &[&'static Table]) -> Result<(), Error> {
        let from = self.store.reading(&self.name).await?;
        let mut unit = Unit::new();
        for table in tables {
            let mut select = Select::all(table).limit(SELECT_LIMIT);
            // One row too many is enough for the store to refuse.
            while unit.rows.len() <= UNIT_ROWS {
                let rows = self.store.select(select.clone()).await?;
                let Some(last) = rows.last().map(|row| row.key.clone()) else { break };
                unit.rows.extend(rows.into_iter().map(|row| RowOp::Delete { table, key: row.key }));
                select = select.after(Value::Null, last);
            }
        }
        self.standing.send_modify(|standing| standing.reached = Position::START);
        self.commit(from, Position::START, unit).await
    }

    /// Catches up whenever something is committed, under the lease if there is one.
    pub(crate) async fn follow(&self, lease: Option<&Lease>) -> Result<(), Error> {
        let mut committed = self.store.watch();
        let mut wait = WAITS.0;
        loop {
            committed.mark_unchanged();
            match self.catch_up_under(lease).await {
                Ok(_) => wait = WAITS.0,
                Err(error) if error.passes() => {
                    tracing::warn!(projection = %self.name, error = chain(&error), "trying again");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(WAITS.1);
                    continue;
                }
                Err(error) => return Err(error),
            }
            if committed.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    pub(crate) fn reach(&self, position: Position) {
        metrics::gauge!(names::POSITION, "projection" => self.name.to_string())
            .set(position.0 as f64);
        self.standing.send_if_modified(|standing| {
            let is_further = position > standing.reached;
            standing.reached = standing.reached.max(position);
            is_further
        });
    }

    /// What these events mean for the rows.
    fn project(&self, events: &[StoredEvent]) -> Result<Unit, Error> {
        let others = events.iter().filter(|event| !event.stream.starts_with(OWN_STREAMS));
        others.into_iter().try_fold(Unit::new(), |unit, event| {
            (self.apply)(event, unit).map_err(|source| Error::Event {
                name: self.name.clone(),
                position: event.position,
                source,
            })
        })
    }

    async fn commit(&self, from: Position, to: Position, mut unit: Unit) -> Result<(), Error> {
        unit.readings.push(Reading { name: self.name.clone(), from, to });
        match self.store.commit(unit).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict(_)) => Err(Error::Elsewhere(self.name.clone())),
            Err(error) => Err(Error::Commit(error)),
        }
    }

    fn record_of_skip(&self, event: &StoredEvent, reason: &str) -> NewEvent {
        let record = serde_json::json!({
            "position": event.position,
            "stream": event.stream,
            "kind": event.kind,
            "reason": reason,
        });
        NewEvent {
            stream: format!("{OWN_STREAMS}{}", self.name).into(),
            kind: "EventSkipped".into(),
            schema: 1,
            tags: Vec::new(),
            data: record.to_string().into(),
        }
    }
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection").field("name", &self.name).finish_non_exhaustive()
    }
}
