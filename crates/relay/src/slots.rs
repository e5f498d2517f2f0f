//! How far each of the 256 slots has come, as pure bookkeeping.
//!
//! ```text
//!          floor              loaded          cursor
//!   ─────────┼──────────────────┼───────────────┼──────▶ positions of the store's log
//!    done    │ pending, some    │ nothing of    │ not read yet
//!            │ done among them  │ this slot     │
//! ```
//!
//! A slot that another relay publishes is passed over. A blocked slot is not loaded any further. When it opens, the cursor goes back to the failed message, and what other slots have
//! loaded already is passed over.

use std::collections::BTreeSet;

use switchboard_core::{Position, Slot};
use switchboard_store::Checkpoint;
use tokio::time::Instant;

/// All slots of a store.
#[derive(Debug)]
pub(crate) struct Slots {
    all: Vec<State>,
    /// Everything up to here was read, except for slots that are blocked.
    cursor: Position,
    /// How many slots are this relay's.
    owned: usize,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Whether it is this relay's.
    owned: bool,
    /// The checkpoint that the store has.
    stored: u64,
    /// Whether something was done since the checkpoint was stored.
    touched: bool,
    /// The newest position that was taken up or passed over.
    loaded: u64,
    /// Taken up and not done.
    pending: BTreeSet<u64>,
    /// Done, above one that is not.
    above: BTreeSet<u64>,
    blocked: Option<Blocked>,
}

/// A slot that waits behind a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Blocked {
    /// The first message that is not done.
    pub(crate) position: Position,
    /// How often the slot failed in a row.
    pub(crate) tries: u32,
    /// When the message is tried again.
    pub(crate) at: Instant,
}

// === impl Slots ===

impl Slots {
    /// None of them is this relay's.
    pub(crate) fn none() -> Self {
        let all = vec![State::default(); Slot::COUNT as usize];
        Self { all, cursor: Position::START, owned: 0 }
    }

    /// All of them continue at the stored checkpoints. A slot without one begins at the start.
    pub(crate) fn at(checkpoints: &[Checkpoint]) -> Self {
        let mut slots = Self::none();
        slots.gain((0..=u8::MAX).map(Slot), checkpoints);
        slots
    }

    /// These continue at the stored checkpoints, whatever was known of them.
    pub(crate) fn gain(
        &mut self,
        gained: impl IntoIterator<Item = Slot>,
        checkpoints: &[Checkpoint],
    ) {
        let is_first = self.owned == 0;
        let mut lowest = u64::MAX;
        for slot in gained {
            self.lose(slot);
            let stored = checkpoints.iter().find(|checkpoint| checkpoint.slot == slot);
            let stored = stored.map_or(0, |checkpoint| checkpoint.position.0);
            *self.state(slot) = State { owned: true, stored, loaded: stored, ..State::default() };
            self.owned += 1;
            lowest = lowest.min(stored);
        }
        if is_first || lowest < self.cursor.0 {
            self.cursor = Position(lowest);
        }
    }

    /// The slot is another relay's: nothing is known of it any more.
    pub(crate) fn lose(&mut self, slot: Slot) {
        let state = std::mem::take(self.state(slot));
        self.owned -= usize::from(state.owned);
    }

    /// Whether any slot is this relay's.
    pub(crate) fn any(&self) -> bool {
        self.owned > 0
    }

    /// After which position to read on.
    pub(crate) fn cursor(&self) -> Position {
        self.cursor
    }

    /// Everything up to this position was read and handed to [`Slots::load`].
    pub(crate) fn read_to(&mut self, position: Position) {
        self.cursor = self.cursor.max(position);
    }

    /// A message was read. True when it is to be published now.
    pub(crate) fn load(&mut self, slot: Slot, position: Position) -> bool {
        let state = self.state(slot);
        if !state.owned || position.0 <= state.loaded || state.blocked.is_some() {
            return false;
        }
        state.loaded = position.0;
        !state.above.remove(&position.0) && state.pending.insert(position.0)
    }

    /// A message is on the broker, or somebody has custody of it. If it is the one that blocked
    /// its slot, the slot opens and is read again from there.
    pub(crate) fn done(&mut self, slot: Slot, position: Position) {
        let state = self.state(slot);
        if !state.owned {
            return;
        }
        state.touched = true;
        if state.blocked.is_some_and(|blocked| blocked.position == position) {
            state.blocked = None;
            state.loaded = position.0;
            self.cursor = self.cursor.min(position);
            return;
        }
        state.pending.remove(&position.0);
        let first_open = match state.blocked {
            Some(blocked) => Some(blocked.position.0),
            None => state.pending.first().copied(),
        };
        match first_open {
            Some(first) if position.0 > first => {
                state.above.insert(position.0);
            }
            Some(first) => state.above = state.above.split_off(&first),
            None => state.above.clear(),
        }
    }

    /// A message failed: what was taken up of its slot is forgotten, and nothing more is taken up
    /// until the slot opens. Returns how often the slot has failed in a row.
    pub(crate) fn block(&mut self, slot: Slot, position: Position) -> u32 {
        let now = Instant::now();
        let state = self.state(slot);
        match &mut state.blocked {
            Some(blocked) if blocked.position == position => blocked.tries += 1,
            // Another message of the same batch failed before it and stands for both.
            Some(_) => {}
            None if !state.owned => {}
            None => {
                let first = state.pending.first().copied().unwrap_or(position.0);
                let first = first.min(position.0);
                state.pending.clear();
                state.loaded = first.saturating_sub(1);
                state.blocked = Some(Blocked { position: Position(first), tries: 1, at: now });
            }
        }
        state.blocked.map_or(0, |blocked| blocked.tries)
    }

    /// When the message that blocks a slot is tried again.
    pub(crate) fn retry_at(&mut self, slot: Slot, at: Instant) {
        if let Some(blocked) = &mut self.state(slot).blocked {
            blocked.at = at;
        }
    }

    /// Something was published: everything that is blocked deserves a try at once.
    pub(crate) fn retry_all(&mut self, now: Instant) {
        for blocked in self.all.iter_mut().filter_map(|state| state.blocked.as_mut()) {
            blocked.at = blocked.at.min(now);
        }
    }

    /// What blocks a slot.
    pub(crate) fn blocked_at(&self, slot: Slot) -> Option<Blocked> {
        self.all[usize::from(slot.0)].blocked
    }

    /// All slots that are blocked.
    pub(crate) fn blocked(&self) -> impl Iterator<Item = (Slot, Blocked)> {
        let slots = (0..=u8::MAX).map(Slot).zip(&self.all);
        slots.filter_map(|(slot, state)| Some((slot, state.blocked?)))
    }

    /// The checkpoint of a slot if this message of it were done too.
    pub(crate) fn floor_with(&self, slot: Slot, position: Position) -> Position {
        let state = &self.all[usize::from(slot.0)];
        match state.blocked {
            Some(blocked) if blocked.position == position => position,
            Some(_) => state.floor(self.cursor),
            None => {
                let others = state.pending.iter().find(|other| **other != position.0);
                let passed = || state.loaded.max(self.cursor.0);
                Position(others.map_or_else(passed, |first| first.saturating_sub(1)))
            }
        }
    }

    /// Checkpoints that have moved since they were stored; from now on they count as stored.
    /// With `all`, those of slots without traffic too, so that the next start reads less.
    pub(crate) fn moved(&mut self, all: bool) -> Vec<(Slot, Position)> {
        self.moved_of(all, |_| true)
    }

    /// The same of some slots only.
    pub(crate) fn moved_of(
        &mut self,
        all: bool,
        wanted: impl Fn(Slot) -> bool,
    ) -> Vec<(Slot, Position)> {
        let cursor = self.cursor;
        let mut moved = Vec::new();
        for (number, state) in (0..=u8::MAX).zip(&mut self.all) {
            if !state.owned || !wanted(Slot(number)) {
                continue;
            }
            let floor = state.floor(cursor);
            if (state.touched || all) && floor.0 > state.stored {
                state.stored = floor.0;
                moved.push((Slot(number), floor));
            }
            state.touched = false;
        }
        moved
    }

    /// These checkpoints were not stored after all.
    pub(crate) fn not_stored(&mut self, checkpoints: &[(Slot, Position)]) {
        for (slot, _) in checkpoints {
            let state = self.state(*slot);
            state.stored = 0;
            state.touched = state.owned;
        }
    }

    fn state(&mut self, slot: Slot) -> &mut State {
        &mut self.all[usize::from(slot.0)]
    }
}

// === impl State ===

impl State {
    fn floor(&self, cursor: Position) -> Position {
        let open = match self.blocked {
            Some(blocked) => Some(blocked.position.0),
            None => self.pending.first().copied(),
        };
        Position(open.map_or(self.loaded.max(cursor.0), |first| first.saturating_sub(1)))
    }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
