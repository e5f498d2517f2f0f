//! One message: decide, commit, and what follows when either does not work out.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use switchboard_core::{Clock, Context, Envelope, Key, Name, Position, Rng, Timestamp, Verdict};
use switchboard_resilience::breaker::OwnedPermit;
use switchboard_store::leases::Keeper;
use switchboard_store::{
    CommitError, Custody, Failure as Failed, GateOp, Handled, Lease, Progress, Store, Unit,
};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::guard::{self, Entry, Guard};
use crate::job::Job;
use crate::metrics::Numbers;
use crate::planted::Planted;
use crate::retries::{Retries, backoff};
use crate::routes::Routes;
use crate::track::Tracks;
use crate::{Error, Failure, Options};

/// Everything that the handling of one message needs; shared by intake and drainer.
pub(crate) struct Runner {
    pub(crate) group: Name,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) routes: Routes,
    guard: Option<Guard>,
    pub(crate) retries: Retries,
    pub(crate) numbers: Numbers,
    pub(crate) tracks: Mutex<Tracks>,
    pub(crate) stop: CancellationToken,
    /// Whether the group may have blocked keys. False only when the store said that it has none.
    pub(crate) gated: AtomicBool,
    /// Tells the drainer that a key was blocked.
    pub(crate) blocked: Notify,
    /// Who holds the lease to work off blocked keys, if others run this group on the store too.
    pub(crate) keeper: Option<Arc<Keeper>>,
    /// Keys that are blocked as far as this member knows, so that it does not run a handler in
    /// vain. A hint: the store decides.
    known_blocked: Mutex<HashSet<Key>>,
    rng: Mutex<Rng>,
    permits: Semaphore,
    planted: Planted,
}

/// Where a message is: it decides what makes its unit exactly once.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// Just delivered: its mark and the group's progress go into the unit.
    Delivered(&'a Job),
    /// At the head of a blocked key: the unit releases exactly this entry, under this lease.
    Waiting { key: &'a Key, entry: u64, lease: Option<&'a Lease> },
}

/// What became of the attempts to commit a message's effect.
pub(crate) enum Effect {
    /// It is committed, or was before.
    Committed { duplicate: bool, stored: Option<Position> },
    /// Its key is blocked: it has to wait.
    Blocked,
    /// Somebody else has worked on the queue of the key.
    Moved,
    /// The handler failed this often in a row; at least once.
    Failed { tries: u32, failure: Failure },
    /// The group is ending: the message stays unsettled.
    Abandoned,
}

/// A place among the handlers that run, and what is told how it went.
type Entered<'a> = (Option<SemaphorePermit<'a>>, Option<OwnedPermit>);

/// Why a handler has no unit.
enum Undecided {
    /// It said so, or panicked.
    Failed(Failure),
    /// The group is ending, and the handler did not run.
    Ending,
}

/// The unit of a message that has no effect: whatever else is committed next takes it along.
fn bookkeeping() -> Unit {
    Unit { lazy: true, ..Unit::new() }
}

/// How a conflict, an outage and a failure go on within one message.
enum Next {
    Return(Effect),
    Fail(Failure),
    Again,
}

/// Waits while a store is away.
pub(crate) const OUTAGE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Blocked keys that are remembered, at most.
const KNOWN: usize = 65_536;
/// Waits between conflicting commits, from the fourth on.
const CONFLICT: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(20));

// === impl Runner ===

impl Runner {
    #[allow(clippy::too_many_arguments, reason = "called once, by the group that owns them all")]
    pub(crate) fn new(
        group: Name,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        rng: Rng,
        options: Options,
        routes: Routes,
        guard: Option<Guard>,
        planted: Planted,
        stop: CancellationToken,
    ) -> Self {
        let lease = format!("gates/{group}");
        Self {
            keeper: options.sharing.keeper(&store, &clock, &lease),
            retries: Retries::of(&options),
            numbers: Numbers::of(&group),
            permits: Semaphore::new(options.concurrency),
            tracks: Mutex::default(),
            gated: AtomicBool::new(true),
            blocked: Notify::new(),
            known_blocked: Mutex::default(),
            rng: Mutex::new(rng),
            group,
            store,
            clock,
            options,
            routes,
            guard,
            planted,
            stop,
        }
    }

    /// Runs the handler until its unit is committed, or until that is hopeless for now.
    pub(crate) async fn effect(
        &self,
        envelope: &Arc<Envelope>,
        place: Place<'_>,
    ) -> Result<Effect, Error> {
        let begun = tokio::time::Instant::now();
        let (mut tries, mut conflicts, mut outages) = (0, 0, 0);
        let guard = self.guard.as_ref().filter(|guard| guard.covers(envelope));
        // Of a message that waited, the first try was counted when it was delivered.
        let mut is_first = matches!(place, Place::Delivered(_));
        loop {
            let next = match self.decide(envelope, guard, &mut is_first).await {
                Ok(unit) => {
                    self.commit(unit, envelope, place, &mut conflicts, &mut outages).await?
                }
                Err(Undecided::Failed(failure)) => Next::Fail(failure),
                Err(Undecided::Ending) => return Ok(Effect::Abandoned),
            };
            match next {
                Next::Return(effect) => {
                    self.numbers.handle.record(begun.elapsed().as_secs_f64());
                    return Ok(effect);
                }
                Next::Again if self.stop.is_cancelled() => return Ok(Effect::Abandoned),
                Next::Again => {}
                Next::Fail(failure) => {
                    tries += 1;
                    conflicts = 0;
                    let wait = match failure.verdict {
                        Verdict::Retry => self.retries.immediate(tries, &mut self.rng.lock()),
                        Verdict::Terminal | Verdict::Stuck => None,
                    };
                    let is_paid = || guard.is_none_or(Guard::pays);
                    let wait = wait.filter(|_| is_paid());
                    let Some(wait) = wait else { return Ok(Effect::Failed { tries, failure }) };
                    self.numbers.retried.increment(1);
                    if !self.pause(wait).await {
                        return Ok(Effect::Abandoned);
                    }
                }
            }
        }
    }

    /// Runs the handler once. A panic is a failure like any other, and the process lives.
    async fn decide(
        &self,
        envelope: &Arc<Envelope>,
        guard: Option<&Guard>,
        is_first: &mut bool,
    ) -> Result<Unit, Undecided> {
        let Some(handle) = self.routes.find(envelope) else {
            self.numbers.filtered.increment(1);
            return Ok(bookkeeping());
        };
        let Some((_place, pass)) = self.enter(envelope, guard).await? else {
            self.numbers.expired.increment(1);
            return Ok(bookkeeping());
        };
        if let (Some(guard), true) = (guard, std::mem::take(is_first)) {
            guard.first_try();
        }
        let span = tracing::debug_span!(
            "handle",
            group = %self.group,
            topic = %envelope.topic,
            kind = %envelope.kind,
            id = %envelope.id,
            correlation = %envelope.context.correlation,
        );
        let call = AssertUnwindSafe(async { handle(Arc::clone(envelope)).await }.instrument(span));
        let answer = call.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)));
        if let Some(pass) = pass {
            pass.record(guard::outcome(&answer));
        }
        answer.map_err(Undecided::Failed)
    }

    /// A place among the handlers that run, and leave of what guards them; `None` once nobody waits
    /// for the effect. A message that has to wait holds no place and uses up no try.
    async fn enter(
        &self,
        envelope: &Envelope,
        guard: Option<&Guard>,
    ) -> Result<Option<Entered<'_>>, Undecided> {
        loop {
            // The semaphore is never closed.
            let place = self.permits.acquire().await.ok();
            // Looked at after each wait, because a guard may have kept the message for an hour.
            if self.is_expired(envelope) {
                return Ok(None);
            }
            let wait = match guard.map(Guard::enter) {
                None => return Ok(Some((place, None))),
                Some(Entry::Pass(pass)) => return Ok(Some((place, Some(pass)))),
                Some(Entry::Park(failure)) => return Err(Undecided::Failed(failure)),
                Some(Entry::Wait(wait)) => wait,
            };
            drop(place);
            self.numbers.paused.increment(1);
            if !self.pause(wait).await {
                return Err(Undecided::Ending);
            }
        }
    }

    fn is_expired(&self, envelope: &Envelope) -> bool {
        let deadline = envelope.context.deadline;
        self.options.drop_expired && deadline.is_some_and(|at| at < self.clock.now())
    }

    async fn commit(
        &self,
        unit: Unit,
        envelope: &Envelope,
        place: Place<'_>,
        conflicts: &mut u32,
        outages: &mut u32,
    ) -> Result<Next, Error> {
        let (unit, progress) = self.seal(unit, envelope, place);
        let unit = self.planted.spoil(unit, &*self.store, envelope).await;
        let error = match self.store.commit(unit).await {
            Ok(committed) => {
                let stored = progress;
                return Ok(Next::Return(Effect::Committed {
                    duplicate: committed.duplicate,
                    stored,
                }));
            }
            Err(error) => error,
        };
        Ok(match (error, place) {
            (CommitError::KeyBlocked, _) => Next::Return(Effect::Blocked),
            (CommitError::GateMoved, Place::Waiting { .. }) => Next::Return(Effect::Moved),
            (error @ CommitError::Unknown(_), _) => return Err(self.lost_store(error)),
            (error @ CommitError::Unavailable(_), _) => {
                self.outlast(outages, &error).await;
                Next::Again
            }
            (error @ CommitError::Invalid(_), _) => Next::Fail(error.into()),
            (CommitError::Conflict(_), Place::Waiting { lease: Some(lease), .. })
                if !self.still_holds(lease).await =>
            {
                Next::Return(Effect::Moved)
            }
            (error, _) => {
                *conflicts += 1;
                self.numbers.conflicts.increment(1);
                if *conflicts >= self.options.conflicts {
                    return Ok(Next::Fail(error.into()));
                }
                if let Some(number @ 1..) = conflicts.checked_sub(3) {
                    let wait = backoff(number, CONFLICT.0, CONFLICT.1, &mut self.rng.lock());
                    self.pause(wait).await;
                }
                Next::Again
            }
        })
    }

    /// Adds what makes the unit exactly once. Returns the progress that it carries as well.
    fn seal(
        &self,
        mut unit: Unit,
        envelope: &Envelope,
        place: Place<'_>,
    ) -> (Unit, Option<Position>) {
        unit.context.get_or_insert_with(|| Context::caused_by(envelope));
        match place {
            Place::Delivered(job) => {
                unit.handled = Some(self.handled(job, Custody::Effect));
                let progress = self.progress(job);
                let position = progress.as_ref().map(|progress| progress.position);
                unit.progress.extend(progress);
                (unit, position)
            }
            Place::Waiting { key, entry, lease } => {
                let (group, key) = (self.group.clone(), key.clone());
                unit.gates.push(GateOp::Release { group, key, entry });
                unit.conditions.extend(lease.map(Lease::fence));
                (unit, None)
            }
        }
    }

    /// What the store is told about a delivered message.
    pub(crate) fn handled(&self, job: &Job, custody: Custody) -> Handled {
        let mark = job.mark(self.options.remember_foreign);
        Handled { group: self.group.clone(), mark, key: job.key.clone(), custody }
    }

    /// The progress of the group if this delivery is done.
    pub(crate) fn progress(&self, job: &Job) -> Option<Progress> {
        self.tracks.lock().with(&self.group, &job.receipt)
    }

    /// A failure as it is kept beside the message.
    pub(crate) fn record(&self, attempt: u32, failure: &Failure) -> Failed {
        Failed { at: self.clock.now(), attempt, verdict: failure.verdict, error: failure.text() }
    }

    /// When a message that was tried this often is tried again; `None` parks it. Says so aloud.
    pub(crate) fn due(&self, failed: &Failed, key: &Key) -> Option<Timestamp> {
        let delay = self.retries.delay(failed.verdict, failed.attempt, &mut self.rng.lock());
        let (group, error) = (&self.group, &failed.error);
        if delay.is_some() {
            self.numbers.retried.increment(1);
            tracing::warn!(%group, %key, attempt = failed.attempt, error, "tried again later");
        } else {
            self.numbers.parked.increment(1);
            tracing::error!(%group, %key, attempt = failed.attempt, error, "the key is parked");
        }
        if failed.verdict == Verdict::Stuck {
            self.numbers.stuck.increment(1);
        }
        delay.map(|delay| failed.at.plus(delay))
    }

    /// Learns which keys are blocked from before.
    pub(crate) async fn recall_gates(&self) {
        match self.store.gates(Some(&self.group), KNOWN).await {
            Ok(gates) => {
                self.known_blocked.lock().extend(gates.into_iter().map(|gate| gate.key));
            }
            Err(error) => tracing::warn!(group = %self.group, %error, "cannot read blocked keys"),
        }
    }

    /// Whether the key is probably blocked.
    pub(crate) fn seems_blocked(&self, key: &Key) -> bool {
        let known = self.known_blocked.lock();
        !known.is_empty() && known.contains(key)
    }

    /// The key has turned out to be open.
    pub(crate) fn note_open(&self, key: &Key) {
        self.known_blocked.lock().remove(key);
    }

    /// The key is blocked now.
    pub(crate) fn note_blocked(&self, key: &Key) {
        let mut known = self.known_blocked.lock();
        if known.len() < KNOWN {
            known.insert(key.clone());
        }
        drop(known);
        self.gated.store(true, Ordering::SeqCst);
        self.blocked.notify_one();
    }

    /// Waits a little longer each time, while the store is away.
    pub(crate) async fn outlast(&self, outages: &mut u32, error: &CommitError) {
        *outages += 1;
        tracing::warn!(group = %self.group, outages, %error, "the store does not take the unit");
        let wait = backoff(*outages, OUTAGE.0, OUTAGE.1, &mut self.rng.lock());
        self.pause(wait).await;
    }

    /// Waits; false when the group is ending.
    pub(crate) async fn pause(&self, wait: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    pub(crate) fn wait(&self, tries: u32, (least, most): (Duration, Duration)) -> Duration {
        backoff(tries, least, most, &mut self.rng.lock())
    }

    /// Whether a conflict has another reason than that another process has the lease by now.
    pub(crate) async fn still_holds(&self, lease: &Lease) -> bool {
        match &self.keeper {
            Some(keeper) => keeper.still(lease).await,
            None => true,
        }
    }

    pub(crate) fn lost_store(&self, error: CommitError) -> Error {
        Error::Store { group: self.group.clone(), source: error.into() }
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Failure::terminal(format!("the handler panicked: {text}"))
}
