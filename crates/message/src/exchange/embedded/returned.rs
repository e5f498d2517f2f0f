//! What came back to a queue and waits: who came back first stands first.

use std::collections::BTreeMap;

/// Positions with their counts, in the order in which they are handed out again.
#[derive(Debug, Default)]
pub(super) struct Returned {
    /// By turn.
    line: BTreeMap<i64, (u64, u32)>,
    /// The turn of each position.
    turns: BTreeMap<u64, i64>,
}

// === impl Returned ===

impl Returned {
    /// Puts a message behind those that came back before.
    pub(super) fn push(&mut self, position: u64, count: u32) {
        let turn = self.line.last_key_value().map_or(0, |(last, _)| last + 1);
        self.insert(turn, position, count);
    }

    /// Puts a message before all of them: it stood there when it was taken.
    pub(super) fn push_front(&mut self, position: u64, count: u32) {
        let turn = self.line.first_key_value().map_or(0, |(first, _)| first - 1);
        self.insert(turn, position, count);
    }

    fn insert(&mut self, turn: i64, position: u64, count: u32) {
        self.line.insert(turn, (position, count));
        self.turns.insert(position, turn);
    }

    /// Takes the first one out.
    pub(super) fn pop(&mut self) -> Option<(u64, u32)> {
        let (_, (position, count)) = self.line.pop_first()?;
        self.turns.remove(&position);
        Some((position, count))
    }

    /// The position of the first one.
    pub(super) fn first(&self) -> Option<u64> {
        self.line.values().next().map(|(position, _)| *position)
    }

    /// Takes one out; false if it is not here.
    pub(super) fn remove(&mut self, position: u64) -> bool {
        self.turns.remove(&position).is_some_and(|turn| self.line.remove(&turn).is_some())
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// Positions and counts, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        self.line.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_come_first_out_and_what_was_taken_in_vain_before_all() {
        let mut returned = Returned::default();
        for position in [5, 2, 9] {
            returned.push(position, 1);
        }
        returned.push_front(7, 0);
        assert!(returned.remove(2) && !returned.remove(2));
        assert_eq!((returned.first(), returned.len()), (Some(7), 3));
        let order: Vec<_> = std::iter::from_fn(|| returned.pop()).collect();
        assert_eq!(order, [(7, 0), (5, 1), (9, 1)]);
    }
}
