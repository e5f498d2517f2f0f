//! A delivered message until somebody has custody of it: its effect, or the queue of its key.

use switchboard_core::{Position, Verdict};
use switchboard_store::{CommitError, Custody, Failure as Failed, Unit};

use crate::Error;
use crate::job::Job;
use crate::runner::{Effect, Place, Runner};

/// What a commit of custody came to.
enum Given {
    Taken(Option<Position>),
    /// The key has opened, or the store was away: look at the message afresh.
    Again,
}

impl Runner {
    /// Handles a delivery. True when it may be settled, false when the group is ending.
    pub(crate) async fn take(&self, job: &Job) -> Result<bool, Error> {
        let mut outages = 0;
        loop {
            if self.stop.is_cancelled() {
                return Ok(false);
            }
            let custody = match &job.message {
                Ok(_) if self.seems_blocked(&job.key) => Custody::Behind { bytes: job.bytes() },
                Err(undecodable) => self.park(
                    job,
                    1,
                    Failed {
                        at: self.clock.now(),
                        attempt: 1,
                        verdict: Verdict::Terminal,
                        error: switchboard_core::chain(&undecodable.error),
                    },
                ),
                Ok(envelope) => match self.effect(envelope, Place::Delivered(job)).await? {
                    Effect::Committed { duplicate, stored } => {
                        let numbers = &self.numbers;
                        if duplicate { &numbers.duplicates } else { &numbers.handled }.increment(1);
                        self.tracks.lock().finish(&job.receipt, stored);
                        return Ok(true);
                    }
                    Effect::Blocked => Custody::Behind { bytes: job.bytes() },
                    Effect::Failed { tries, failure } => {
                        self.park(job, tries, self.record(tries, &failure))
                    }
                    Effect::Moved => continue,
                    Effect::Abandoned => return Ok(false),
                },
            };
            if let Given::Taken(stored) = self.give(job, custody, &mut outages).await? {
                self.tracks.lock().finish(&job.receipt, stored);
                return Ok(true);
            }
        }
    }

    /// The message blocks its key, until its next try or until an operator acts.
    fn park(&self, job: &Job, tries: u32, failure: Failed) -> Custody {
        debug_assert_eq!(tries, failure.attempt);
        let due = self.due(&failure, &job.key);
        Custody::Blocks { bytes: job.bytes(), due, failure }
    }

    /// Stores the message in the queue of its key.
    async fn give(&self, job: &Job, custody: Custody, outages: &mut u32) -> Result<Given, Error> {
        let joins = matches!(custody, Custody::Behind { .. });
        let progress = self.progress(job);
        let stored = progress.as_ref().map(|progress| progress.position);
        let mut unit = Unit::new().handled(self.handled(job, custody));
        unit.progress.extend(progress);
        match self.store.commit(unit).await {
            Ok(committed) => {
                if committed.duplicate {
                    self.numbers.duplicates.increment(1);
                } else if joins {
                    self.numbers.joined.increment(1);
                }
                self.note_blocked(&job.key);
                Ok(Given::Taken(stored))
            }
            Err(CommitError::KeyOpen) => {
                self.note_open(&job.key);
                Ok(Given::Again)
            }
            Err(error @ CommitError::Unknown(_)) => Err(self.lost_store(error)),
            Err(error) => {
                self.outlast(outages, &error).await;
                Ok(Given::Again)
            }
        }
    }
}
