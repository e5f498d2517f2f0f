//! What came back to a queue and waits: who came back first stands first.

use std::collections::BTreeMap;

/// Positions with their counts, in the order in which they are handed out again.
#[derive(Debug, Default)]
pub(super) struct Returned {
    /// By turn.
    line: BTreeMap<u64, (u64, u32)>,
    /// The turn of each position.
    turns: BTreeMap<u64, u64>,
    /// The last turn that was given. Never given twice, so that whoever is put back stands where it
    /// stood.
    last: u64,
}

// === impl Returned ===

impl Returned {
    /// Puts a message behind those that came back before.
    pub(super) fn push(&mut self, position: u64, count: u32) {
        self.last += 1;
        self.put_back(self.last, position, count);
    }

    /// Puts a message where it stood before it was taken out.
    pub(super) fn put_back(&mut self, turn: u64, position: u64, count: u32) {
        self.line.insert(turn, (position, count));
        self.turns.insert(position, turn);
    }

    /// Takes the first one out: its turn, position and count.
    pub(super) fn pop(&mut self) -> Option<(u64, u64, u32)> {
        let (turn, (position, count)) = self.line.pop_first()?;
        self.turns.remove(&position);
        Some((turn, position, count))
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
    fn first_come_first_out_and_whoever_is_put_back_keeps_its_place() {
        let mut returned = Returned::default();
        for position in [5, 2, 9] {
            returned.push(position, 1);
        }
        let (turn, position, count) = returned.pop().unwrap();
        assert_eq!((position, count), (5, 1));
        returned.push(7, 1);
        returned.put_back(turn, position, count);
        assert!(returned.remove(2) && !returned.remove(2));
        assert_eq!((returned.first(), returned.len()), (Some(5), 3));
        let order: Vec<_> = std::iter::from_fn(|| returned.pop()).map(|(_, at, _)| at).collect();
        assert_eq!(order, [5, 9, 7]);
        returned.push(1, 1);
        assert!(returned.pop().unwrap().0 > turn, "no turn is given twice");
    }
}
