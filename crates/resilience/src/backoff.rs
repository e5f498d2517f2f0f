//! How long to wait between attempts.
//!
//! Waits grow so that a dependency that is down is not kept down, and carry jitter so that callers which failed together do not come
//! back together (M. Brooker, "Exponential Backoff And Jitter", 2015). The policy is pure: chance is an argument.

use std::time::Duration;

use switchboard_core::Rng;

/// Waits between attempts, and how many attempts there are.
///
/// ```
/// use std::time::Duration;
/// use switchboard_core::Rng;
/// use switchboard_resilience::Backoff;
///
/// let mut rng = Rng::from_seed(1);
/// let classic = Backoff::classic();
/// let second = classic.wait(2, &mut rng).expect("five attempts mean four waits");
/// assert!(second >= Duration::from_millis(1_600) && second <= Duration::from_millis(2_400));
/// assert_eq!(classic.wait(5, &mut rng), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    base: Duration,
    factor: f64,
    cap: Duration,
    attempts: u32,
    jitter: Jitter,
}

/// How chance changes a wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    /// Not at all.
    None,
    /// By up to this share of it in both directions: 0.2 is ±20 %.
    Share(f64),
    /// Anything from nothing to the whole wait.
    Full,
}

/// A policy that cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("invalid backoff: {0}")]
pub struct InvalidBackoff(&'static str);

// === impl Backoff ===

impl Backoff {
    /// The literature's: five attempts, waits of 1, 2, 4 and 8 s, each ±20 %.
    pub const fn classic() -> Self {
        Self {
            base: Duration::from_secs(1),
            factor: 2.0,
            cap: Duration::from_secs(16),
            attempts: 5,
            jitter: Jitter::Share(0.2),
        }
    }

    /// Three attempts; waits with full jitter from 50 ms on, at most 20 s. Full jitter, because it
    /// spreads callers best; few attempts, because a third that fails says that more will not help.
    pub const fn recommended() -> Self {
        Self {
            base: Duration::from_millis(50),
            factor: 2.0,
            cap: Duration::from_secs(20),
            attempts: 3,
            jitter: Jitter::Full,
        }
    }

    /// A policy of one's own: `attempts` in all, waits from `base` on, doubling up to `cap`.
    ///
    /// # Errors
    /// [`InvalidBackoff`] when there is no attempt, or when `base` is zero or above `cap`.
    pub const fn new(attempts: u32, base: Duration, cap: Duration) -> Result<Self, InvalidBackoff> {
        if attempts == 0 {
            return Err(InvalidBackoff("there must be at least one attempt"));
        }
        if base.is_zero() {
            return Err(InvalidBackoff("the first wait must not be zero"));
        }
        if base.as_nanos() > cap.as_nanos() {
            return Err(InvalidBackoff("the first wait must not exceed the cap"));
        }
        Ok(Self { base, factor: 2.0, cap, attempts, jitter: Jitter::Full })
    }

    /// The same with another jitter.
    ///
    /// # Errors
    /// [`InvalidBackoff`] when the share is not between 0 and 1.
    pub fn with_jitter(mut self, jitter: Jitter) -> Result<Self, InvalidBackoff> {
        if let Jitter::Share(share) = jitter
            && !(0.0..=1.0).contains(&share)
        {
            return Err(InvalidBackoff("the share of jitter must lie between 0 and 1"));
        }
        self.jitter = jitter;
        Ok(self)
    }

    /// How many attempts there are, the first included.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// All waits together, when every attempt fails: without jitter, and at most with it.
    pub fn waits(&self) -> (Duration, Duration) {
        let cap = self.cap.as_secs_f64();
        let (mut seconds, mut wait) = (0.0, self.base.as_secs_f64().min(cap));
        let mut left = self.attempts.saturating_sub(1);
        // Waits stop growing at the cap, so the loop is short for any number of attempts.
        while left > 0 && wait < cap && self.factor > 1.0 {
            seconds += wait;
            wait = (wait * self.factor).min(cap);
            left -= 1;
        }
        seconds += wait * f64::from(left);
        let most = match self.jitter {
            Jitter::None | Jitter::Full => 1.0,
            Jitter::Share(share) => 1.0 + share,
        };
        let time = |s| Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX);
        (time(seconds), time(seconds * most))
    }

    /// The wait after this many failed attempts; `None` when there is no further one.
    ///
    /// The exponential saturates at the cap, so that no number of attempts overflows.
    pub fn wait(&self, failed: u32, rng: &mut Rng) -> Option<Duration> {
        if failed == 0 || failed >= self.attempts {
            return None;
        }
        let exponent = i32::try_from(failed - 1).unwrap_or(i32::MAX);
        let plain =
            (self.base.as_secs_f64() * self.factor.powi(exponent)).min(self.cap.as_secs_f64());
        let seconds = match self.jitter {
            Jitter::None => plain,
            Jitter::Share(share) => plain * (1.0 + share * (2.0 * rng.fraction() - 1.0)),
            Jitter::Full => plain * rng.fraction(),
        };
        Some(Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_waits_one_two_four_eight_and_gives_up() {
        let plain = Backoff::classic().with_jitter(Jitter::None).unwrap();
        let waits: Vec<_> =
            (1..=5).map(|failed| plain.wait(failed, &mut Rng::from_seed(0))).collect();
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(waits, [seconds(1), seconds(2), seconds(4), seconds(8), None]);
    }

    /// R9: the same seed gives the same waits, so that tests can assert them exactly.
    #[test]
    fn r9_jitter_comes_from_the_seed_and_stays_within_its_share() {
        let (mut a, mut b) = (Rng::from_seed(9), Rng::from_seed(9));
        for _ in 0..1_000 {
            let wait = Backoff::classic().wait(1, &mut a).unwrap();
            assert_eq!(Some(wait), Backoff::classic().wait(1, &mut b));
            assert!((0.8..=1.2).contains(&wait.as_secs_f64()), "{wait:?}");
        }
    }

    /// R1: the exponential saturates (an implementation elsewhere went negative at attempt 1 024).
    #[test]
    fn r1_saturates_at_the_cap_after_any_number_of_attempts() {
        let cap = Duration::from_secs(20);
        let policy = Backoff::new(u32::MAX, Duration::from_millis(50), cap).unwrap();
        for failed in [10, 64, 1_024, u32::MAX - 1] {
            assert!(policy.wait(failed, &mut Rng::from_seed(1)).unwrap() <= cap);
        }
    }

    #[test]
    fn all_waits_together_are_known_for_any_number_of_attempts() {
        let seconds = Duration::from_secs;
        assert_eq!(Backoff::classic().waits(), (seconds(15), seconds(18)));
        let policy = Backoff::new(6, seconds(1), seconds(4)).unwrap();
        assert_eq!(policy.waits(), (seconds(1 + 2 + 4 + 4 + 4), seconds(1 + 2 + 4 + 4 + 4)));
        let policy = Backoff::new(u32::MAX, seconds(1), seconds(4)).unwrap();
        assert!(policy.waits().0 > seconds(4 * 4_000_000_000));
        assert_eq!(Backoff::new(1, seconds(1), seconds(4)).unwrap().waits().0, Duration::ZERO);
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        let second = Duration::from_secs(1);
        assert!(Backoff::new(0, second, second).is_err());
        assert!(Backoff::new(1, Duration::ZERO, second).is_err());
        assert!(Backoff::new(1, second * 2, second).is_err());
        assert!(Backoff::classic().with_jitter(Jitter::Share(1.5)).is_err());
        assert!(Backoff::classic().with_jitter(Jitter::Share(f64::NAN)).is_err());
    }
}
