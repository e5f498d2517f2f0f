//! Exactly the last N results, without a lock.
//!
//! A result takes the next place of the ring in one step and swaps what was there for itself; only if the two differ do the sums change.
//! So a healthy dependency costs one contended step a call, and the window slides by construction (trap 8). Places and sums carry their
//! generation. Between a swap and its sum another thread can be faster, so the sums are kept with a bias and may for an instant be off by
//! the calls in between; they are exact as soon as nobody is in between.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{Figures, Mark};

/// The last results.
#[derive(Debug)]
pub(crate) struct Ring {
    /// The generation, and how many results it had; from twice the length on, that goes back to
    /// once the length, which is the same place.
    next: AtomicU64,
    /// The generation, and how many failures and slow calls the places hold, each plus [`BIAS`].
    sums: AtomicU64,
    /// Per place: the generation, whether a failure, whether slow.
    places: Box<[AtomicU32]>,
}

/// The longest ring.
pub(crate) const LENGTH_MAX: u32 = 1 << 16;

/// Bits of the position beside the generation: twice the longest ring.
const NEXT_BITS: u32 = 18;
const NEXT_MASK: u64 = (1 << NEXT_BITS) - 1;
/// Bits of each sum: the longest ring, and the bias.
const SUM_BITS: u32 = 18;
const SUM_MASK: u64 = (1 << SUM_BITS) - 1;
const BIAS: u64 = 1 << 16;
const SUM_GENERATION_MASK: u64 = (1 << (64 - 2 * SUM_BITS)) - 1;
const PLACE_GENERATION_MASK: u64 = (1 << 30) - 1;

// === impl Ring ===

impl Ring {
    /// A ring that can be set to any length up to this one.
    pub(crate) fn new(length: u32) -> Self {
        let places = (0..length.min(LENGTH_MAX)).map(|_| AtomicU32::new(0)).collect();
        Self { next: AtomicU64::new(0), sums: AtomicU64::new(0), places }
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.places.len() as u32
    }

    /// Takes a result of this generation; what the ring holds then, or `None` when the generation
    /// is over.
    pub(crate) fn record(&self, generation: u64, length: u64, mark: Mark) -> Option<Figures> {
        let length = length.min(self.places.len() as u64);
        let taken = self.take(generation, length)?;
        let place = if taken >= length { taken - length } else { taken };
        let bits = u32::from(mark.is_failure) << 1 | u32::from(mark.is_slow);
        let new = ((generation & PLACE_GENERATION_MASK) as u32) << 2 | bits;
        let cell = self.places.get(place as usize)?;
        // A healthy ring holds what comes anyway.
        if cell.load(Ordering::Relaxed) != new {
            let old = cell.swap(new, Ordering::SeqCst);
            let old = if old >> 2 == new >> 2 { old & 3 } else { 0 };
            if old != bits {
                self.adjust(generation, old, bits);
            }
        }
        let (failures, slow) = self.sums(generation);
        Some(Figures { calls: (taken + 1).min(length), failures, slow })
    }

    /// What the ring holds of this generation.
    pub(crate) fn figures(&self, generation: u64, length: u64) -> Figures {
        let next = self.next.load(Ordering::SeqCst);
        let is_present = next >> NEXT_BITS == generation & (u64::MAX >> NEXT_BITS);
        let calls = if is_present { next & NEXT_MASK } else { 0 };
        let (failures, slow) = self.sums(generation);
        Figures { calls: calls.min(length), failures, slow }
    }

    /// The next place of this generation.
    fn take(&self, generation: u64, length: u64) -> Option<u64> {
        let stamp = generation & (u64::MAX >> NEXT_BITS);
        let mut present = self.next.load(Ordering::Relaxed);
        loop {
            let taken = match (present >> NEXT_BITS).cmp(&stamp) {
                std::cmp::Ordering::Greater => return None,
                std::cmp::Ordering::Equal => present & NEXT_MASK,
                std::cmp::Ordering::Less => 0,
            };
            let after = if taken + 1 >= 2 * length { length } else { taken + 1 };
            let next = stamp << NEXT_BITS | after;
            match self.next.compare_exchange_weak(
                present,
                next,
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(taken),
                Err(now) => present = now,
            }
        }
    }

    #[cold]
    fn adjust(&self, generation: u64, old: u32, new: u32) {
        let stamp = generation & SUM_GENERATION_MASK;
        let change =
            |sum: u64, bit: u32| sum + u64::from(new >> bit & 1) - u64::from(old >> bit & 1);
        let mut present = self.sums.load(Ordering::Relaxed);
        loop {
            let (mut failures, mut slow) = (BIAS, BIAS);
            if present >> (2 * SUM_BITS) == stamp && present != 0 {
                (failures, slow) = (present >> SUM_BITS & SUM_MASK, present & SUM_MASK);
            }
            let next = stamp << (2 * SUM_BITS) | change(failures, 1) << SUM_BITS | change(slow, 0);
            match self.sums.compare_exchange(present, next, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => present = now,
            }
        }
    }

    fn sums(&self, generation: u64) -> (u64, u64) {
        let sums = self.sums.load(Ordering::SeqCst);
        if sums == 0 || sums >> (2 * SUM_BITS) != generation & SUM_GENERATION_MASK {
            return (0, 0);
        }
        let plain = |sum: u64| (sum & SUM_MASK).saturating_sub(BIAS);
        (plain(sums >> SUM_BITS), plain(sums))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use switchboard_core::Rng;

    use super::*;

    const FAILURE: Mark = Mark { is_failure: true, is_slow: false };

    /// Against the plainest thing that can be meant: a queue of the last N.
    #[test]
    fn holds_exactly_the_last_results() {
        let mut rng = Rng::from_seed(3);
        for length in [1, 2, 7, 100] {
            let (ring, mut model) = (Ring::new(length), VecDeque::new());
            for step in 0..2_000_u64 {
                let generation = 1 + step / 700;
                if step % 700 == 0 {
                    model.clear();
                }
                let mark = Mark { is_failure: rng.below(3) == 0, is_slow: rng.below(5) == 0 };
                model.push_back(mark);
                if model.len() > length as usize {
                    model.pop_front();
                }
                let count =
                    |test: fn(&Mark) -> bool| model.iter().filter(|m| test(m)).count() as u64;
                let expected = Figures {
                    calls: model.len() as u64,
                    failures: count(|mark| mark.is_failure),
                    slow: count(|mark| mark.is_slow),
                };
                let length = u64::from(length);
                assert_eq!(ring.record(generation, length, mark), Some(expected));
                assert_eq!(ring.figures(generation, length), expected);
            }
        }
    }

    #[test]
    fn b3_a_result_of_an_earlier_generation_does_not_get_in() {
        let ring = Ring::new(10);
        assert!(ring.record(5, 10, FAILURE).is_some());
        assert!(ring.record(6, 10, Mark::GOOD).is_some());
        assert_eq!(ring.record(5, 10, FAILURE), None);
        assert_eq!(ring.figures(6, 10), Figures { calls: 1, failures: 0, slow: 0 });
    }

    /// Trap 15: four times as many threads as cores, and the sums are those of the places.
    #[test]
    fn trap_15_sums_are_exact_after_more_threads_than_cores() {
        let ring = Ring::new(128);
        let threads = 4 * std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for seed in 0..threads as u64 {
                let ring = &ring;
                scope.spawn(move || {
                    let mut rng = Rng::from_seed(seed);
                    for _ in 0..20_000 {
                        let mark =
                            Mark { is_failure: rng.below(2) == 0, is_slow: rng.below(3) == 0 };
                        assert!(ring.record(1, 128, mark).is_some());
                    }
                });
            }
        });
        let held = |bit: u32| {
            ring.places.iter().map(|p| u64::from(p.load(Ordering::SeqCst) >> bit & 1)).sum::<u64>()
        };
        let expected = Figures { calls: 128, failures: held(1), slow: held(0) };
        assert_eq!(ring.figures(1, 128), expected);
    }
}
