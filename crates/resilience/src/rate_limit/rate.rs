//! So many calls in so much time, evenly or in bursts.

use std::time::Duration;

use super::gcra::Gcra;
use crate::settings::InvalidOptions;

/// How many calls may begin in a time, and how many of them at once.
///
/// ```
/// use std::time::Duration;
/// use switchboard_resilience::rate_limit::Rate;
///
/// // One call each 10 ms, never two at once:
/// let smooth = Rate::smooth(100, Duration::from_secs(1))?;
/// // The same rate, of which 100 may come at once after a quiet second:
/// let bursty = Rate::bursty(100, Duration::from_secs(1))?;
/// assert_eq!(smooth.burst(), 1);
/// assert_eq!(bursty.burst(), 100);
/// # Ok::<_, switchboard_resilience::InvalidOptions>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    calls: u32,
    per: Duration,
    burst: u32,
}

// === impl Rate ===

impl Rate {
    /// The most calls in a time, and the largest burst.
    pub const MOST_CALLS: u32 = 1_000_000;
    /// The longest time in which calls are counted.
    pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// `calls` in each `per`, evenly: for a dependency that does not like crowds.
    ///
    /// # Errors
    /// [`InvalidOptions`] unless there are 1 to 1 000 000 calls in 1 ms to 1 day.
    pub fn smooth(calls: u32, per: Duration) -> Result<Self, InvalidOptions> {
        Self::bursty(calls, per)?.with_burst(1)
    }

    /// `calls` in each `per`, all at once if need be: for clients, which act in bursts.
    ///
    /// # Errors
    /// As for [`Rate::smooth`].
    pub fn bursty(calls: u32, per: Duration) -> Result<Self, InvalidOptions> {
        if calls == 0 || calls > Self::MOST_CALLS {
            return Err(InvalidOptions::new("rate limit", "it can allow 1 to 1000000 calls"));
        }
        if per < Duration::from_millis(1) || per > Self::LONGEST {
            let why = "it can count calls over a time of 1 ms to 1 day";
            return Err(InvalidOptions::new("rate limit", why));
        }
        Self { calls, per, burst: calls }.with_burst(calls)
    }

    /// The same rate, with at most `burst` calls at once.
    ///
    /// # Errors
    /// [`InvalidOptions`] unless the burst is 1 to 1 000 000 calls, and what can be earned back
    /// within 30 days.
    pub fn with_burst(self, burst: u32) -> Result<Self, InvalidOptions> {
        if burst == 0 || burst > Self::MOST_CALLS {
            return Err(InvalidOptions::new("rate limit", "its burst can be 1 to 1000000 calls"));
        }
        let rate = Self { burst, ..self };
        let gcra = rate.gcra();
        let most = 30 * Self::LONGEST.as_nanos();
        if u128::from(gcra.interval) * u128::from(gcra.burst) > most {
            let why = "its burst is more than it allows in 30 days";
            return Err(InvalidOptions::new("rate limit", why));
        }
        Ok(rate)
    }

    /// Calls per second.
    pub fn per_second(&self) -> f64 {
        f64::from(self.calls) / self.per.as_secs_f64()
    }

    /// How many calls may pass at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// The interval is rounded up to whole nanoseconds, so that never more pass than were allowed.
    pub(super) fn gcra(&self) -> Gcra {
        let interval = self.per.as_nanos().div_ceil(u128::from(self.calls));
        Gcra { interval: u64::try_from(interval).unwrap_or(u64::MAX), burst: self.burst.into() }
    }
}
