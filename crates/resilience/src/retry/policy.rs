//! Whether there is another attempt, and after which wait: a pure policy.
//!
//! | an answer | repeated |
//! |---|---|
//! | success, refusal, terminal fault | never |
//! | may have had an effect | when the call is repeatable (R6) |
//! | certainly not processed | always |
//! | says when (`Retry-After`) | after that, within 5 s of the policy's own wait; at once failed if it is beyond the cap or the deadline (R2) |
//! | says exactly when (pushback) | then, and waits grow from the beginning again |
//! | says not to | never |
//! | attempts used up, or the next would begin too late | never (R3) |

use std::time::Duration;

use switchboard_core::Rng;
use tokio::time::Instant;

use super::again::{Again, Class, Hint};
use crate::Backoff;

/// A dependency that says when is not asked later than this after the policy's own wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// How calls are repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    backoff: Backoff,
    throttled: Option<Backoff>,
    least_attempt: Duration,
    total: Option<Duration>,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Attempts that failed.
    pub failed: u32,
    /// Waits since the last pushback, which begins them anew.
    waits: u32,
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The last answer is final.
    Answered,
    /// It might have had an effect, and the call must not be repeated.
    NotRepeatable,
    /// The body was too large to be kept for another attempt, or has failed.
    Committed,
    /// The dependency asked not to be asked again.
    Refused,
    /// The dependency wants to be asked later than anybody waits: the hint is passed on with its
    /// answer.
    TooLate,
    /// Another attempt could not end before the deadline.
    Deadline,
    /// All attempts are used up.
    Attempts,
    /// The budget does not pay for another one.
    Budget,
}

// === impl Policy ===

impl Policy {
    /// By these waits, for whatever fails; without a limit of its own on the whole.
    pub const fn new(backoff: Backoff) -> Self {
        Self { backoff, throttled: None, least_attempt: Duration::from_millis(5), total: None }
    }

    /// The literature's: [`Backoff::classic`].
    pub const fn classic() -> Self {
        Self::new(Backoff::classic())
    }

    /// [`Backoff::recommended`], and waits from 1 s on after an answer that the dependency has too
    /// much to do: it needs more time to get well than a lost packet does.
    pub fn recommended() -> Self {
        let throttled = Backoff::new(3, Duration::from_secs(1), Duration::from_secs(20)).ok();
        Self { throttled, ..Self::new(Backoff::recommended()) }
    }

    /// Other waits after a throttling answer. Attempts are counted together, by the ordinary
    /// backoff.
    #[must_use]
    pub fn with_throttled(mut self, backoff: Backoff) -> Self {
        self.throttled = Some(backoff);
        self
    }

    /// An attempt that has less time than this before the deadline is not begun. Default: 5 ms.
    #[must_use]
    pub const fn with_least_attempt(mut self, least: Duration) -> Self {
        self.least_attempt = least;
        self
    }

    /// No attempt begins later than this after the call began. Default: no limit but the call's
    /// deadline.
    #[must_use]
    pub const fn with_total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }

    /// The ordinary waits and the number of attempts.
    pub const fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// The limit on the whole, if it has one of its own.
    pub const fn total(&self) -> Option<Duration> {
        self.total
    }

    /// Until when attempts of a call may begin that begins now: the earlier of the limit on the whole
    /// and the call's own deadline.
    pub fn deadline(&self, call: Option<Instant>) -> Option<Instant> {
        let own = self.total.and_then(|total| Instant::now().checked_add(total));
        own.into_iter().chain(call).min()
    }

    /// The wait before the next attempt, or why there is none.
    ///
    /// # Errors
    /// [`Stop`]: the answer that was judged is the last.
    pub fn next(
        &self,
        progress: &mut Progress,
        again: Again,
        is_repeatable: bool,
        time_left: Option<Duration>,
        rng: &mut Rng,
    ) -> Result<Duration, Stop> {
        let (class, hint) = self.may(progress, again, is_repeatable)?;
        self.wait(progress, class, hint, time_left, rng)
    }

    /// Whether there may be another attempt: the part that needs no clock and no chance.
    pub(super) fn may(
        &self,
        progress: &mut Progress,
        again: Again,
        is_repeatable: bool,
    ) -> Result<(Class, Hint), Stop> {
        progress.failed = progress.failed.saturating_add(1);
        let Again::After { class, hint } = again else { return Err(Stop::Answered) };
        if hint == Hint::Never {
            return Err(Stop::Refused);
        }
        if !is_repeatable && class != Class::NotSent {
            return Err(Stop::NotRepeatable);
        }
        if progress.failed >= self.backoff.attempts() {
            return Err(Stop::Attempts);
        }
        Ok((class, hint))
    }

    /// The wait before it, if there is time.
    pub(super) fn wait(
        &self,
        progress: &mut Progress,
        class: Class,
        hint: Hint,
        time_left: Option<Duration>,
        rng: &mut Rng,
    ) -> Result<Duration, Stop> {
        progress.waits += 1;
        let backoff = match (class, &self.throttled) {
            (Class::Throttled, Some(throttled)) => throttled,
            _ => &self.backoff,
        };
        let own = backoff.nth(progress.waits, rng);
        let wait = match hint {
            Hint::None | Hint::Never => own,
            Hint::AtLeast(hint) if hint.is_zero() => own,
            Hint::AtLeast(hint) => {
                if hint > backoff.cap() || time_left.is_some_and(|left| hint > left) {
                    return Err(Stop::TooLate);
                }
                // Beyond its patience it would ask before the dependency is ready; but a hint that
                // fits the cap and the deadline is worth asking a little early rather than never.
                hint.clamp(own, own + PATIENCE).min(backoff.cap().max(own))
            }
            Hint::Exactly(hint) => {
                if hint > backoff.cap() || time_left.is_some_and(|left| hint > left) {
                    return Err(Stop::TooLate);
                }
                progress.waits = 0;
                hint
            }
        };
        let needed = wait.saturating_add(self.least_attempt);
        if time_left.is_some_and(|left| needed > left) {
            return Err(Stop::Deadline);
        }
        Ok(wait)
    }
}

impl From<Backoff> for Policy {
    fn from(backoff: Backoff) -> Self {
        Self::new(backoff)
    }
}

// === impl Stop ===

impl Stop {
    /// The name in metrics and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NotRepeatable => "not_repeatable",
            Self::Committed => "committed",
            Self::Refused => "refused",
            Self::TooLate => "too_late",
            Self::Deadline => "deadline",
            Self::Attempts => "attempts",
            Self::Budget => "budget",
        }
    }

    /// Whether callers further out should not try again either: this layer has done what can be
    /// done, or was asked not to do it (R7).
    pub const fn is_for_all(self) -> bool {
        match self {
            Self::Attempts | Self::Budget | Self::Refused => true,
            Self::Answered
            | Self::NotRepeatable
            | Self::Committed
            | Self::TooLate
            | Self::Deadline => false,
        }
    }
}
