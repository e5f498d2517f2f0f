//! How long to wait between attempts.
//!
//! Waits grow so that a dependency that is down is not kept down, and carry jitter so that callers which failed together do not come
//! back together (M. Brooker, "Exponential Backoff And Jitter", 2015). The policy is pure: chance is an argument.

use std::time::Duration;

use switchboard_core::Rng;

use crate::settings::InvalidOptions;

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
///
/// // What a caller may have to wait in all, without jitter and at most.
/// assert_eq!(classic.waits(), (Duration::from_secs(15), Duration::from_secs(18)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    base: Duration,
    factor: f64,
    cap: Duration,
    attempts: u32,
    jitter: Jitter,
    waits_before_giving_up: bool,
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

/// No cap lies above this: who waits longer should keep the work in a queue, not in a task.
const LONGEST_CAP: Duration = Duration::from_secs(24 * 60 * 60);

const fn invalid(why: &'static str) -> InvalidOptions {
    InvalidOptions::new("backoff", why)
}

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
            waits_before_giving_up: false,
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
            waits_before_giving_up: false,
        }
    }

    /// A policy of one's own: `attempts` in all, waits from `base` on, doubling up to `cap`, with
    /// full jitter.
    ///
    /// # Errors
    /// [`InvalidOptions`] when there is no attempt, when `base` is zero or above `cap`, or when
    /// `cap` is above a day.
    pub const fn new(attempts: u32, base: Duration, cap: Duration) -> Result<Self, InvalidOptions> {
        if attempts == 0 {
            return Err(invalid("there must be at least one attempt"));
        }
        if base.is_zero() {
            return Err(invalid("the first wait must not be zero"));
        }
        if base.as_nanos() > cap.as_nanos() {
            return Err(invalid("the first wait must not exceed the cap"));
        }
        if cap.as_nanos() > LONGEST_CAP.as_nanos() {
            return Err(invalid("the cap must not exceed a day"));
        }
        let jitter = Jitter::Full;
        Ok(Self { base, factor: 2.0, cap, attempts, jitter, waits_before_giving_up: false })
    }

    /// The same with another jitter.
    ///
    /// # Errors
    /// [`InvalidOptions`] when the share is not between 0 and 1.
    pub fn with_jitter(mut self, jitter: Jitter) -> Result<Self, InvalidOptions> {
        if let Jitter::Share(share) = jitter
            && !(0.0..=1.0).contains(&share)
        {
            return Err(invalid("the share of jitter must lie between 0 and 1"));
        }
        self.jitter = jitter;
        Ok(self)
    }

    /// The same, which waits once more after the last attempt and only then gives up, as some
    /// texts draw it (16 s for [`classic`](Self::classic)). Off by default: it only delays the
    /// error.
    #[must_use]
    pub const fn waiting_before_giving_up(mut self) -> Self {
        self.waits_before_giving_up = true;
        self
    }

    /// How many attempts there are, the first included.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// No wait grows beyond this; jitter that goes both ways may add its share.
    pub const fn cap(&self) -> Duration {
        self.cap
    }

    /// The wait after this many failed attempts; `None` when there is no further one.
    pub fn wait(&self, failed: u32, rng: &mut Rng) -> Option<Duration> {
        if failed == 0 || failed >= self.attempts {
            return None;
        }
        Some(self.nth(failed, rng))
    }

    /// The `nth` wait, from 1, however many attempts there are: for who counts attempts itself.
    pub fn nth(&self, nth: u32, rng: &mut Rng) -> Duration {
        let plain = self.plain(nth).as_secs_f64();
        Duration::from_secs_f64(match self.jitter {
            Jitter::None => plain,
            Jitter::Share(share) => plain * (1.0 + share * (2.0 * rng.fraction() - 1.0)),
            Jitter::Full => plain * rng.fraction(),
        })
    }

    /// The wait before giving up, if there is one.
    pub fn parting_wait(&self, rng: &mut Rng) -> Option<Duration> {
        self.waits_before_giving_up.then(|| self.nth(self.attempts, rng))
    }

    /// All waits of a call whose every attempt fails: without jitter, and when chance is least kind.
    pub fn waits(&self) -> (Duration, Duration) {
        let plain = self.plain_waits();
        let most = match self.jitter {
            Jitter::Share(share) => plain.as_secs_f64() * (1.0 + share),
            Jitter::None | Jitter::Full => plain.as_secs_f64(),
        };
        (plain, Duration::try_from_secs_f64(most).unwrap_or(Duration::MAX))
    }

    fn plain_waits(&self) -> Duration {
        let waits = if self.waits_before_giving_up { self.attempts } else { self.attempts - 1 };
        let mut total = Duration::ZERO;
        for nth in 1..=waits {
            let plain = self.plain(nth);
            // Waits stop growing at the cap, so the loop is short for any number of attempts.
            if plain == self.cap {
                return total.saturating_add(plain.saturating_mul(waits - nth + 1));
            }
            total += plain;
        }
        total
    }

    /// The exponential saturates at the cap, so that no number of attempts overflows.
    fn plain(&self, nth: u32) -> Duration {
        let exponent = i32::try_from(nth.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.factor.powi(exponent);
        if seconds >= self.cap.as_secs_f64() {
            return self.cap;
        }
        Duration::from_secs_f64(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn classic_waits_one_two_four_eight_and_gives_up() {
        let plain = Backoff::classic().with_jitter(Jitter::None).unwrap();
        let mut rng = Rng::from_seed(0);
        let waits: Vec<_> = (1..=5).map(|failed| plain.wait(failed, &mut rng)).collect();
        assert_eq!(
            waits,
            [Some(seconds(1)), Some(seconds(2)), Some(seconds(4)), Some(seconds(8)), None]
        );
        assert_eq!(plain.parting_wait(&mut rng), None);
    }

    #[test]
    fn classic_can_wait_sixteen_seconds_before_giving_up() {
        let policy = Backoff::classic().with_jitter(Jitter::None).unwrap();
        let policy = policy.waiting_before_giving_up();
        assert_eq!(policy.parting_wait(&mut Rng::from_seed(0)), Some(seconds(16)));
        assert_eq!(policy.waits().0, seconds(1 + 2 + 4 + 8 + 16));
    }

    #[test]
    fn totals_are_known_without_a_run_even_for_very_many_attempts() {
        assert_eq!(Backoff::classic().waits(), (seconds(15), seconds(18)));
        assert_eq!(Backoff::new(1, seconds(1), seconds(4)).unwrap().waits().0, Duration::ZERO);
        let endless = Backoff::new(u32::MAX, seconds(1), seconds(4)).unwrap();
        assert_eq!(endless.waits().0, seconds(1 + 2 + 4 * (u64::from(u32::MAX) - 3)));
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

    /// R1: full jitter is any share of the whole wait, evenly.
    #[test]
    fn r1_full_jitter_takes_any_share_of_the_wait() {
        let policy = Backoff::new(3, seconds(1), seconds(20)).unwrap();
        let mut rng = Rng::from_seed(1);
        let waits: Vec<f64> = (0..10_000).map(|_| policy.nth(3, &mut rng).as_secs_f64()).collect();
        let mean = waits.iter().sum::<f64>() / 10_000.0;
        assert!((1.95..2.05).contains(&mean), "{mean}");
        assert!(waits.iter().all(|wait| (0.0..4.0).contains(wait)));
    }

    /// R1: the exponential saturates (an implementation elsewhere went negative at attempt 1 024).
    #[test]
    fn r1_saturates_at_the_cap_after_any_number_of_attempts() {
        let cap = seconds(20);
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
        let second = seconds(1);
        assert!(Backoff::new(0, second, second).is_err());
        assert!(Backoff::new(1, Duration::ZERO, second).is_err());
        assert!(Backoff::new(1, second * 2, second).is_err());
        assert!(Backoff::new(1, second, Duration::MAX).is_err());
        assert!(Backoff::classic().with_jitter(Jitter::Share(1.5)).is_err());
        assert!(Backoff::classic().with_jitter(Jitter::Share(f64::NAN)).is_err());
    }
}
