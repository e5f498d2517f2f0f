//! Counts that many threads add to without meeting: each thread has a stripe of its own.
//!
//! A counter that all threads share costs a trip of its cache line between cores for every call, which is most of what a breaker costs
//! under load. Here the first [`SLOTS`] live threads of the process each hold a *slot*, and a slot's stripe is written by its thread only:
//! adding is a load and a store, without a locked instruction. Later threads use one common stripe with ordinary atomic additions, so
//! every count is exact with any number of threads. A slot goes back when its thread ends and its next holder sees all that was written.
//!
//! Stripes take memory (128 bytes a thread), so a set of them begins with the common stripe alone, and is *spread* when that pays.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many threads of a process have a stripe of their own; the others share one.
pub(crate) const SLOTS: usize = 32;

/// No slot was asked for yet.
const UNKNOWN: u8 = u8::MAX;
/// All slots were taken, or this thread is ending.
const COMMON: u8 = u8::MAX - 1;

/// Which slots are taken, one bit each.
static TAKEN: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Read on hot paths: a plain cell, which needs no destructor.
    static SLOT: Cell<u8> = const { Cell::new(UNKNOWN) };
    /// Touched once a thread, to give the slot back at its end.
    static HELD: Held = Held::take();
}

/// The slot of a thread, while it lives.
struct Held(u8);

/// One part of a count, by its slot's thread or by all the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stripe<'a, T> {
    /// Written by this thread only.
    Own(&'a T),
    /// Written by several.
    Common(&'a T),
}

/// A value per thread, and one for all threads that have none.
#[derive(Debug, Default)]
pub(crate) struct Stripes<T> {
    common: Padded<T>,
    own: OnceLock<Box<[OwnStripe<T>; SLOTS]>>,
}

/// Made when its thread first needs it.
type OwnStripe<T> = OnceLock<Box<Padded<T>>>;

/// Alone on its two cache lines: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicU64);

// === impl Held ===

impl Held {
    fn take() -> Self {
        let mut taken = TAKEN.load(Ordering::Relaxed);
        loop {
            let slot = taken.trailing_ones();
            if slot as usize >= SLOTS {
                return Self(COMMON);
            }
            // Acquire: the stores of the thread that held the slot before happen before ours.
            match TAKEN.compare_exchange_weak(
                taken,
                taken | 1 << slot,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Self(slot as u8),
                Err(now) => taken = now,
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Whatever still runs in this thread, such as other destructors, counts in common.
        SLOT.set(COMMON);
        if self.0 != COMMON {
            TAKEN.fetch_and(!(1 << self.0), Ordering::Release);
        }
    }
}

/// The slot of this thread; from [`SLOTS`] on it has none.
#[inline]
fn slot() -> usize {
    let slot = SLOT.get();
    usize::from(if slot == UNKNOWN { ask() } else { slot })
}

#[cold]
fn ask() -> u8 {
    let slot = HELD.try_with(|held| held.0).unwrap_or(COMMON);
    SLOT.set(slot);
    slot
}

// === impl Stripe ===

impl<'a, T> Stripe<'a, T> {
    /// The part itself, to read.
    #[cfg(test)]
    pub(crate) fn value(self) -> &'a T {
        match self {
            Self::Own(value) | Self::Common(value) => value,
        }
    }
}

// === impl Stripes ===

impl<T: Default> Stripes<T> {
    /// This thread's part.
    #[inline]
    pub(crate) fn mine(&self) -> Stripe<'_, T> {
        let Some(own) = self.own.get() else { return Stripe::Common(&self.common.0) };
        match own.get(slot()) {
            Some(stripe) => match stripe.get() {
                Some(stripe) => Stripe::Own(&stripe.0),
                None => Stripe::Own(&Self::grow(stripe).0),
            },
            None => Stripe::Common(&self.common.0),
        }
    }

    /// This thread's part, if it has one of its own already.
    #[inline(always)]
    pub(crate) fn own(&self) -> Option<&T> {
        let stripe = self.own.get()?.get(usize::from(SLOT.get()))?;
        stripe.get().map(|padded| &padded.0)
    }

    /// Gives every thread a stripe from now on. Allocates the table here, and a stripe at the first
    /// use by each thread; after that nothing.
    pub(crate) fn spread(&self) {
        self.own.get_or_init(|| Box::new([const { OnceLock::new() }; SLOTS]));
    }

    /// Whether threads have stripes of their own.
    #[cfg(test)]
    pub(crate) fn is_spread(&self) -> bool {
        self.own.get().is_some()
    }

    /// All parts that exist, in no order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &T> {
        let own = self.own.get().into_iter().flat_map(|own| own.iter());
        std::iter::once(&self.common.0)
            .chain(own.filter_map(|stripe| stripe.get().map(|padded| &padded.0)))
    }

    #[cold]
    fn grow(stripe: &OwnStripe<T>) -> &Padded<T> {
        stripe.get_or_init(Box::default)
    }
}

// === impl Tally ===

impl Tally {
    /// Adds one, where only this thread writes.
    #[inline]
    pub(crate) fn add_alone(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Adds one, where others write too.
    #[inline]
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(stripes: &Stripes<Tally>) {
        match stripes.mine() {
            Stripe::Own(tally) => tally.add_alone(),
            Stripe::Common(tally) => tally.add(),
        }
    }

    /// More threads than slots, in waves, so that slots are handed on and some threads have none.
    #[test]
    fn nothing_is_lost_with_more_threads_than_slots_and_slots_that_change_hands() {
        let stripes = Stripes::<Tally>::default();
        for wave in 0..4 {
            std::thread::scope(|scope| {
                for _ in 0..SLOTS + 8 {
                    scope.spawn(|| (0..1_000).for_each(|_| count(&stripes)));
                }
            });
            let total: u64 = stripes.parts().map(Tally::get).sum();
            assert_eq!(total, (wave + 1) * 1_000 * (SLOTS as u64 + 8));
            stripes.spread();
        }
    }

    #[test]
    fn a_set_that_was_not_spread_has_one_part() {
        let stripes = Stripes::<Tally>::default();
        count(&stripes);
        assert_eq!((stripes.parts().count(), stripes.mine().value().get()), (1, 1));
        stripes.spread();
        count(&stripes);
        assert_eq!(stripes.parts().count(), 2);
    }
}
