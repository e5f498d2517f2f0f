//! The breaker in one word: its state and its generation, read together and changed together.
//!
//! Every change, whether by results, by time or by an operator, gives the next *generation*. A call remembers the word under which it was
//! let through; when it ends under another word, its result is *late* and changes nothing. This one rule is what keeps calls that began
//! before a trip from judging the recovery, and results from before a reset from undoing it (B3).

use super::state::State;

/// A state and its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

/// A value that belongs to one generation, in one word: what carries another generation's stamp is
/// not there. Nobody needs to clear it when the generation moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamped(pub(crate) u64);

/// Bits of the state.
const STATE_BITS: u32 = 3;

/// Bits of the generation in a stamp. A stale stamp is mistaken for a present one only if exactly a
/// multiple of four million changes passed between them without a write.
pub(crate) const STAMP_BITS: u32 = 22;

/// Bits of the value beside a stamp: 139 years of milliseconds.
pub(crate) const VALUE_BITS: u32 = 64 - STAMP_BITS;
const VALUE_MASK: u64 = (1 << VALUE_BITS) - 1;
const STAMP_MASK: u64 = (1 << STAMP_BITS) - 1;

// === impl Word ===

impl Word {
    pub(crate) const FIRST: Self = Self::new(State::Closed, 1);

    pub(crate) const fn new(state: State, generation: u64) -> Self {
        Self(generation << STATE_BITS | state as u64)
    }

    #[inline]
    pub(crate) const fn of(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) const fn state(self) -> State {
        State::ALL[(self.0 & 7) as usize % State::ALL.len()]
    }

    #[inline]
    pub(crate) const fn is(self, state: State) -> bool {
        self.0 & 7 == state as u64
    }

    #[inline]
    pub(crate) const fn generation(self) -> u64 {
        self.0 >> STATE_BITS
    }

    /// The next generation, in this state.
    pub(crate) const fn then(self, state: State) -> Self {
        Self::new(state, self.generation() + 1)
    }
}

// === impl Stamped ===

impl Stamped {
    pub(crate) const fn new(generation: u64, value: u64) -> Self {
        Self(generation << VALUE_BITS | value & VALUE_MASK)
    }

    /// The value, if it belongs to this generation.
    #[inline]
    pub(crate) const fn of(self, generation: u64) -> Option<u64> {
        if (self.0 ^ generation << VALUE_BITS) >> VALUE_BITS == 0 {
            Some(self.0 & VALUE_MASK)
        } else {
            None
        }
    }

    /// Whether it belongs to a later generation than this one.
    pub(crate) const fn is_after(self, generation: u64) -> bool {
        // The distance on the circle of stamps: less than half of it is ahead.
        let ahead = (self.0 >> VALUE_BITS).wrapping_sub(generation) & STAMP_MASK;
        // A word that was never written is of no generation.
        self.0 != 0 && ahead != 0 && ahead < 1 << (STAMP_BITS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_state_and_counts_its_generations() {
        let mut word = Word::FIRST;
        for state in State::ALL {
            let next = word.then(state);
            assert_eq!((next.state(), next.generation()), (state, word.generation() + 1));
            assert!(next.is(state));
            word = next;
        }
    }

    #[test]
    fn b3_a_stamped_value_is_there_for_its_own_generation_only() {
        let value = (1 << VALUE_BITS) - 1;
        let stamped = Stamped::new(7, value);
        assert_eq!(stamped.of(7), Some(value));
        assert_eq!((stamped.of(6), stamped.of(8)), (None, None));
        assert!(stamped.is_after(6) && !stamped.is_after(7) && !stamped.is_after(8));
        // The circle closes.
        let last = (1 << STAMP_BITS) - 1;
        assert!(Stamped::new(last + 1, 1).is_after(last));
    }
}
