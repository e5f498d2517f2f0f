//! Works off blocked keys: each due head is tried again, and a key that is empty opens.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use switchboard_core::{Key, Verdict};
use switchboard_store::leases::Held;
use switchboard_store::{CommitError, Failure as Failed, GateOp, Lease, Unit, Waiting};
use tokio::sync::watch;

use crate::Error;
use crate::runner::{Effect, OUTAGE, Place, Runner};

/// The part of a group that looks after its blocked keys.
///
/// It sleeps until the next gate is due, and wakes when one is set or moved. A group without
/// blocked keys costs nothing. Where several processes run the group, the one that holds the
/// lease does it, and looks every second, because others block and wake keys unheard.
pub(crate) struct Drainer {
    runner: Arc<Runner>,
    active: HashSet<Key>,
    running: FuturesUnordered<BoxFuture<'static, (Key, Result<(), Error>)>>,
}

/// What became of the head of a queue.
enum Head {
    Released,
    /// It waits again, somebody else has it, or the group is ending.
    Left,
}

/// Messages read from one queue at a time.
const BATCH: usize = 32;
/// The longest sleep while a gate has a due time: a clock that was set is noticed by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// How often the holder of the lease looks for gates of other processes.
const LOOK: Duration = Duration::from_secs(1);

// === impl Drainer ===

impl Drainer {
    pub(crate) fn new(runner: Arc<Runner>) -> Self {
        Self { runner, active: HashSet::new(), running: FuturesUnordered::new() }
    }

    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let runner = Arc::clone(&self.runner);
        let mut rescheduled = runner.store.rescheduled();
        let mut held = runner.keeper.as_ref().map(|keeper| keeper.held());
        let mut failures = 0;
        loop {
            rescheduled.borrow_and_update();
            let sleep = self.start_due(&mut failures).await;
            tokio::select! {
                biased;
                () = runner.stop.cancelled() => break,
                Some((key, drained)) = self.running.next() => {
                    self.active.remove(&key);
                    drained?;
                }
                () = runner.blocked.notified() => {}
                // The store is held, so its sender lives.
                _ = rescheduled.changed() => {}
                () = changed(&mut held) => {}
                () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
            }
        }
        let ending = async {
            while let Some((_, drained)) = self.running.next().await {
                drained?;
            }
            Ok(())
        };
        let ended = tokio::time::timeout(runner.options.patience, ending).await;
        if let Some(keeper) = &runner.keeper
            && let Err(error @ CommitError::Unknown(_)) = keeper.leave().await
        {
            return Err(runner.lost_store(error));
        }
        ended.unwrap_or(Ok(()))
    }

    /// Starts on gates that are due; returns how long to sleep when nothing else happens.
    async fn start_due(&mut self, failures: &mut u32) -> Option<Duration> {
        let runner = &self.runner;
        let limit = runner.options.drains;
        let lease = match &runner.keeper {
            Some(keeper) => Some(keeper.current()?),
            None => None,
        };
        let longest = if lease.is_some() { LOOK } else { LONGEST_SLEEP };
        if self.active.len() >= limit {
            return None;
        }
        // Taken back before the store is asked, so that a gate set meanwhile is not forgotten. What
        // other processes block is only found by asking.
        if !runner.gated.swap(false, Ordering::SeqCst) && lease.is_none() {
            return None;
        }
        let now = runner.clock.now();
        let (due, next) = match runner.store.due_gates(&runner.group, now, limit).await {
            Ok(found) => found,
            Err(error) => {
                runner.gated.store(true, Ordering::SeqCst);
                *failures += 1;
                tracing::warn!(group = %runner.group, %error, "cannot read blocked keys");
                return Some(runner.wait(*failures, OUTAGE));
            }
        };
        *failures = 0;
        let parked = || runner.store.gates(Some(&runner.group), 1);
        if !due.is_empty() || next.is_some() || parked().await.is_ok_and(|all| !all.is_empty()) {
            runner.gated.store(true, Ordering::SeqCst);
        }
        for gate in due {
            if self.active.len() < limit && self.active.insert(gate.key.clone()) {
                let (runner, key, lease) = (Arc::clone(runner), gate.key, lease.clone());
                self.running.push(Box::pin(async move {
                    let drained = runner.drain(&key, lease.as_ref()).await;
                    (key, drained)
                }));
            }
        }
        let until = match (next, &lease) {
            (Some(next), _) => next.since(now).max(Duration::from_millis(1)),
            (None, Some(_)) => LOOK,
            (None, None) => return None,
        };
        Some(until.min(longest))
    }
}

/// Waits until the lease is taken or lost; for ever where there is none.
async fn changed(held: &mut Option<watch::Receiver<Held>>) {
    match held {
        // The keeper is held, so its sender lives.
        Some(held) => drop(held.changed().await),
        None => std::future::pending().await,
    }
}

// === impl Runner ===

impl Runner {
    /// Works on the queue of a key until it is empty or its head has to wait again.
    async fn drain(&self, key: &Key, lease: Option<&Lease>) -> Result<(), Error> {
        let mut outages = 0;
        loop {
            let waiting = match self.store.waiting(&self.group, key, BATCH).await {
                Ok(waiting) if waiting.is_empty() => {
                    self.note_open(key);
                    return Ok(());
                }
                Ok(waiting) => waiting,
                Err(error) => {
                    outages += 1;
                    tracing::warn!(group = %self.group, %key, %error, "cannot read a blocked key");
                    if !self.pause(self.wait(outages, OUTAGE)).await {
                        return Ok(());
                    }
                    continue;
                }
            };
            for entry in waiting {
                if self.stop.is_cancelled() {
                    return Ok(());
                }
                if let Head::Left = self.drain_one(key, &entry, lease).await? {
                    return Ok(());
                }
            }
        }
    }

    async fn drain_one(
        &self,
        key: &Key,
        waiting: &Waiting,
        lease: Option<&Lease>,
    ) -> Result<Head, Error> {
        let failed = match waiting.envelope() {
            Err(error) => Failed {
                at: self.clock.now(),
                attempt: 1,
                verdict: Verdict::Terminal,
                error: switchboard_core::chain(&error),
            },
            Ok(envelope) => {
                let place = Place::Waiting { key, entry: waiting.entry, lease };
                match self.effect(&Arc::new(envelope), place).await? {
                    Effect::Committed { .. } => {
                        self.numbers.handled.increment(1);
                        return Ok(Head::Released);
                    }
                    Effect::Failed { tries, failure } => {
                        self.record(self.retries.tried(&waiting.failures) + tries, &failure)
                    }
                    Effect::Blocked | Effect::Moved | Effect::Abandoned => return Ok(Head::Left),
                }
            }
        };
        self.defer(key, waiting.entry, lease, failed).await
    }

    /// Puts the head back until its next try, or parks it.
    async fn defer(
        &self,
        key: &Key,
        entry: u64,
        lease: Option<&Lease>,
        failure: Failed,
    ) -> Result<Head, Error> {
        let due = self.due(&failure, key);
        let mut outages = 0;
        loop {
            let (group, key, failure) = (self.group.clone(), key.clone(), failure.clone());
            let defer = GateOp::Defer { group, key, entry, due, failure };
            let conditions = lease.map(Lease::fence).into_iter().collect();
            match self.store.commit(Unit { conditions, gates: vec![defer], ..Unit::new() }).await {
                Ok(_) | Err(CommitError::GateMoved) => return Ok(Head::Left),
                Err(CommitError::Conflict(_)) => {
                    if let Some(lease) = lease {
                        self.still_holds(lease).await;
                    }
                    return Ok(Head::Left);
                }
                Err(error @ CommitError::Unknown(_)) => return Err(self.lost_store(error)),
                Err(_) if self.stop.is_cancelled() => return Ok(Head::Left),
                Err(error) => self.outlast(&mut outages, &error).await,
            }
        }
    }
}
