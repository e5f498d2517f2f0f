//! One partition as one group sees it: who holds it, what is handed out, what is done.

use std::collections::{BTreeMap, BTreeSet};

use switchboard_core::Position;
use tokio::time::Instant;

use crate::Contiguous;

/// A partition in a group.
#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) holder: Option<u64>,
    /// Rises with every assignment, so that late receipts are recognised.
    pub(super) generation: u64,
    /// The newest record there is, as far as this group was told.
    pub(super) end: Position,
    /// What the broker keeps of the group's progress; `None` when it never had any.
    pub(super) kept: Option<Position>,
    /// Present while the holder has been told that it holds the partition.
    pub(super) flow: Option<Flow>,
    /// How often records were handed out that an ended assignment left unsettled.
    tried: BTreeMap<u64, u32>,
}

/// The traffic of one assignment.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) epoch: u64,
    /// The last position handed out.
    pub(super) cursor: Position,
    progress: Contiguous,
    unsettled: BTreeMap<u64, Unsettled>,
    /// Positions that are to be delivered again, soonest first.
    waiting: BTreeSet<(Instant, u64)>,
}

#[derive(Debug)]
struct Unsettled {
    /// How often it was handed out before this time.
    redelivered: u32,
    /// Copies that the holder has in hand; 0 while it waits to be delivered again.
    copies: usize,
}

/// What settling changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Nothing: it was not in hand.
    Stale,
    /// One copy of several is settled.
    CopyLess,
    /// The record is done; the group has moved on if this was the oldest one outstanding.
    Finished {
        /// Where to.
        moved: Option<Position>,
    },
    /// It keeps its place in the budget until it is delivered again.
    Waiting,
}

// === impl Partition ===

impl Partition {
    /// Held by nobody, with what the broker keeps of the group's progress.
    pub(super) fn kept_at(kept: Option<Position>) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Ends the present assignment. Returns its traffic, if the holder had been told of it.
    pub(super) fn revoke(&mut self) -> Option<Flow> {
        self.holder = None;
        self.generation += 1;
        let flow = self.flow.take()?;
        let tried = |(position, entry): (&u64, &Unsettled)| (*position, entry.redelivered + 1);
        self.tried = flow.unsettled.iter().map(tried).collect();
        Some(flow)
    }

    /// Begins the traffic of an assignment after this position.
    pub(super) fn begin(&mut self, epoch: u64, after: Position, end: Position) {
        self.end = self.end.max(end);
        self.kept = Some(after);
        self.tried.retain(|position, _| *position > after.0);
        self.flow = Some(Flow {
            epoch,
            cursor: after,
            progress: Contiguous::after(after),
            unsettled: BTreeMap::new(),
            waiting: BTreeSet::new(),
        });
    }

    /// Notes that this many copies of a record are handed out. Returns how often that happened
    /// before, and how many more places of the budget it takes.
    pub(super) fn hand_out(&mut self, position: Position, copies: usize) -> (u32, usize) {
        let Some(flow) = &mut self.flow else { return (0, 0) };
        let repeats = u32::try_from(copies).unwrap_or(u32::MAX) - 1;
        if let Some(entry) = flow.unsettled.get_mut(&position.0) {
            flow.waiting.retain(|(_, waiting)| *waiting != position.0);
            let redelivered = entry.redelivered + 1;
            entry.redelivered = redelivered + repeats;
            entry.copies = copies;
            return (redelivered, copies - 1);
        }
        let redelivered = self.tried.remove(&position.0).unwrap_or(0);
        flow.progress.start(position);
        flow.cursor = position;
        let entry = Unsettled { redelivered: redelivered + repeats, copies };
        flow.unsettled.insert(position.0, entry);
        (redelivered, copies)
    }

    /// One copy is dealt with.
    pub(super) fn finish(&mut self, position: Position) -> Settled {
        let Some(flow) = &mut self.flow else { return Settled::Stale };
        if let Some(early) = flow.put_down(position) {
            return early;
        }
        flow.unsettled.remove(&position.0);
        let before = flow.progress.done();
        flow.progress.finish(position);
        let done = flow.progress.done();
        self.kept = Some(done);
        Settled::Finished { moved: (done > before).then_some(done) }
    }

    /// It is to be delivered again, not before `due`.
    pub(super) fn postpone(&mut self, position: Position, due: Instant) -> Settled {
        let Some(flow) = &mut self.flow else { return Settled::Stale };
        if let Some(early) = flow.put_down(position) {
            return early;
        }
        flow.waiting.insert((due, position.0));
        Settled::Waiting
    }
}

// === impl Flow ===

impl Flow {
    /// Places of the budget that are taken: a record that waits keeps the one it had.
    pub(super) fn in_flight(&self) -> usize {
        self.unsettled.values().map(|entry| entry.copies.max(1)).sum()
    }

    /// The highest position below which everything is done.
    pub(super) fn done(&self) -> Position {
        self.progress.done()
    }

    /// Records that are to be delivered again, soonest first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (Instant, Position)> {
        self.waiting.iter().map(|(due, position)| (*due, Position(*position)))
    }

    /// Takes one copy out of the holder's hand. The last one is left to the caller (`None`).
    fn put_down(&mut self, position: Position) -> Option<Settled> {
        let entry = self.unsettled.get_mut(&position.0).filter(|entry| entry.copies > 0);
        let Some(entry) = entry else { return Some(Settled::Stale) };
        entry.copies -= 1;
        (entry.copies > 0).then_some(Settled::CopyLess)
    }
}
