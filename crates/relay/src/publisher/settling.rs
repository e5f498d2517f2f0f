//! What becomes of each message: on the broker, tried again, parked, or behind one that is.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Retryable, Slot, Timestamp, Verdict};
use switchboard_message::{Ack, PublishError};
use switchboard_store::Outgoing;
use tokio::time::Instant;

use super::books::{beside, store_checkpoints};
use super::reading::find;
use super::{FIRST_WAIT, LOOK, PROBES, Publisher, Turns};
use crate::Error;
use crate::parking::{self, GROUP, Joined, Taken, Worked};
use crate::planted::Planted;
use crate::window::Sent;

/// The store did not take a message that was to wait.
#[derive(Debug, thiserror::Error)]
#[error("the store is away")]
struct StoreAway;

/// Due keys that are read at a time when other relays work off some of them.
const DUE: usize = 1_024;

type Answers = Vec<Result<Ack, PublishError>>;

// === impl Turns ===

impl Turns {
    /// Publishes the batch and settles every answer.
    pub(super) async fn publish(&mut self, batch: Vec<Outgoing>) -> Result<(), Error> {
        let sent: Vec<Sent> = batch.iter().map(Sent::from).collect();
        if self.given.planted == Planted::CheckpointBeforeAck {
            return self.publish_unanswered(batch, &sent).await;
        }
        let envelopes = batch.into_iter().map(|record| record.envelope).collect();
        let broker = Arc::clone(&self.given.broker);
        let mut bookkeeping = self.bookkeeping.take();
        let work = async { tokio::join!(broker.publish(envelopes), self.read()) };
        let ((answers, read), books) = beside(&mut bookkeeping, work).await;
        self.bookkeeping = bookkeeping;
        if let Some(books) = books {
            self.note(books).await?;
        }
        self.settle(&sent, answers).await?;
        self.load(read);
        Ok(())
    }

    pub(super) async fn settle(&mut self, sent: &[Sent], answers: Answers) -> Result<(), Error> {
        let (mut published, mut opened) = (0, false);
        let mut answers = answers.into_iter();
        for sent in sent {
            // A broker that answers too little has not answered for the rest.
            let answer = answers.next().unwrap_or_else(|| {
                Err(PublishError::Unavailable("the broker did not answer".into()))
            });
            match answer {
                Ok(_) => {
                    published += 1;
                    opened |= self.slots.blocked_at(sent.slot).is_some();
                    self.slots.done(sent.slot, sent.position);
                }
                Err(error) if error.verdict() == Verdict::Retry => self.retry(sent, &error),
                Err(error) => self.park(sent, &error).await?,
            }
        }
        if opened {
            self.slots.retry_all(Instant::now());
            // While the slot was blocked, another relay may have gone ahead.
            self.unsure = true;
        }
        if published > 0 {
            self.unswept += published;
            self.moved_since.get_or_insert_with(Instant::now);
            self.given.numbers.published.increment(published);
        }
        self.given.numbers.blocked.set(self.slots.blocked().count() as f64);
        Ok(())
    }

    /// Blocks the message's slot until its next try; all others flow.
    pub(super) fn retry(&mut self, sent: &Sent, error: &dyn std::error::Error) {
        self.given.numbers.retried.increment(1);
        let tries = self.slots.block(sent.slot, sent.position);
        self.window.forget(sent.slot);
        let wait = self.given.wait(tries);
        self.slots.retry_at(sent.slot, Instant::now() + wait);
        let slot = sent.slot.0;
        tracing::debug!(slot, position = %sent.position, tries, %error, "a slot is blocked");
    }

    /// Parks the message's key. Should the store not take it, the slot is blocked, and the message
    /// comes here again.
    pub(super) async fn park(&mut self, sent: &Sent, error: &PublishError) -> Result<(), Error> {
        let Ok(Some(record)) = find(&*self.given.store, sent.position).await else {
            self.retry(sent, error);
            return Ok(());
        };
        let floor = self.slots.floor_with(sent.slot, sent.position);
        let Publisher { store, clock, .. } = &self.given;
        let fences = self.ranges.fences([sent.slot]);
        match parking::park(&**store, &**clock, &record, floor, fences, error).await? {
            Taken::Done => {
                self.given.numbers.parked.increment(1);
                self.parked.insert(parking::key_of(&record));
                self.slots.done(sent.slot, sent.position);
            }
            Taken::Away => self.retry(sent, error),
            Taken::Fenced => {
                self.ranges.refused([sent.slot]).await;
                self.retry(sent, error);
            }
        }
        Ok(())
    }

    /// Puts messages of parked keys behind them, in order.
    pub(super) async fn join(&mut self, join: Vec<Outgoing>) -> Result<(), Error> {
        let mut reopened = Vec::new();
        for record in join {
            let sent = Sent::from(&record);
            if !self.parked.contains(&parking::key_of(&record)) {
                reopened.push(record);
                continue;
            }
            let blocked = self.slots.blocked_at(sent.slot);
            if blocked.is_some_and(|blocked| blocked.position != sent.position) {
                // The slot was blocked after this batch was taken: it is read again later.
                continue;
            }
            let floor = self.slots.floor_with(sent.slot, sent.position);
            let fences = self.ranges.fences([sent.slot]);
            match parking::join(&*self.given.store, &record, floor, fences).await? {
                Joined::Behind => {
                    self.given.numbers.joined.increment(1);
                    self.slots.done(sent.slot, sent.position);
                }
                Joined::Open => {
                    self.parked.remove(&parking::key_of(&record));
                    reopened.push(record);
                }
                Joined::Away => self.retry(&sent, &StoreAway),
                Joined::Fenced => {
                    self.ranges.refused([sent.slot]).await;
                    self.retry(&sent, &StoreAway);
                }
            }
        }
        for record in reopened.into_iter().rev() {
            if self.slots.blocked_at(record.slot).is_none() {
                self.window.push_front(record);
            }
        }
        Ok(())
    }

    /// Works off parked keys that an operator woke.
    pub(super) async fn work_off_gates(&mut self) -> Result<(), Error> {
        self.look_soon();
        let due = self.next_gate.is_some_and(|at| at <= Instant::now());
        if self.parked.is_empty() || !(self.look_at_gates || due) {
            return Ok(());
        }
        let Publisher { store, broker, clock, options, .. } = &self.given;
        // Keys of others must not hide the own ones.
        let limit = if self.ranges.is_shared() { DUE } else { PROBES };
        let (gates, next) = match store.due_gates(GROUP, clock.now(), limit).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot read parked keys");
                self.next_gate = Some(Instant::now() + options.longest_wait);
                self.look_at_gates = false;
                return Ok(());
            }
        };
        self.look_at_gates = false;
        let wait = |at: Timestamp| at.since(clock.now());
        self.next_gate = next.map(|at| Instant::now() + wait(at).max(Duration::from_millis(1)));
        for gate in gates {
            // The slot of a message without a key is not known here; any owner will do for it.
            let slot = Slot::of(&gate.key);
            if !self.ranges.owns(slot) {
                continue;
            }
            let (longest, fences) = (options.longest_wait, self.ranges.fences([slot]));
            let worked =
                parking::work_off(&**store, &**broker, &**clock, &gate.key, longest, fences);
            let worked = worked.await?;
            if worked == Worked::Fenced {
                self.ranges.refused([slot]).await;
            } else if worked == Worked::Open {
                self.parked.remove(&gate.key);
            } else {
                // Not all of it, or not now: soon again.
                let soon = Instant::now() + FIRST_WAIT;
                self.next_gate = Some(self.next_gate.map_or(soon, |at| at.min(soon)));
            }
        }
        self.look_soon();
        Ok(())
    }

    /// Parked keys may be woken by a process that this one does not hear of.
    fn look_soon(&mut self) {
        if self.ranges.is_shared() && !self.parked.is_empty() {
            let soon = Instant::now() + LOOK;
            self.next_gate = Some(self.next_gate.map_or(soon, |at| at.min(soon)));
        }
    }

    /// The bug of [`Planted::CheckpointBeforeAck`].
    pub(super) async fn publish_unanswered(
        &mut self,
        batch: Vec<Outgoing>,
        sent: &[Sent],
    ) -> Result<(), Error> {
        sent.iter().for_each(|sent| self.slots.done(sent.slot, sent.position));
        let _ =
            store_checkpoints(&*self.given.store, self.slots.moved(false), Vec::new(), false).await;
        let envelopes = batch.into_iter().map(|record| record.envelope).collect();
        self.given.broker.publish(envelopes).await;
        Ok(())
    }
}
