//! The loop that feeds one member: tell what is lost, place what is new, hand out, wait.

use std::sync::Arc;

use async_trait::async_trait;
use switchboard_core::{Name, Position};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::partition::Settled;
use super::state::{Place, Step, Want};
use super::{Bounds, Groups};
use crate::{
    Assignment, ConsumeError, Consumer, Delivery, Incoming, Outcome, Receipt, Start, Subscription,
    metrics as names,
};

/// A member of a group; it leaves when it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    id: u64,
    groups: Arc<Groups>,
    subscription: Subscription,
    bell: Arc<Notify>,
}

// === impl Member ===

impl Member {
    pub(super) fn new(
        id: u64,
        groups: Arc<Groups>,
        subscription: Subscription,
        bell: Arc<Notify>,
    ) -> Self {
        Self { id, groups, subscription, bell }
    }

    fn look(&self) -> Result<Step, ConsumeError> {
        let mut inner = self.groups.lock();
        if inner.closed {
            return Err(ConsumeError::Closed);
        }
        let paused = inner.paused;
        Ok(match inner.groups.get_mut(&self.subscription.group) {
            Some(group) if !paused => group.look(self.id, Instant::now()),
            _ => Step::Wait(None),
        })
    }

    /// Asks where each partition begins, and begins those that are still this member's.
    async fn place(&self, places: Vec<Place>) -> Result<Vec<Assignment>, ConsumeError> {
        let epoch = self.groups.records.epoch();
        let mut begins = Vec::with_capacity(places.len());
        for place in places {
            let known = match &self.subscription.resume {
                Some(resume) => resume
                    .resume(&place.topic, place.partition)
                    .await
                    .map_err(ConsumeError::Unavailable)?
                    .map(|known| (known.epoch, known.position)),
                None => place.kept.map(|position| (epoch, position)),
            };
            let after = self.beginning(&place, known)?;
            begins.push((place, after));
        }
        let mut inner = self.groups.lock();
        let Some(group) = inner.groups.get_mut(&self.subscription.group) else {
            return Ok(Vec::new());
        };
        let mut assigned = Vec::with_capacity(begins.len());
        for (place, position) in begins {
            if !group.begin(self.id, &place, epoch, position) {
                continue;
            }
            let Place { topic, partition, kept, .. } = place;
            // Whatever was published before this moment rang a bell that nobody heard.
            let Bounds { last, .. } = self.groups.records.bounds(&topic, partition);
            group.published(&topic, partition, last);
            if kept != Some(position) {
                let name = &self.subscription.group;
                self.groups.records.moved(name, &topic, partition, position);
            }
            assigned.push(Assignment { topic, partition, epoch, position });
        }
        Ok(assigned)
    }

    /// The position after which an assignment begins.
    fn beginning(
        &self,
        place: &Place,
        known: Option<(u64, Position)>,
    ) -> Result<Position, ConsumeError> {
        let Place { topic, partition, .. } = place;
        let records = &self.groups.records;
        let Bounds { first, last } = records.bounds(topic, *partition);
        let Some((epoch, position)) = known else {
            return Ok(match self.subscription.start {
                Start::Beginning => Position(first.0.saturating_sub(1)),
                Start::End => last,
            });
        };
        let position = if epoch == records.epoch() {
            position
        } else {
            position.min(records.end_of(epoch, topic, *partition))
        };
        if position.next() < first {
            return Err(self.lost(topic, *partition, position, first));
        }
        if position > last {
            let group = &self.subscription.group;
            tracing::warn!(%group, %topic, partition, %position, %last, "position beyond the end");
            // These records are not those that the position counts: the log was put back to an
            // older copy. What was handled is recognised; what was not must not be passed.
            return Ok(Position(first.0.saturating_sub(1)));
        }
        Ok(position)
    }

    /// Reads what there is room for, and notes it as handed out.
    async fn fetch(&self, wants: Vec<Want>) -> Result<Vec<Delivery>, ConsumeError> {
        let mut deliveries = Vec::new();
        for want in wants {
            let Want { topic, partition, generation, epoch, after, limit } = want;
            let read = self.groups.records.read(&topic, partition, after, limit).await;
            let records = read.map_err(ConsumeError::Unavailable)?;
            match records.first() {
                None => self.nothing_after(&topic, partition, after)?,
                // A gap means that records were dropped under the group's feet.
                Some(record) if record.position != after.next() => {
                    return Err(self.lost(&topic, partition, after, record.position));
                }
                Some(_) => {}
            }
            deliveries.extend(records.into_iter().map(|record| Delivery {
                receipt: Receipt {
                    topic: topic.clone(),
                    partition,
                    position: record.position,
                    epoch,
                    generation,
                },
                message: record.message,
                redelivered: 0,
            }));
        }
        self.groups.records.disturb(&mut deliveries);
        let mut inner = self.groups.lock();
        let paused = inner.paused || inner.closed;
        match inner.groups.get_mut(&self.subscription.group) {
            Some(group) if !paused => group.hand_out(self.id, &mut deliveries),
            _ => deliveries.clear(),
        }
        Ok(deliveries)
    }

    /// A record that was announced could not be read: it must not be asked for in a circle.
    fn nothing_after(
        &self,
        topic: &Name,
        partition: u32,
        after: Position,
    ) -> Result<(), ConsumeError> {
        let mut inner = self.groups.lock();
        let Bounds { last, .. } = self.groups.records.bounds(topic, partition);
        if last > after {
            let text = format!("{topic}/{partition} ends at {last} but has nothing after {after}");
            return Err(ConsumeError::Unavailable(text.into()));
        }
        if let Some(group) = inner.groups.get_mut(&self.subscription.group) {
            group.ends_at(topic, partition, last);
        }
        Ok(())
    }

    fn lost(
        &self,
        topic: &Name,
        partition: u32,
        position: Position,
        oldest: Position,
    ) -> ConsumeError {
        ConsumeError::BelowRetention {
            group: self.subscription.group.clone(),
            topic: topic.clone(),
            partition,
            position: position.0,
            oldest: oldest.0,
        }
    }

    async fn wait(&self, until: Option<Instant>) {
        match until {
            None => self.bell.notified().await,
            Some(due) => {
                let _either = tokio::time::timeout_at(due, self.bell.notified()).await;
            }
        }
    }

    fn count(&self, name: &'static str) {
        metrics::counter!(name, "group" => self.subscription.group.to_string()).increment(1);
    }
}

#[async_trait]
impl Consumer for Member {
    async fn next(&mut self) -> Result<Incoming, ConsumeError> {
        // Every step that awaits changes nothing before its last await, so that dropping this
        // future loses nothing.
        loop {
            match self.look()? {
                Step::Revoked(revoked) => return Ok(Incoming::Revoked(revoked)),
                Step::Place(places) => {
                    let assigned = self.place(places).await?;
                    if !assigned.is_empty() {
                        return Ok(Incoming::Assigned(assigned));
                    }
                }
                Step::Fetch(wants) => {
                    let deliveries = self.fetch(wants).await?;
                    if !deliveries.is_empty() {
                        return Ok(Incoming::Deliveries(deliveries));
                    }
                }
                Step::Wait(until) => self.wait(until).await,
            }
        }
    }

    fn settle(&mut self, receipt: &Receipt, outcome: Outcome) -> bool {
        let again = match outcome {
            Outcome::Done => None,
            Outcome::Retry(at) => Some(Instant::now() + at.since(self.groups.clock.now())),
            Outcome::Reject => {
                tracing::warn!(?receipt, "a delivery was given up");
                self.count(names::REJECTED);
                None
            }
        };
        let mut inner = self.groups.lock();
        let settled = match inner.groups.get_mut(&self.subscription.group) {
            Some(group) => group.settle(self.id, receipt, again),
            None => Settled::Stale,
        };
        match settled {
            Settled::Finished { moved: Some(position) } => {
                let Receipt { topic, partition, .. } = receipt;
                let group = &self.subscription.group;
                self.groups.records.moved(group, topic, *partition, position);
            }
            Settled::Stale => self.count(names::STALE_RECEIPTS),
            Settled::CopyLess | Settled::Finished { moved: None } | Settled::Waiting => {}
        }
        settled != Settled::Stale
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.groups.leave(&self.subscription.group, self.id);
    }
}
