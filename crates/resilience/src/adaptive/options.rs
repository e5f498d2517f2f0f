//! Which law, where it begins, and what bounds it.

use std::time::Duration;

use super::estimate::{Estimate, Law};
use super::gradient::Gradient2;
use crate::settings::InvalidOptions;

/// How an adaptive limit finds its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    law: Law,
    initial: usize,
    min: usize,
    max: usize,
    timeout: Duration,
}

// === impl Options ===

impl Options {
    /// The most that any limit can be.
    pub const MOST: usize = 100_000;

    /// By how much slower calls become: begins at 20, between 4 and 200, time-outs after 5 s.
    ///
    /// Needs a dependency whose calls take similar times; for a mixture of quick and slow ones use
    /// a limit for each, or [`Options::aimd`].
    pub const fn gradient2() -> Self {
        Self::of(Law::Gradient2(Gradient2::NEW))
    }

    /// By drops only: begins at 20, between 4 and 200, time-outs after 5 s.
    pub const fn aimd() -> Self {
        Self::of(Law::Aimd)
    }

    const fn of(law: Law) -> Self {
        Self { law, initial: 20, min: 4, max: 200, timeout: Duration::from_secs(5) }
    }

    /// The same, beginning at `initial` and never below `min` or above `max`.
    ///
    /// # Errors
    /// [`InvalidOptions`] unless `1 <= min <= initial <= max <= 100 000`.
    pub const fn with_limits(
        mut self,
        min: usize,
        initial: usize,
        max: usize,
    ) -> Result<Self, InvalidOptions> {
        if min == 0 || min > initial || initial > max || max > Self::MOST {
            let why = "its limits must be 1 <= min <= initial <= max <= 100000";
            return Err(InvalidOptions::new("adaptive limit", why));
        }
        (self.min, self.initial, self.max) = (min, initial, max);
        Ok(self)
    }

    /// The same, taking a call as dropped that took this long.
    ///
    /// # Errors
    /// [`InvalidOptions`] when it is zero or longer than an hour.
    pub fn with_timeout(mut self, timeout: Duration) -> Result<Self, InvalidOptions> {
        if timeout.is_zero() || timeout > Duration::from_secs(3_600) {
            let why = "its timeout must be above zero and at most 1 h";
            return Err(InvalidOptions::new("adaptive limit", why));
        }
        self.timeout = timeout;
        Ok(self)
    }

    pub(super) fn estimate(self) -> Estimate {
        Estimate::new(self.law, self.initial, self.min, self.max, self.timeout)
    }
}
