//! Who passes: the lock-free part of a breaker, in three words.
//!
//! The state with its generation, until when that state lasts, and the probes. A change is one compare-and-swap of the first word, so of
//! all the calls that find the open time over exactly one moves the breaker, and the others are judged by the state that it moved to (B8).
//! The other two words carry the generation they belong to; in the instant between the change and the writing of its end, readers see
//! that there is no end yet and keep waiting. Generic over the atomics, so that a model checker runs this very code.

use std::sync::atomic::AtomicU64;

use super::probes::{Probes, Rule};
use super::state::{Cause, State};
use super::word::{Stamped, Word};
use crate::atomic::Word64;

/// The words that decide who passes.
#[derive(Debug)]
pub(crate) struct Gate<A = AtomicU64> {
    word: A,
    until: A,
    pub(crate) probes: Probes<A>,
}

/// A call was kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Open for so many more milliseconds, if that is known yet.
    Open(Option<u64>),
    Isolated,
    Probing,
}

// === impl Gate ===

impl<A: Word64> Gate<A> {
    pub(crate) fn new() -> Self {
        Self { word: A::of(Word::FIRST.bits()), until: A::of(0), probes: Probes::new() }
    }

    #[inline]
    pub(crate) fn word(&self) -> Word {
        Word::of(self.word.load_acquire())
    }

    /// Until when the state of this word lasts: open, or half-open without a decision.
    #[inline]
    pub(crate) fn until(&self, word: Word) -> Option<u64> {
        Stamped(self.until.load_acquire()).of(word.generation())
    }

    /// The word under which a call passes at this moment. Calls `shift` when time is over for a
    /// state, and then judges by whatever the state has become.
    pub(crate) fn admit(
        &self,
        now: u64,
        rule: impl Fn() -> Rule,
        mut shift: impl FnMut(Word, Cause),
    ) -> Result<Word, Kept> {
        loop {
            let word = self.word();
            let until = self.until(word);
            // More than the time must have passed: readings are whole milliseconds.
            let is_over = until.is_some_and(|until| now > until);
            match word.state() {
                State::Closed | State::Disabled | State::Observing => return Ok(word),
                State::Isolated => return Err(Kept::Isolated),
                State::Open if is_over => shift(word, Cause::WaitOver),
                // Its end is not there: it is not written yet, or a later state's is.
                State::Open if until.is_none() && self.word() != word => {}
                State::Open => return Err(Kept::Open(until.map(|until| until + 1 - now))),
                State::HalfOpen if is_over => shift(word, Cause::ProbesOverdue),
                State::HalfOpen if self.probes.admit(word.generation(), &rule()) => {
                    return Ok(word);
                }
                State::HalfOpen => return Err(Kept::Probing),
            }
        }
    }

    /// Moves from this word; `None` when somebody else did before.
    pub(crate) fn change(&self, from: Word, cause: Cause) -> Option<Word> {
        let state = match from.state().next(cause) {
            Ok(state) => state,
            Err(illegal) => {
                // Causes are made from the state they move, so this is a mistake of ours.
                tracing::error!(%illegal, "a breaker was asked for a change that there is not");
                debug_assert!(false, "{illegal}");
                return None;
            }
        };
        let to = from.then(state);
        self.word.change(from.bits(), to.bits()).ok().map(|_| to)
    }

    /// Writes down until when this word's state lasts, unless a later one's is there already.
    pub(crate) fn publish(&self, word: Word, until: u64) {
        let new = Stamped::new(word.generation(), until).0;
        let mut present = self.until.load_acquire();
        while !Stamped(present).is_after(word.generation()) {
            match self.until.change(present, new) {
                Ok(_) => return,
                Err(now) => present = now,
            }
        }
    }
}
