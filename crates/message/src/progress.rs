//! Which positions are done when they finish out of order: committing the highest one would lose those below it.

use std::collections::BTreeSet;

use switchboard_core::Position;

/// Tracks a partition: hands in what was started, takes what is done, knows the highest position
/// below which everything is done.
///
/// ```
/// use switchboard_core::Position;
/// use switchboard_message::Contiguous;
///
/// let mut progress = Contiguous::after(Position(10));
/// for position in [11, 12, 14] { progress.start(Position(position)); }
/// progress.finish(Position(12));
/// assert_eq!(progress.done(), Position(10));
/// progress.finish(Position(11));
/// assert_eq!(progress.done(), Position(13)); // 13 does not exist here: compacted, or a mark of another writer
/// progress.finish(Position(14));
/// assert_eq!(progress.done(), Position(14));
/// ```
#[derive(Clone, Debug)]
pub struct Contiguous {
    outstanding: BTreeSet<u64>,
    /// The highest position that was started.
    started: u64,
    done: u64,
}

impl Contiguous {
    /// Nothing outstanding, everything up to `position` done.
    pub fn after(position: Position) -> Self {
        Self { outstanding: BTreeSet::new(), started: position.0, done: position.0 }
    }

    /// A record was handed out. Positions are handed out in rising order.
    pub fn start(&mut self, position: Position) {
        debug_assert!(position.0 > self.started, "positions start in rising order");
        self.started = self.started.max(position.0);
        self.outstanding.insert(position.0);
    }

    /// A record is done. Returns false when it was not outstanding.
    pub fn finish(&mut self, position: Position) -> bool {
        let was_outstanding = self.outstanding.remove(&position.0);
        self.done = match self.outstanding.first() {
            Some(oldest) => self.done.max(oldest - 1),
            None => self.started,
        };
        was_outstanding
    }

    /// The highest position below or at which everything is done.
    pub fn done(&self) -> Position {
        Position(self.done)
    }

    /// What [`Contiguous::done`] would be if this outstanding position were done too.
    pub fn done_with(&self, position: Position) -> Position {
        let mut others = self.outstanding.iter().filter(|other| **other != position.0);
        match others.next() {
            Some(oldest) => Position(self.done.max(oldest - 1)),
            None => Position(self.started),
        }
    }

    /// How many are handed out and not done.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }
}
