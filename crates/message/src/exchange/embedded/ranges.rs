//! A set of positions that is mostly whole stretches: what is settled in a queue.

use std::collections::BTreeMap;

/// Disjoint stretches of positions, none next to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

// === impl Ranges ===

impl Ranges {
    /// Adds all positions from `first` to `last`.
    pub(super) fn insert(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last);
        if first > last {
            return;
        }
        while let Some((&start, &end)) = self.0.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            self.0.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.0.insert(first, last);
    }

    /// The last position of the stretch that holds this one.
    pub(super) fn stretch_end(&self, position: u64) -> Option<u64> {
        let (_, &end) = self.0.range(..=position).next_back()?;
        (end >= position).then_some(end)
    }

    /// The position up to which everything from 1 on is in the set; 0 when 1 is not.
    pub(super) fn floor(&self) -> u64 {
        self.stretch_end(1).unwrap_or(0)
    }

    /// How many positions above this one are in the set.
    pub(super) fn count_above(&self, position: u64) -> u64 {
        let above = self.0.iter().rev().take_while(|(_, end)| **end > position);
        above.map(|(start, end)| end - (*start).max(position + 1) + 1).sum()
    }

    /// The positions up to `last` that are not in the set.
    pub(super) fn gaps_to(&self, last: u64) -> Vec<u64> {
        let mut gaps = Vec::new();
        let mut next = 1;
        for (&start, &end) in self.0.range(..=last) {
            gaps.extend(next..start);
            next = end + 1;
        }
        gaps.extend(next..=last);
        gaps
    }

    pub(super) fn to_vec(&self) -> Vec<(u64, u64)> {
        self.0.iter().map(|(start, end)| (*start, *end)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use switchboard_core::Rng;

    use super::*;

    #[test]
    fn ranges_are_a_set() {
        for seed in 0..200 {
            let mut rng = Rng::from_seed(seed);
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for _ in 0..30 {
                let first = 1 + rng.below(40);
                let last = first + rng.below(4);
                ranges.insert(first, last);
                model.extend(first..=last);
                let listed: BTreeSet<u64> =
                    ranges.to_vec().into_iter().flat_map(|(a, b)| a..=b).collect();
                assert_eq!(listed, model, "seed {seed}");
                let apart = ranges.to_vec().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0);
                assert!(apart, "seed {seed}: {ranges:?}");
                for position in 0..46 {
                    let above = model.range(position + 1..).count() as u64;
                    assert_eq!(ranges.count_above(position), above, "seed {seed}");
                    let held = position > 0 && ranges.stretch_end(position).is_some();
                    assert_eq!(held, model.contains(&position), "seed {seed}");
                }
                let gaps: Vec<u64> = (1..=20).filter(|p| !model.contains(p)).collect();
                assert_eq!(ranges.gaps_to(20), gaps, "seed {seed}");
                let floor = (1..).take_while(|p| model.contains(p)).last().unwrap_or(0);
                assert_eq!(ranges.floor(), floor, "seed {seed}");
            }
        }
    }
}
