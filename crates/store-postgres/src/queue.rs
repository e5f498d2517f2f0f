//! What waits for the writer: bounded by weight, taken as a whole.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_store::{CommitError, Committed, StoreError, StoreIdentity, Unit};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::Instant;

/// Room in the queue. A unit takes 16 and one more per KiB: 4 096 small units, or about 64 MiB.
const ROOM: u32 = 1 << 16;
/// What one batch takes out at most: about 16 MiB of content.
const BATCH_ROOM: u32 = 1 << 14;

/// What becomes of a unit.
pub(crate) type Answer = Result<Committed, CommitError>;

pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
    room: Semaphore,
    batch_units: usize,
    lazy_wait: Duration,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Queued>,
    /// How many of them are not lazy.
    urgent: usize,
    closed: bool,
}

struct Queued {
    job: Job,
    weight: u32,
    /// Until when it may wait for company; absent when it may not.
    lazy: Option<Instant>,
}

/// Something that only the writer does.
pub(crate) enum Job {
    Commit(Asked),
    Reincarnate(oneshot::Sender<Result<StoreIdentity, StoreError>>),
    /// Moves what teams have enqueued into the log.
    Move(oneshot::Sender<Result<(), StoreError>>),
}

/// A unit, and who waits for its answer. Boxed, as it changes hands a few times.
pub(crate) struct Asked {
    pub(crate) unit: Box<Unit>,
    pub(crate) reply: oneshot::Sender<Answer>,
}

// === impl Queue ===

impl Queue {
    pub(crate) fn new(batch_units: usize, lazy_wait: Duration) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            room: Semaphore::new(ROOM as usize),
            batch_units,
            lazy_wait,
        }
    }

    /// Waits for room and hands the job over; false when the store is closed.
    pub(crate) async fn push(&self, job: Job) -> bool {
        let weight = job.weight();
        match self.room.acquire_many(weight).await {
            Ok(permit) => permit.forget(),
            Err(_) => return false,
        }
        let lazy = match &job {
            Job::Commit(asked) if asked.unit.lazy => Some(Instant::now() + self.lazy_wait),
            _ => None,
        };
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.urgent += usize::from(lazy.is_none());
        // A lazy one wakes the writer only if it is the first: somebody must look at the clock.
        let wake = (lazy.is_none() && state.urgent == 1) || state.jobs.is_empty();
        state.jobs.push_back(Queued { job, weight, lazy });
        drop(state);
        if wake {
            self.changed.notify_one();
        }
        true
    }

    /// Lets those that were just answered come again, up to `expected` of them and no longer than
    /// `patience`: to share a commit is cheaper for all than another one.
    pub(crate) async fn gather(&self, expected: usize, patience: Duration) {
        let expected = expected.min(self.batch_units);
        let begun = Instant::now();
        while self.state.lock().urgent < expected && begun.elapsed() < patience {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for jobs and takes as many as one batch may have; false when the store is closed and
    /// everything is done. `batch` is cleared first.
    pub(crate) async fn wait(&self, batch: &mut Vec<Job>) -> bool {
        batch.clear();
        loop {
            let deadline = {
                let mut state = self.state.lock();
                if state.urgent > 0 || (state.closed && !state.jobs.is_empty()) {
                    self.fill(&mut state, batch);
                    return true;
                }
                if state.closed {
                    return false;
                }
                state.jobs.front().and_then(|queued| queued.lazy)
            };
            match deadline {
                None => self.changed.notified().await,
                Some(deadline) => {
                    let changed = tokio::time::timeout_at(deadline, self.changed.notified());
                    if changed.await.is_err() {
                        self.fill(&mut self.state.lock(), batch);
                        return true;
                    }
                }
            }
        }
    }

    /// How many jobs wait that are not lazy.
    pub(crate) fn urgent(&self) -> usize {
        self.state.lock().urgent
    }

    fn fill(&self, state: &mut State, batch: &mut Vec<Job>) {
        let mut room = 0;
        while batch.len() < self.batch_units && room < BATCH_ROOM {
            let Some(queued) = state.jobs.pop_front() else { break };
            room += queued.weight;
            state.urgent -= usize::from(queued.lazy.is_none());
            batch.push(queued.job);
        }
        self.room.add_permits(room as usize);
    }

    /// Nobody will work any more: those that wait for an answer learn it now.
    pub(crate) fn abandon(&self) {
        self.close();
        let jobs = std::mem::take(&mut self.state.lock().jobs);
        drop(jobs);
    }

    /// Takes no more jobs; those that are in are still done.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.room.close();
        self.changed.notify_one();
    }
}

impl Job {
    fn weight(&self) -> u32 {
        let bytes = match self {
            Self::Commit(Asked { unit, .. }) => unit.content_bytes(),
            Self::Reincarnate(_) | Self::Move(_) => 0,
        };
        u32::try_from(16 + bytes / 1_024).unwrap_or(ROOM).min(ROOM)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("jobs", &self.state.lock().jobs.len()).finish()
    }
}
