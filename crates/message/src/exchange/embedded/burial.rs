//! The way of dead letters, and what has waited too long.
//!
//! Each queue has at most one task for this, and none while there is nothing to do: dead letters
//! leave one batch after another, so in order. A batch is one append: what is put into the other
//! queues and that it left this one are there together or not at all.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{BoxError, Name, Timestamp};

use super::hub::{Desk, Hub};
use super::item::{self, Routing};
use super::line::Chore;
use super::store::{Note, Put};
use crate::exchange::{DeadLetter, Reason};
use crate::metrics as names;

/// Half of how long dead letters wait after a first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// How long they wait at most.
const LAST_PAUSE: Duration = Duration::from_secs(60);
/// How many messages are looked at for expiry at once.
const EXPIRED_AT_ONCE: usize = 256;

// === impl Hub ===

impl Hub {
    /// Sees to it that somebody does this queue's chores. Without a runtime they wait for the next
    /// call.
    pub(super) fn tend(&self, desk: &Arc<Desk>) {
        let mut line = desk.line.lock();
        if line.tended {
            if line.is_urgent() {
                desk.bell.notify_one();
            }
            return;
        }
        if !line.has_chores() || self.is_closed() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            line.tended = true;
            drop(line);
            runtime.spawn(tend(self.me.clone(), Arc::clone(desk)));
        }
    }

    /// Dead-letters whatever waits for it, for a broker that is about to close.
    pub async fn bury_all(&self) {
        for desk in &self.book().desks {
            loop {
                let chore = desk.line.lock().chore();
                let Chore::Bury(list) = chore else { break };
                if let Err(error) = self.bury(desk, &list).await {
                    let (queue, error) = (&desk.queue.name, switchboard_core::chain(&*error));
                    tracing::warn!(%queue, error, "dead letters were not moved");
                    desk.line.lock().not_buried();
                    break;
                }
            }
        }
        let _landed = self.moving.write().await;
    }

    /// Moves messages to where their queue's dead letters go.
    async fn bury(&self, desk: &Desk, list: &[(u64, Reason)]) -> Result<(), BoxError> {
        let _moving = self.moving.read().await;
        let most = self.store.limits().batch_bytes;
        let mut rest = list;
        while !rest.is_empty() {
            let (mut puts, mut bytes, mut count) = (Vec::new(), 0, 0);
            for (position, reason) in rest {
                let more = self.copies(desk, *position, *reason)?;
                let size: usize = more.iter().map(|put| put.bytes.len()).sum();
                if count > 0 && bytes + size > most {
                    break;
                }
                bytes += size;
                count += 1;
                puts.extend(more);
            }
            let (part, later) = rest.split_at(count);
            self.bury_part(desk, part, puts).await?;
            rest = later;
        }
        Ok(())
    }

    async fn bury_part(
        &self,
        desk: &Desk,
        part: &[(u64, Reason)],
        puts: Vec<Put>,
    ) -> Result<(), BoxError> {
        let handed = desk.line.lock().cursor();
        let mut note = Note { queue: desk.number, handed, ..Note::default() };
        for (position, _) in part {
            note.merge(Note::settled(desk.number, handed, *position));
        }
        if puts.is_empty() {
            desk.line.lock().buried(part.iter().map(|(position, _)| *position));
            self.store.note(note);
        } else {
            self.put(&self.book(), puts, vec![note]).await?;
            desk.line.lock().buried(part.iter().map(|(position, _)| *position));
        }
        for (_, reason) in part {
            let (queue, reason) = (desk.queue.name.to_string(), reason.as_str());
            metrics::counter!(names::DEAD_LETTERED, "queue" => queue, "reason" => reason)
                .increment(1);
        }
        Ok(())
    }

    /// What a dead message becomes, in each queue that gets it.
    fn copies(&self, desk: &Desk, position: u64, reason: Reason) -> Result<Vec<Put>, BoxError> {
        let queue = &desk.queue;
        let Some(DeadLetter { exchange, routing_key }) = &queue.dead_letter else {
            tracing::debug!(queue = %queue.name, reason = reason.as_str(), "a message was dropped");
            return Ok(Vec::new());
        };
        let stored = self.store.read(desk.number, position - 1, 1)?;
        let stored = stored.first().filter(|stored| stored.position == position);
        let stored = stored.ok_or_else(|| format!("`{}` has lost {position}", queue.name))?;
        let (mut routing, message) = item::decode(&stored.bytes);
        routing.die(&queue.name, reason);
        let key = routing_key.as_ref().unwrap_or(&routing.routing_key).clone();
        let headers = message.map(|envelope| envelope.headers).unwrap_or_default();
        let book = self.book();
        let mut targets = book.routes.route(exchange, &key, &headers);
        if reason != Reason::Rejected {
            let circles = |number: &usize| {
                book.desks.get(*number).is_some_and(|to| routing.circles_to(&to.queue.name))
            };
            targets.retain(|number| !circles(number));
        }
        if targets.is_empty() {
            tracing::warn!(queue = %queue.name, %exchange, %key, "no queue took a dead letter");
        }
        let (_, envelope) = item::split(&stored.bytes);
        let bytes = Routing { exchange: Name::clone(exchange), routing_key: key, ..routing }
            .encode(envelope);
        Ok(targets.into_iter().map(|queue| Put { queue, bytes: bytes.clone() }).collect())
    }

    /// Dooms what has expired at the head, and says when the next will have.
    fn expire(&self, desk: &Desk, head: u64) -> Result<Option<Timestamp>, BoxError> {
        let now = self.clock.now();
        let read = self.store.read(desk.number, head - 1, EXPIRED_AT_ONCE)?;
        if read.is_empty() {
            return Err(format!("`{}` has lost {head}", desk.queue.name).into());
        }
        for stored in read {
            let mut line = desk.line.lock();
            // Between the head and the next that waits may lie what is in somebody's hands, and
            // what came back need not stand as it first came.
            if line.head() != Some(stored.position) {
                return Ok(None);
            }
            if !desk.is_expired(stored.time, now) {
                line.watched = Some(stored.position);
                return Ok(desk.queue.ttl.map(|ttl| stored.time.plus(ttl)));
            }
            line.doom(stored.position, Reason::Expired);
        }
        Ok(None)
    }
}

/// Does a queue's chores until there are none. Does not keep the broker open while it waits.
async fn tend(hub: std::sync::Weak<Hub>, desk: Arc<Desk>) {
    let mut patience = FIRST_PAUSE;
    loop {
        let Some(strong) = hub.upgrade() else { return };
        let chore = {
            let mut line = desk.line.lock();
            let chore = if strong.is_closed() { Chore::None } else { line.chore() };
            if chore == Chore::None {
                line.tended = false;
                return;
            }
            chore
        };
        let outcome = match chore {
            Chore::Bury(list) => strong.bury(&desk, &list).await.map(|()| None),
            Chore::Expire(head) => strong.expire(&desk, head),
            Chore::None => return,
        };
        let left =
            outcome.as_ref().ok().copied().flatten().map(|due| due.since(strong.clock.now()));
        drop(strong);
        let pause = match (outcome, left) {
            (Ok(_), None) => {
                patience = FIRST_PAUSE;
                continue;
            }
            (Ok(_), Some(left)) => left.max(Duration::from_millis(1)),
            (Err(error), _) => {
                let (queue, error) = (&desk.queue.name, switchboard_core::chain(&*error));
                tracing::warn!(%queue, error, "dead letters have to wait");
                desk.line.lock().not_buried();
                patience = (patience * 2).min(LAST_PAUSE);
                patience
            }
        };
        let _either = tokio::time::timeout(pause, desk.bell.notified()).await;
    }
}

// === impl Desk ===

impl Desk {
    pub(super) fn is_expired(&self, came: Timestamp, now: Timestamp) -> bool {
        self.queue.ttl.is_some_and(|ttl| came.plus(ttl) <= now)
    }
}
