//! Following the leases, between two turns: give up in good order, forget what is lost, begin what is gained.

use std::time::Duration;

use switchboard_core::Slot;
use switchboard_store::{CommitError, Lease};
use tokio::time::Instant;

use super::Turns;
use super::books::{advance, store_checkpoints};
use crate::Error;
use crate::ranges::{Changes, slots_of};

/// The wait when the store did not let the leases be followed.
const OUTAGE: Duration = Duration::from_millis(250);

// === impl Turns ===

impl Turns {
    /// Does what the leases say. Nothing is on its way to the broker now.
    pub(super) async fn follow_leases(&mut self) -> Result<(), Error> {
        if self.follow_again.is_some_and(|at| at <= Instant::now()) {
            self.follow_again = None;
            self.ranges.again();
        }
        let Some(Changes { lost, leaving, gained }) = self.ranges.changes() else { return Ok(()) };
        for range in lost {
            self.forget(range);
        }
        let mut is_done = true;
        if !leaving.is_empty() {
            is_done &= self.hand_over(leaving).await?;
        }
        if !gained.is_empty() {
            is_done &= self.begin_at_checkpoints(gained).await;
        }
        if !is_done {
            self.follow_again = Some(Instant::now() + OUTAGE);
        }
        Ok(())
    }

    /// Stores how far the ranges have come, then lets go of them: whoever takes them begins there.
    async fn hand_over(&mut self, leaving: Vec<(usize, Lease)>) -> Result<bool, Error> {
        if let Some(books) = advance(&mut self.bookkeeping).await {
            self.note(books).await?;
        }
        let is_leaving = |slot: Slot| leaving.iter().any(|(range, _)| covers(*range, slot));
        let checkpoints = self.slots.moved_of(true, is_leaving);
        let fences = self.ranges.fences(checkpoints.iter().map(|(slot, _)| *slot));
        let store = &*self.given.store;
        match store_checkpoints(store, checkpoints.clone(), fences, false).await {
            Ok(()) => {}
            Err(CommitError::Conflict(_)) => {
                self.ranges.refused(checkpoints.iter().map(|(slot, _)| *slot)).await;
                self.slots.not_stored(&checkpoints);
                return Ok(false);
            }
            Err(error @ CommitError::Unknown(_)) => return Err(Error::StoreLost(error.into())),
            Err(error) => {
                tracing::warn!(%error, "slots are not handed over yet");
                self.slots.not_stored(&checkpoints);
                return Ok(false);
            }
        }
        for (range, _) in &leaving {
            self.forget(*range);
        }
        match self.ranges.give_up(leaving).await {
            Err(error @ CommitError::Unknown(_)) => Err(Error::StoreLost(error.into())),
            // Whoever waits for them waits until they expire.
            _ => Ok(true),
        }
    }

    /// Begins where the last holder stood. False when the store is away.
    async fn begin_at_checkpoints(&mut self, gained: Vec<(usize, Lease)>) -> bool {
        let checkpoints = match self.given.store.checkpoints().await {
            Ok(checkpoints) => checkpoints,
            Err(error) => {
                tracing::warn!(%error, "cannot read where the slots stand");
                return false;
            }
        };
        for (range, lease) in gained {
            self.slots.gain(slots_of(range), &checkpoints);
            self.ranges.take(range, lease);
        }
        // Keys that the last holder parked: whoever parks a key moves its checkpoint too, so
        // reading them after the checkpoints misses none.
        self.unsure = true;
        true
    }

    fn forget(&mut self, range: usize) {
        for slot in slots_of(range) {
            self.slots.lose(slot);
            self.window.forget(slot);
        }
    }
}

fn covers(range: usize, slot: Slot) -> bool {
    slots_of(range).any(|other| other == slot)
}
