//! What a breaker writes down when its state changes: how often it failed to recover, how long it stays open, and the last changes.

use std::collections::VecDeque;

use switchboard_core::{Rng, Timestamp};

use super::policy::Options;
use super::state::{Cause, State};
use super::word::Word;
use crate::control::Transition;
use crate::ticker::ticks;

/// Changes that are kept; the oldest go first.
const TRANSITIONS: usize = 32;

/// Under a lock that only changes of state take, for a moment and calling nobody.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) options: Options,
    rng: Rng,
    /// Recoveries since the breaker was last closed for a whole window, the present one included.
    attempt: u32,
    /// The last open time.
    wait_ms: u64,
    /// When it was closed last, and how many successes there had been.
    closed_at: u64,
    successes: u64,
    transitions: VecDeque<Transition>,
}

/// One change, as it is written down.
pub(crate) struct Entry<'a> {
    pub(crate) from: Word,
    pub(crate) to: Word,
    pub(crate) cause: Cause,
    pub(crate) now: u64,
    pub(crate) at: Timestamp,
    pub(crate) because: &'a str,
    /// Whether the breaker was closed for a whole window before.
    pub(crate) was_well: bool,
    /// Successes since birth.
    pub(crate) successes: u64,
    /// Until when the state before lasted.
    pub(crate) lasted: Option<u64>,
    /// When the dependency itself wants to be asked again.
    pub(crate) hint: u64,
}

// === impl Book ===

impl Book {
    pub(crate) fn new(options: Options, rng: Rng, now: u64) -> Self {
        let wait_ms = ticks(options.open);
        Self {
            options,
            rng,
            attempt: 0,
            wait_ms,
            closed_at: now,
            successes: 0,
            transitions: VecDeque::new(),
        }
    }

    /// Since when it is closed, and how many successes there had been then.
    pub(crate) fn closed(&self) -> (u64, u64) {
        (self.closed_at, self.successes)
    }

    /// Whether it opened since it was last closed for a whole window, as far as was looked.
    pub(crate) fn is_recovering(&self) -> bool {
        self.attempt > 0
    }

    /// Writes a change down; until when the new state lasts, if it ends by time (B9).
    pub(crate) fn enter(&mut self, entry: &Entry<'_>) -> Option<u64> {
        let until = match (entry.to.state(), entry.cause) {
            (State::Open, Cause::Reconfigure) => {
                Some(entry.lasted.unwrap_or(entry.now + self.wait_ms))
            }
            (State::Open, _) => {
                self.attempt = if entry.was_well { 1 } else { self.attempt.saturating_add(1) };
                self.wait_ms = ticks(self.options.open_for(self.attempt, &mut self.rng));
                Some((entry.now + self.wait_ms).max(entry.hint))
            }
            (State::HalfOpen, _) => {
                let max = self.options.probing_max.map_or(2 * self.wait_ms, ticks);
                Some(entry.now + max)
            }
            (State::Closed, cause) => {
                if cause == Cause::Release {
                    self.attempt = 0;
                }
                if cause != Cause::Reconfigure {
                    (self.closed_at, self.successes) = (entry.now, entry.successes);
                }
                None
            }
            _ => None,
        };
        if self.transitions.len() == TRANSITIONS {
            self.transitions.pop_front();
        }
        self.transitions.push_back(Transition {
            at: entry.at,
            from: entry.from.state().as_str(),
            to: entry.to.state().as_str(),
            because: entry.because.to_owned(),
        });
        until
    }

    /// The last changes, newest first.
    pub(crate) fn transitions(&self) -> Vec<Transition> {
        self.transitions.iter().rev().cloned().collect()
    }
}
