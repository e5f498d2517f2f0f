//! When a failed message is tried again, as a pure policy.

use std::time::Duration;

use switchboard_core::{Rng, Verdict};
use switchboard_store::Failure;

use crate::Options;

/// The schedule of a group: rounds of immediate tries, with a delay between two rounds.
///
/// ```text
/// try try try try ── 5 s ── try try try try ── 30 s ── … ── 2 min ── try try try try ── parked
/// └── a round ──┘           └── a round ──┘
/// ```
///
/// [`Failure::attempt`] counts the tries since the message arrived or was replayed, so the last
/// failure alone tells in which round a message is, after a restart as well.
#[derive(Clone, Debug)]
pub(crate) struct Retries {
    immediate: u32,
    delays: Vec<Duration>,
}

const FASTEST: Duration = Duration::from_millis(10);
const SLOWEST: Duration = Duration::from_millis(100);

// === impl Retries ===

impl Retries {
    pub(crate) fn of(options: &Options) -> Self {
        Self { immediate: options.immediate, delays: options.delays.clone() }
    }

    /// The wait before the next immediate try; `None` when this round is over.
    pub(crate) fn immediate(&self, tries: u32, rng: &mut Rng) -> Option<Duration> {
        (tries <= self.immediate).then(|| backoff(tries, FASTEST, SLOWEST, rng))
    }

    /// The wait before the next round; `None` when the message is to be parked.
    pub(crate) fn delay(&self, verdict: Verdict, tries: u32, rng: &mut Rng) -> Option<Duration> {
        if verdict != Verdict::Retry {
            return None;
        }
        let rounds = tries.div_ceil(self.immediate + 1).max(1);
        let delay = *self.delays.get(usize::try_from(rounds).ok()? - 1)?;
        Some(delay.mul_f64(0.8 + 0.4 * rng.fraction()))
    }

    /// How often a waiting message was tried in this cycle. One that was parked and is looked at
    /// again was woken by an operator: it starts anew.
    pub(crate) fn tried(&self, failures: &[Failure]) -> u32 {
        let Some(last) = failures.last() else { return 0 };
        let rounds = u32::try_from(self.delays.len()).unwrap_or(u32::MAX) + 1;
        let exhausted = last.attempt >= (self.immediate + 1).saturating_mul(rounds);
        if last.verdict != Verdict::Retry || exhausted { 0 } else { last.attempt }
    }
}

/// A wait that doubles from `least` up to `most`, of which a random half is taken.
pub(crate) fn backoff(tries: u32, least: Duration, most: Duration, rng: &mut Rng) -> Duration {
    let doubled = least.saturating_mul(1_u32 << tries.saturating_sub(1).min(16));
    let most = doubled.min(most);
    (most.mul_f64(0.5 + 0.5 * rng.fraction())).max(least)
}

#[cfg(test)]
#[path = "retries_tests.rs"]
mod tests;
