//! After which time a call counts as slow: fixed, or what 95 % of the last calls took.

use std::time::Duration;

use parking_lot::Mutex;

use crate::settings::InvalidOptions;

/// Calls that are remembered.
const WINDOW: usize = 256;
/// The quantile is looked up anew after this many further calls: sorting is not for every call.
const REFRESH: usize = 16;

/// No delay is longer.
const LONGEST: Duration = Duration::from_secs(3_600);

/// After which time a second attempt is sent beside the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Delay {
    /// Always this.
    Fixed(Duration),
    /// What this share of the last 256 calls did not exceed, within bounds.
    Quantile {
        /// The share, between 0 and 1: at 0.95 one call in twenty is hedged.
        share: f64,
        /// Never sooner, so that a fast dependency is not asked twice over nothing.
        least: Duration,
        /// Never later; also the delay until there are 16 calls to judge by.
        most: Duration,
    },
}

/// How long the last calls took.
#[derive(Debug)]
pub(super) struct Latencies(Mutex<Ring>);

#[derive(Debug)]
struct Ring {
    last: Vec<Duration>,
    next: usize,
    fresh: usize,
    quantile: Option<Duration>,
}

const fn invalid(why: &'static str) -> InvalidOptions {
    InvalidOptions::new("hedge", why)
}

// === impl Delay ===

impl Delay {
    /// What 95 % of the last calls did not exceed, at least 1 ms and at most `most`.
    pub const fn p95(most: Duration) -> Self {
        Self::Quantile { share: 0.95, least: Duration::from_millis(1), most }
    }

    pub(super) fn checked(self) -> Result<Self, InvalidOptions> {
        match self {
            Self::Fixed(delay) if delay.is_zero() => {
                Err(invalid("a delay of nothing would send every call twice"))
            }
            Self::Quantile { share, .. } if !(share > 0.0 && share < 1.0) => {
                Err(invalid("the share must lie between 0 and 1"))
            }
            Self::Quantile { least, most, .. } if least.is_zero() || least > most => {
                Err(invalid("the least delay must lie above nothing and not above the most"))
            }
            Self::Fixed(most) | Self::Quantile { most, .. } if most > LONGEST => {
                Err(invalid("the delay must not exceed an hour"))
            }
            _ => Ok(self),
        }
    }

    /// The delay now.
    pub(super) fn after(self, latencies: &Latencies) -> Duration {
        match self {
            Self::Fixed(delay) => delay,
            Self::Quantile { share, least, most } => {
                latencies.quantile(share).map_or(most, |quantile| quantile.clamp(least, most))
            }
        }
    }
}

// === impl Latencies ===

impl Latencies {
    pub(super) fn new() -> Self {
        let ring = Ring { last: Vec::new(), next: 0, fresh: 0, quantile: None };
        Self(Mutex::new(ring))
    }

    /// A call was answered after this time, by whichever attempt. So the window holds what callers
    /// wait, hedges included; failures are not in it, because many of them are fast.
    pub(super) fn record(&self, took: Duration) {
        let mut ring = self.0.lock();
        let next = ring.next;
        match ring.last.get_mut(next) {
            Some(place) => *place = took,
            None => ring.last.push(took),
        }
        ring.next = (next + 1) % WINDOW;
        ring.fresh += 1;
    }

    fn quantile(&self, share: f64) -> Option<Duration> {
        let mut ring = self.0.lock();
        if ring.fresh >= REFRESH {
            let mut last = ring.last.clone();
            let index = (((last.len() as f64) * share).ceil() as usize).clamp(1, last.len()) - 1;
            let (_, quantile, _) = last.select_nth_unstable(index);
            (ring.quantile, ring.fresh) = (Some(*quantile), 0);
        }
        ring.quantile
    }
}
