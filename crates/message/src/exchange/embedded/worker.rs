//! The loop that hands out jobs: claim, read, leave out what has expired, wait.
//!
//! What is claimed stands in the worker's hands at once, so that nobody else takes it. A claim
//! that does not become a job, because reading failed or the future was dropped, goes back
//! uncounted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use switchboard_core::{BoxError, Timestamp};
use tokio::sync::Notify;

use super::hub::{Desk, Hub};
use super::item;
use super::line::{Claim, Settled, Step};
use super::store::{Back, Note, Stored};
use crate::exchange::{Job, Reason, Tag, Worker};
use crate::{ConsumeError, Outcome, metrics as names};

/// A worker of a queue; it leaves when it is dropped.
#[derive(Debug)]
pub(super) struct Seated {
    id: u64,
    hub: Arc<Hub>,
    desk: Arc<Desk>,
    bell: Arc<Notify>,
}

/// Claims that are not jobs yet.
struct Claims<'a> {
    worker: &'a Seated,
    list: Vec<Claim>,
}

// === impl Seated ===

impl Seated {
    pub(super) fn new(id: u64, prefetch: usize, hub: Arc<Hub>, desk: Arc<Desk>) -> Self {
        let bell = Arc::new(Notify::new());
        desk.line.lock().join(id, prefetch, Arc::clone(&bell));
        Self { id, hub, desk, bell }
    }

    fn look(&self) -> Result<Step, ConsumeError> {
        if self.hub.is_closed() {
            return Err(ConsumeError::Closed);
        }
        if self.hub.is_paused() {
            return Ok(Step::Wait(None));
        }
        let mut line = self.desk.line.lock();
        let step = line.look(self.id, self.hub.clock.now());
        // What stands first now may expire before what stood first.
        if line.is_urgent() {
            self.desk.bell.notify_one();
        }
        Ok(step)
    }

    /// Makes jobs of claims; none when all of them have expired.
    async fn hand_out(&self, claims: Vec<Claim>) -> Result<Vec<Job>, ConsumeError> {
        let mut claims = Claims { worker: self, list: claims };
        let stored = self.read(&claims.list).map_err(ConsumeError::Unavailable)?;
        // A read may bring less than was asked for: the rest goes back.
        let rest = claims.list.split_off(stored.len());
        self.desk.line.lock().unclaim(self.id, rest.iter().map(|claim| claim.number));
        let now = self.hub.clock.now();
        let (expired, live): (Vec<_>, Vec<_>) = stored
            .into_iter()
            .zip(claims.list.iter().copied())
            .partition(|(stored, _)| self.desk.is_expired(stored.time, now));
        if !expired.is_empty() {
            let mut line = self.desk.line.lock();
            for (_, claim) in &expired {
                line.doom_held(self.id, claim.number, Reason::Expired);
            }
            drop(line);
            claims.list.retain(|claim| live.iter().any(|(_, kept)| kept == claim));
            self.hub.tend(&self.desk);
        }
        self.be_careful(&claims.list).await?;
        claims.list.clear();
        Ok(live.into_iter().map(|(stored, claim)| self.job(&stored, claim)).collect())
    }

    /// What a life that crashed may have handed out could be what crashed it. So it is counted
    /// before it is handed out once more, or the count would never reach the limit.
    async fn be_careful(&self, claims: &[Claim]) -> Result<(), ConsumeError> {
        let counted = |claim: &Claim| {
            let back = Back { count: claim.count.saturating_add(1), due: None };
            claim.suspect.then_some((claim.position, back))
        };
        let back: Vec<_> = claims.iter().filter_map(counted).collect();
        if back.is_empty() {
            return Ok(());
        }
        let handed = self.desk.line.lock().cursor();
        let note = Note { queue: self.desk.number, handed, back, ..Note::default() };
        let noted = self.hub.store.append(Vec::new(), vec![note]).await;
        noted.map(drop).map_err(ConsumeError::Unavailable)
    }

    /// Reads a beginning of what is claimed, at least one.
    fn read(&self, claims: &[Claim]) -> Result<Vec<Stored>, BoxError> {
        let mut stored: Vec<Stored> = Vec::with_capacity(claims.len());
        for run in claims.chunk_by(|a, b| a.position + 1 == b.position) {
            let Some(first) = run.first() else { continue };
            let read = self.hub.store.read(self.desk.number, first.position - 1, run.len())?;
            let whole = read.len() == run.len();
            let expected = (first.position..).zip(&read).all(|(p, stored)| stored.position == p);
            if !expected || read.is_empty() {
                let text = format!("`{}` has lost {}", self.desk.queue.name, first.position);
                return Err(text.into());
            }
            stored.extend(read);
            if !whole {
                break;
            }
        }
        Ok(stored)
    }

    fn job(&self, stored: &Stored, claim: Claim) -> Job {
        let (routing, message) = item::decode(&stored.bytes);
        Job {
            tag: Tag { generation: self.id, number: claim.number },
            message,
            exchange: routing.exchange,
            routing_key: routing.routing_key,
            redelivered: claim.count.max(u32::from(claim.suspect)),
            deaths: routing.deaths,
        }
    }

    fn note(&self, handed: u64, settled: Vec<(u64, u64)>, back: Vec<(u64, Back)>) {
        self.hub.store.note(Note { queue: self.desk.number, handed, settled, back });
    }

    async fn wait(&self, until: Option<Timestamp>) {
        match until {
            None => self.bell.notified().await,
            Some(due) => {
                // At least a moment: a clock may say that it is not time yet.
                let left = due.since(self.hub.clock.now()).max(Duration::from_millis(1));
                let _either = tokio::time::timeout(left, self.bell.notified()).await;
            }
        }
    }
}

#[async_trait]
impl Worker for Seated {
    async fn next(&mut self) -> Result<Vec<Job>, ConsumeError> {
        loop {
            match self.look()? {
                Step::Take(claims) => {
                    let jobs = self.hand_out(claims).await?;
                    if !jobs.is_empty() {
                        return Ok(jobs);
                    }
                }
                Step::Wait(until) => self.wait(until).await,
            }
        }
    }

    fn settle(&mut self, tag: Tag, outcome: Outcome) -> bool {
        let now = self.hub.clock.now();
        let mut line = self.desk.line.lock();
        let settled = match tag.generation == self.id {
            true => line.settle(self.id, tag.number, outcome, now),
            false => Settled::Stale,
        };
        let handed = line.cursor();
        drop(line);
        match settled {
            Settled::Stale => {
                let queue = self.desk.queue.name.to_string();
                metrics::counter!(names::STALE_TAGS, "queue" => queue).increment(1);
            }
            // Noted after it is done in memory, so that a snapshot without it precedes the note.
            Settled::Done(position) => self.note(handed, vec![(position, position)], Vec::new()),
            Settled::Back(position, back) => self.note(handed, Vec::new(), vec![(position, back)]),
            Settled::Doomed => {}
        }
        if settled != Settled::Stale {
            self.hub.tend(&self.desk);
        }
        settled != Settled::Stale
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let now = self.hub.clock.now();
        let mut line = self.desk.line.lock();
        let returned = line.leave(self.id, now);
        let handed = line.cursor();
        drop(line);
        if !returned.is_empty() && !self.hub.is_closed() {
            self.note(handed, Vec::new(), returned);
        }
        self.hub.tend(&self.desk);
    }
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        if !self.list.is_empty() {
            let numbers = self.list.iter().map(|claim| claim.number);
            self.worker.desk.line.lock().unclaim(self.worker.id, numbers);
            self.worker.hub.tend(&self.worker.desk);
        }
    }
}
