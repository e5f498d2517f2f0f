//! Counts of the last while, in ten buckets that expire one by one.
//!
//! Nothing sweeps old buckets. Each cell says to which generation and to which bucket of time it belongs; a reader skips what is not of
//! its own generation or no longer of the last ten buckets, and a writer begins such a cell anew. So a window slides for ever at the cost
//! of one addition a call (trap 8), and covers between nine and ten tenths of its length.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tenths of a window.
pub(crate) const BUCKETS: usize = 10;

/// Bits of a cell: generation, number of the bucket, count. A count would overflow after four
/// thousand million calls of one bucket.
const COUNT_BITS: u32 = 32;
const NUMBER_BITS: u32 = 20;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;
const GENERATION_MASK: u64 = (1 << (64 - COUNT_BITS - NUMBER_BITS)) - 1;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// Ten cells; the cell of a bucket is its number modulo ten.
#[derive(Debug, Default)]
pub(crate) struct Buckets([AtomicU64; BUCKETS]);

/// A generation and a bucket of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    cell: usize,
    tag: u64,
    key: u64,
}

// === impl Place ===

impl Place {
    /// The bucket with this number, counted from the beginning of time.
    #[inline]
    pub(crate) const fn new(generation: u64, number: u64) -> Self {
        let tag = (generation & GENERATION_MASK) << NUMBER_BITS | number & NUMBER_MASK;
        let key = generation << 32 | number & COUNT_MASK;
        Self { cell: (number % BUCKETS as u64) as usize, tag, key }
    }

    /// Both in one number that does not come again; never 0.
    #[inline]
    pub(crate) const fn key(self) -> u64 {
        self.key
    }

    /// How many buckets a cell lies behind this place; `None` when of another generation. What
    /// lies ahead, because clocks are read at slightly different moments, is not behind at all.
    #[inline]
    const fn age(self, cell: u64) -> Option<u64> {
        let tag = cell >> COUNT_BITS;
        if tag >> NUMBER_BITS != self.tag >> NUMBER_BITS {
            return None;
        }
        let behind = self.tag.wrapping_sub(tag) & NUMBER_MASK;
        Some(if behind > NUMBER_MASK / 2 { 0 } else { behind })
    }

    /// Whether a cell belongs to a later generation.
    const fn is_past(self, cell: u64) -> bool {
        let ahead = (cell >> COUNT_BITS >> NUMBER_BITS).wrapping_sub(self.tag >> NUMBER_BITS)
            & GENERATION_MASK;
        ahead != 0 && ahead <= GENERATION_MASK / 2
    }

    /// The cell after one more call.
    #[inline]
    const fn plus_one(self, cell: u64) -> u64 {
        if cell >> COUNT_BITS == self.tag {
            return cell + 1;
        }
        match self.age(cell) {
            // The same bucket, or one that another thread began a moment early.
            Some(0) => cell + 1,
            _ => self.tag << COUNT_BITS | 1,
        }
    }
}

// === impl Buckets ===

impl Buckets {
    /// One more call, where only this thread writes.
    #[inline(always)]
    pub(crate) fn add_alone(&self, place: Place) {
        let cell = &self.0[place.cell];
        cell.store(place.plus_one(cell.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// One more call, where others write too; false when a later generation has begun here. Calls
    /// `when_busy` if another thread came between, or if there are many calls.
    ///
    /// A cell that was not written for thousands of generations can look like a later one, so
    /// `is_current` has the last word.
    pub(crate) fn add(
        &self,
        place: Place,
        is_current: impl Fn() -> bool,
        when_busy: impl FnOnce(),
    ) -> bool {
        let cell = &self.0[place.cell];
        let (mut present, mut is_busy) = (cell.load(Ordering::Relaxed), false);
        loop {
            if place.is_past(present) && !is_current() {
                return false;
            }
            let next = place.plus_one(present);
            match cell.compare_exchange(present, next, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => {
                    if is_busy || next & COUNT_MASK == BUSY_CALLS {
                        when_busy();
                    }
                    return true;
                }
                Err(now) => (present, is_busy) = (now, true),
            }
        }
    }

    /// Calls of the last ten buckets up to this one.
    pub(crate) fn sum(&self, place: Place) -> u64 {
        let cells = self.0.iter().map(|cell| cell.load(Ordering::SeqCst));
        let fresh = cells.filter(|cell| place.age(*cell).is_some_and(|age| age < BUCKETS as u64));
        fresh.map(|cell| cell & COUNT_MASK).sum()
    }
}

/// This many calls in one bucket make a breaker worth a stripe per thread.
const BUSY_CALLS: u64 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_expires_ten_buckets_later_and_its_cell_begins_anew() {
        let buckets = Buckets::default();
        for number in 0..1_000 {
            let place = Place::new(1, number);
            buckets.add_alone(place);
            assert!(buckets.add(place, || true, || {}));
            assert_eq!(buckets.sum(place), 2 * 10.min(number + 1));
        }
        assert_eq!(buckets.sum(Place::new(1, 1_008)), 2);
        assert_eq!(buckets.sum(Place::new(1, 1_009)), 0);
    }

    #[test]
    fn b3_another_generation_sees_nothing_and_an_earlier_one_adds_nothing() {
        let buckets = Buckets::default();
        buckets.add_alone(Place::new(5, 3));
        assert_eq!(buckets.sum(Place::new(6, 3)), 0);
        assert!(buckets.add(Place::new(6, 3), || true, || {}));
        assert!(
            !buckets.add(Place::new(5, 3), || false, || {}),
            "the later generation holds the cell"
        );
        assert_eq!((buckets.sum(Place::new(6, 3)), buckets.sum(Place::new(5, 3))), (1, 0));
    }

    #[test]
    fn a_reading_a_moment_early_counts_where_the_later_one_began() {
        let buckets = Buckets::default();
        buckets.add_alone(Place::new(1, 13));
        buckets.add_alone(Place::new(1, 3));
        assert_eq!(buckets.sum(Place::new(1, 13)), 2);
    }

    #[test]
    fn busy_is_told_once_the_bucket_is_full_of_calls() {
        let (buckets, told) = (Buckets::default(), std::cell::Cell::new(0));
        (0..5_000).for_each(|_| {
            buckets.add(Place::new(1, 1), || true, || told.set(told.get() + 1));
        });
        assert_eq!(told.get(), 1);
    }
}
