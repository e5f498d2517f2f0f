//! Reading: after the cursor, again from a message that failed, and which keys are parked.

use switchboard_core::Position;
use switchboard_store::{Outgoing, Store, StoreError};
use tokio::time::Instant;

use super::{PARKED, PROBES, Turns};
use crate::parking::GROUP;
use crate::window::WINDOW;

/// What a read found, and the newest position before it.
pub(super) struct Read {
    records: Vec<Outgoing>,
    newest: Position,
}

/// Messages read at a time.
const READ: usize = 512;

// === impl Turns ===

impl Turns {
    /// Reads after the cursor when there is something new and room for it.
    pub(super) async fn read(&mut self) -> Option<(Position, Result<Read, StoreError>)> {
        let waits = self.read_again.is_some_and(|at| Instant::now() < at);
        let (cursor, newest) = (self.slots.cursor(), *self.newest.borrow_and_update());
        let is_full = self.window.len() + READ > WINDOW;
        if waits || newest <= cursor || is_full || !self.slots.any() {
            return None;
        }
        let read = self.given.store.outgoing(cursor, READ).await;
        Some((cursor, read.map(|records| Read { records, newest })))
    }

    pub(super) fn load(&mut self, read: Option<(Position, Result<Read, StoreError>)>) {
        let Some((cursor, read)) = read else { return };
        match read {
            // A slot has opened meanwhile and the cursor went back: this was read too far ahead.
            Ok(_) if self.slots.cursor() != cursor => {}
            Ok(Read { records, newest }) => {
                self.read_failures = 0;
                self.read_again = None;
                let is_end = records.len() < READ;
                for record in records {
                    self.slots.read_to(record.position);
                    self.unsure |= self.is_gap(&record);
                    if self.slots.load(record.slot, record.position) {
                        self.window.push(record);
                    }
                }
                if is_end {
                    self.slots.read_to(newest);
                }
            }
            Err(error) => {
                self.read_failures += 1;
                tracing::warn!(%error, "the relay cannot read its store; trying again");
                let wait = self.given.wait(self.read_failures);
                self.read_again = Some(Instant::now() + wait);
            }
        }
    }

    /// Whether messages before this one are missing that this relay has not read.
    pub(super) fn is_gap(&mut self, record: &Outgoing) -> bool {
        let Some(identity) = &record.envelope.identity else { return false };
        let place = (record.envelope.topic.clone(), record.slot);
        let last = self.sequences.insert(place, identity.sequence);
        last.is_none_or(|last| identity.sequence > last + 1)
    }

    /// Reads which keys are parked. False when the store is away.
    pub(super) async fn read_parked(&mut self) -> bool {
        match self.given.store.gates(Some(GROUP), PARKED).await {
            Ok(gates) => {
                self.parked = gates.into_iter().map(|gate| gate.key).collect();
                self.look_at_gates = !self.parked.is_empty();
                self.unsure = false;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read parked keys");
                self.read_again = Some(Instant::now() + self.given.wait(1));
            }
        }
        !self.unsure
    }

    /// The messages that block slots and are to be tried again now.
    pub(super) async fn probes(&mut self) -> Vec<Outgoing> {
        let now = Instant::now();
        let mut due: Vec<_> = self.slots.blocked().filter(|(_, it)| it.at <= now).collect();
        due.sort_by_key(|(_, blocked)| (blocked.at, blocked.position));
        let mut probes = Vec::new();
        for (slot, blocked) in due.into_iter().take(PROBES) {
            match find(&*self.given.store, blocked.position).await {
                Ok(Some(record)) => probes.push(record),
                // Another relay of this store has published or parked it, and deleted it.
                Ok(None) => {
                    self.slots.done(slot, blocked.position);
                    self.unsure = true;
                }
                Err(error) => {
                    tracing::warn!(%error, "the relay cannot read a failed message");
                    let wait = self.given.wait(blocked.tries);
                    self.slots.retry_at(slot, now + wait);
                }
            }
        }
        probes
    }
}

/// The message at exactly this position.
pub(super) async fn find(
    store: &dyn Store,
    position: Position,
) -> Result<Option<Outgoing>, StoreError> {
    let read = store.outgoing(Position(position.0.saturating_sub(1)), 1).await?;
    Ok(read.into_iter().find(|found| found.position == position))
}
