//! Which slots this relay publishes: all of them, or the ranges whose leases it holds.

use std::ops::RangeInclusive;
use std::sync::Arc;

use switchboard_core::Slot;
use switchboard_store::leases::{Held, Keeper};
use switchboard_store::{CommitError, Expect, Lease};
use tokio::sync::watch;

use crate::planted::Planted;

/// Into how many leases the 256 slots are divided: enough for eight relays to have even shares.
pub(crate) const COUNT: usize = 16;
/// Slots of one range.
const SLOTS: usize = Slot::COUNT as usize / COUNT;

/// The ranges of one relay.
pub(crate) struct Ranges {
    shared: Option<Shared>,
}

struct Shared {
    keeper: Arc<Keeper>,
    held: watch::Receiver<Held>,
    planted: Planted,
    /// The leases under which this relay publishes now. They follow `held` between two turns.
    mine: Vec<Option<Lease>>,
}

/// How a relay's ranges have changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Another relay has them: what is known of them is void.
    pub(crate) lost: Vec<usize>,
    /// Another relay should have them: they are to be given up in good order.
    pub(crate) leaving: Vec<(usize, Lease)>,
    /// They are this relay's from now on.
    pub(crate) gained: Vec<(usize, Lease)>,
}

// === impl Ranges ===

impl Ranges {
    /// All slots if there is no keeper, otherwise none as yet.
    pub(crate) fn new(keeper: Option<Arc<Keeper>>, planted: Planted) -> Self {
        let shared = keeper.map(|keeper| {
            let mut held = keeper.held();
            // What is held from before counts as a change.
            held.mark_changed();
            Shared { keeper, held, planted, mine: vec![None; COUNT] }
        });
        Self { shared }
    }

    /// Whether other relays publish from this store too.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Whether this relay publishes this slot.
    pub(crate) fn owns(&self, slot: Slot) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.mine[range_of(slot)].is_some())
    }

    /// The conditions of a unit about these slots: their leases are still this relay's.
    pub(crate) fn fences(&self, slots: impl IntoIterator<Item = Slot>) -> Vec<Expect> {
        if self.shared.as_ref().is_some_and(|shared| shared.planted == Planted::Unfenced) {
            return Vec::new();
        }
        self.leases(slots).iter().map(Lease::fence).collect()
    }

    /// A unit about these slots conflicted, which only its fences can do: finds out which leases
    /// are lost.
    pub(crate) async fn refused(&self, slots: impl IntoIterator<Item = Slot>) {
        if let Some(shared) = &self.shared {
            for lease in self.leases(slots) {
                shared.keeper.still(&lease).await;
            }
        }
    }

    /// What has changed since the last call, in the order in which it is to be dealt with.
    pub(crate) fn changes(&mut self) -> Option<Changes> {
        let shared = self.shared.as_mut()?;
        if !shared.held.has_changed().unwrap_or(false) {
            return None;
        }
        let held = Arc::clone(&shared.held.borrow_and_update());
        let mut changes = Changes::default();
        for (range, (mine, held)) in shared.mine.iter_mut().zip(held.iter()).enumerate() {
            let now = held.as_ref().map(|holding| &holding.lease);
            if mine.is_some() && mine.as_ref() != now {
                *mine = None;
                changes.lost.push(range);
            }
            match held {
                Some(holding) if holding.leaving => {
                    changes.leaving.push((range, holding.lease.clone()));
                }
                Some(holding) if mine.is_none() => {
                    changes.gained.push((range, holding.lease.clone()));
                }
                _ => {}
            }
        }
        Some(changes)
    }

    /// Deals with the last changes once more: they could not be dealt with.
    pub(crate) fn again(&mut self) {
        if let Some(shared) = &mut self.shared {
            shared.held.mark_changed();
        }
    }

    /// The range is this relay's: it knows where its slots stand.
    pub(crate) fn take(&mut self, range: usize, lease: Lease) {
        if let Some(shared) = &mut self.shared {
            shared.mine[range] = Some(lease);
        }
    }

    /// Gives leases up. The relay must not know their slots any more.
    pub(crate) async fn give_up(
        &mut self,
        leaving: Vec<(usize, Lease)>,
    ) -> Result<(), CommitError> {
        let Some(shared) = &mut self.shared else { return Ok(()) };
        let mut leases = Vec::with_capacity(leaving.len());
        for (range, lease) in leaving {
            shared.mine[range] = None;
            leases.push(lease);
        }
        shared.keeper.release(&leases).await
    }

    /// Gives up everything for good.
    pub(crate) async fn leave(&self) -> Result<(), CommitError> {
        match &self.shared {
            Some(shared) => shared.keeper.leave().await,
            None => Ok(()),
        }
    }

    /// Waits for the next change; for ever when there cannot be any.
    pub(crate) async fn changed(&mut self) {
        match &mut self.shared {
            // The keeper is held, so its sender lives. `changes` has to see it as new.
            Some(shared) => {
                let _ = shared.held.changed().await;
                shared.held.mark_changed();
            }
            None => std::future::pending().await,
        }
    }

    fn leases(&self, slots: impl IntoIterator<Item = Slot>) -> Vec<Lease> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let mut ranges: Vec<usize> = slots.into_iter().map(range_of).collect();
        ranges.sort_unstable();
        ranges.dedup();
        ranges.into_iter().filter_map(|range| shared.mine[range].clone()).collect()
    }
}

/// The slots of a range.
pub(crate) fn slots_of(range: usize) -> impl Iterator<Item = Slot> {
    let slots: RangeInclusive<usize> = range * SLOTS..=(range + 1) * SLOTS - 1;
    slots.filter_map(|slot| u8::try_from(slot).ok().map(Slot))
}

fn range_of(slot: Slot) -> usize {
    usize::from(slot.0) / SLOTS
}
