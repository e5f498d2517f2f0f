//! A token bucket in one atomic word, whose balance drifts towards a floor.
//!
//! Deposits expire, and a client with little traffic still needs a few tokens. Both are one rule: the balance relaxes exponentially
//! towards `floor` with the time constant `ttl`. Above the floor old deposits fade; below it the bucket refills, at `floor / ttl` per
//! second when it is empty. Balance and time share one word, so that a charge is one compare-and-swap: whoever reads the balance and
//! writes it in two steps grants the last token twice (trap 16).

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::atomic::Word64;

/// Tokens are counted in thousandths.
pub(super) const UNIT: f64 = 1_000.0;

/// The largest balance that the word holds, in thousandths: about 268 thousand tokens.
pub(super) const LARGEST: u64 = (1 << BALANCE_BITS) - 1;

const BALANCE_BITS: u32 = 28;
/// Moves of fewer thousandths wait for more, but not longer than this.
const COARSE: u64 = 8;
const STANDS_MS: u64 = 64;
const TIME_MASK: u64 = (1 << (64 - BALANCE_BITS)) - 1;

/// The bucket. Generic over the atomic only so that models can schedule its threads.
#[derive(Debug)]
pub(super) struct Bucket<W = AtomicU64> {
    /// Balance in the low 28 bits; above them milliseconds since the origin, wrapping after two
    /// years.
    word: W,
}

/// What a bucket keeps to; amounts in thousandths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rules {
    /// Where the balance drifts.
    pub(super) floor: u64,
    /// It never exceeds this.
    pub(super) max: u64,
    /// How fast it drifts; `None`: not at all.
    pub(super) ttl: Option<Duration>,
}

// === impl Bucket ===

impl<W: Word64> Bucket<W> {
    /// This balance at the origin of time.
    pub(super) fn new(balance: u64) -> Self {
        Self { word: W::of(pack(balance, 0)) }
    }

    /// Adds, up to the maximum.
    pub(super) fn add(&self, amount: u64, now_ms: u64, rules: Rules) {
        let mut present = self.word.load_acquire();
        loop {
            let (balance, since) = drift(present, now_ms, rules);
            let new = pack((balance + amount).min(rules.max), since);
            match self.word.change(present, new) {
                Ok(_) => return,
                Err(other) => present = other,
            }
        }
    }

    /// Takes, all or nothing; else says how much there is.
    pub(super) fn take(&self, amount: u64, now_ms: u64, rules: Rules) -> Result<(), u64> {
        let mut present = self.word.load_acquire();
        loop {
            let (balance, since) = drift(present, now_ms, rules);
            let Some(rest) = balance.checked_sub(amount) else { return Err(balance) };
            match self.word.change(present, pack(rest, since)) {
                Ok(_) => return Ok(()),
                Err(other) => present = other,
            }
        }
    }

    /// The balance now.
    pub(super) fn balance(&self, now_ms: u64, rules: Rules) -> u64 {
        drift(self.word.load_acquire(), now_ms, rules).0
    }
}

const fn pack(balance: u64, since_ms: u64) -> u64 {
    (since_ms & TIME_MASK) << BALANCE_BITS | balance
}

/// The balance at `now_ms`, and from when on it counts.
fn drift(word: u64, now_ms: u64, rules: Rules) -> (u64, u64) {
    let (balance, since) = (word & LARGEST, word >> BALANCE_BITS);
    let (now, balance) = (now_ms & TIME_MASK, balance.min(rules.max));
    let elapsed = now.wrapping_sub(since) & TIME_MASK;
    // Another thread may have read the clock before and written after: that is no step of two
    // years.
    if elapsed == 0 || elapsed > TIME_MASK / 2 {
        return (balance, since);
    }
    let Some(ttl) = rules.ttl else { return (balance, now) };
    let share = 1.0 - (-(elapsed as f64) / (ttl.as_secs_f64() * 1_000.0)).exp();
    let moved = (balance.abs_diff(rules.floor) as f64 * share).round() as u64;
    // Rounding must not eat small moves that come often: for a moment, time stands instead. Not for
    // long, because what is paid in meanwhile would age by as much.
    if moved < COARSE && elapsed < STANDS_MS {
        return (balance, since);
    }
    (if balance < rules.floor { balance + moved } else { balance - moved }, now)
}

// === impl Rules ===

impl Rules {
    /// When a balance that is too small will be enough, if nobody pays in or takes out; `None` when
    /// never, or when it is enough already.
    pub(super) fn until(&self, balance: u64, amount: u64) -> Option<Duration> {
        let ttl = self.ttl?;
        if amount >= self.floor || balance >= amount {
            return None;
        }
        let (now, then) = ((self.floor - balance) as f64, (self.floor - amount) as f64);
        Duration::try_from_secs_f64(ttl.as_secs_f64() * (now / then).ln()).ok()
    }
}
