//! What waits for the writer: bounded by weight, taken as a whole.
//!
//! Nobody is woken without need: the writer only when it sleeps, those that wait for room once per
//! batch.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use switchboard_store::{StoreError, StoreIdentity};
use tokio::sync::{Semaphore, oneshot};

use crate::writer::answers::Asked;

/// Room in the queue. A unit takes 16 and one more per KiB: 4 096 small units, or about 64 MiB.
const ROOM: u32 = 1 << 16;
/// What one batch takes out at most: about 16 MiB of content.
const BATCH_ROOM: u32 = 1 << 14;

/// How long the writer looks for more work before it goes to sleep.
const LINGER: Duration = Duration::from_micros(50);

pub(crate) struct Queue {
    state: Mutex<State>,
    /// How many jobs are not lazy. Changed under the lock, looked at without it.
    urgent: AtomicUsize,
    changed: Condvar,
    room: Semaphore,
    batch_units: usize,
    lazy_wait: Duration,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Queued>,
    asleep: bool,
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
    Sweep(usize, oneshot::Sender<Result<usize, StoreError>>),
    Reincarnate(oneshot::Sender<Result<StoreIdentity, StoreError>>),
}

// === impl Queue ===

impl Queue {
    pub(crate) fn new(batch_units: usize, lazy_wait: Duration) -> Self {
        Self {
            state: Mutex::default(),
            urgent: AtomicUsize::new(0),
            changed: Condvar::new(),
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
        self.urgent.fetch_add(usize::from(lazy.is_none()), Ordering::Relaxed);
        state.jobs.push_back(Queued { job, weight, lazy });
        // A lazy one wakes the writer only if it is the first: somebody must look at the clock.
        let wake = state.asleep && (lazy.is_none() || state.jobs.len() == 1);
        if wake {
            state.asleep = false;
            drop(state);
            self.changed.notify_one();
        }
        true
    }

    /// How many jobs wait that are not lazy.
    pub(crate) fn urgent(&self) -> usize {
        self.urgent.load(Ordering::Relaxed)
    }

    /// Takes what is there, or comes within some microseconds: whoever was just answered is likely
    /// to come again, and to wake a sleeping thread costs more than to look a few times. If
    /// something is there it waits for `expected` jobs, no longer than `patience`. False when there
    /// is nothing. `batch` is cleared first.
    pub(crate) fn poll(&self, batch: &mut Vec<Job>, expected: usize, patience: Duration) -> bool {
        batch.clear();
        let begun = Instant::now();
        loop {
            let (urgent, elapsed) = (self.urgent(), begun.elapsed());
            if urgent == 0 && elapsed > LINGER {
                return false;
            }
            if urgent > 0 && (urgent >= expected.min(self.batch_units) || elapsed > patience) {
                break;
            }
            std::thread::yield_now();
        }
        self.fill(&mut self.state.lock(), batch);
        !batch.is_empty()
    }

    /// Waits for jobs and takes as many as one batch may have; false when the store is closed and
    /// everything is done.
    pub(crate) fn wait(&self, batch: &mut Vec<Job>) -> bool {
        let mut state = self.state.lock();
        loop {
            if self.urgent.load(Ordering::Relaxed) > 0 || (state.closed && !state.jobs.is_empty()) {
                break;
            }
            if state.closed {
                return false;
            }
            let deadline = state.jobs.front().and_then(|queued| queued.lazy);
            state.asleep = true;
            let is_due = match deadline {
                None => {
                    self.changed.wait(&mut state);
                    false
                }
                Some(deadline) => self.changed.wait_until(&mut state, deadline).timed_out(),
            };
            state.asleep = false;
            if is_due {
                break;
            }
        }
        self.fill(&mut state, batch);
        true
    }

    fn fill(&self, state: &mut State, batch: &mut Vec<Job>) {
        let (mut room, mut urgent) = (0, 0);
        while batch.len() < self.batch_units && room < BATCH_ROOM {
            let Some(queued) = state.jobs.pop_front() else { break };
            room += queued.weight;
            urgent += usize::from(queued.lazy.is_none());
            batch.push(queued.job);
        }
        self.urgent.fetch_sub(urgent, Ordering::Relaxed);
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
            Self::Sweep(..) | Self::Reincarnate(..) => 0,
        };
        u32::try_from(16 + bytes / 1_024).unwrap_or(ROOM).min(ROOM)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("jobs", &self.state.lock().jobs.len()).finish()
    }
}
