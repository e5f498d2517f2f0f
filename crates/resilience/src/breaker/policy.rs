//! What a breaker is set to: plain values, each checked when it is given.
//!
//! | | [`classic`](Options::classic) | [`recommended`](Options::recommended) | why the difference |
//! |---|---|---|---|
//! | window | 5 failures in a row | 10 s in ten buckets | under load 5 failures in a row never come at 80 % failures, and come by chance at 20 % |
//! | opens at | the fifth | half of at least 20 calls failing | a share means the same at any load; 20 calls make it mean something |
//! | slow calls | are not judged | all of them taking 2 s or more | a dependency that hangs fails nobody and holds everybody |
//! | stays open | 60 s, always | 5 s, doubling up to 60 s | most faults pass soon; those that do not are asked less and less often |
//! | jitter | none | ±20 % | callers that broke together must not come back together |
//! | probes | 1, any failure reopens | 3, by the same shares | one call is no evidence, in either direction |

use std::collections::BTreeMap;
use std::time::Duration;

use crate::control::ControlError;
use crate::settings::InvalidOptions;
use crate::ticker::ticks;
use switchboard_core::Rng;

use super::probes::{PERMITS_MAX, Rule};
use super::window::ring::LENGTH_MAX;

/// What a breaker is set to. Begin with [`Options::classic`] or [`Options::recommended`].
///
/// ```
/// use std::time::Duration;
/// use switchboard_resilience::breaker::{Options, Window};
///
/// let options = Options::recommended()
///     .with_window(Window::Count(50))?
///     .with_failure_rate(0.3)?
///     .with_open(Duration::from_secs(2), 2.0, Duration::from_secs(30))?;
/// assert!(options.with_failure_rate(f64::NAN).is_err());
/// # Ok::<(), switchboard_resilience::InvalidOptions>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub(crate) window: Window,
    pub(crate) failure_rate: f64,
    pub(crate) slow_rate: f64,
    pub(crate) slow: Option<Duration>,
    pub(crate) min_calls: u32,
    pub(crate) open: Duration,
    pub(crate) factor: f64,
    pub(crate) cap: Duration,
    pub(crate) jitter: f64,
    pub(crate) probes: u32,
    pub(crate) is_strict: bool,
    pub(crate) probing_max: Option<Duration>,
    pub(crate) on_cancel: OnCancel,
    pub(crate) fallback: Option<String>,
}

/// Which calls are judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Those of the last while, 0.1 s to 10 min, in ten buckets: at least nine tenths of it.
    Time(Duration),
    /// Exactly the last ones, 1 to 65 536.
    Count(u32),
    /// So many failures in a row open the breaker, 1 to 65 536; a success begins again. Rates and
    /// the least number of calls then mean nothing, and slow calls are only counted.
    Consecutive(u32),
}

/// How a call counts that was given up before it ended: its future was dropped.
///
/// A time limit outside the breaker gives calls up. If that never counted, a dependency that hangs
/// would be invisible and its breaker closed for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// Not at all.
    Ignore,
    /// As a failure if it had run this long; otherwise the caller just changed its mind.
    FailureIfElapsed(Duration),
    /// As a failure.
    Failure,
}

const WINDOW_MIN: Duration = Duration::from_millis(100);
const WINDOW_MAX: Duration = Duration::from_secs(600);
/// The longest any breaker stays open, and the longest time that can be told apart: a day.
const TIME_MAX: Duration = Duration::from_secs(86_400);

// === impl Options ===

impl Options {
    /// The literature's: 5 consecutive failures open it, more than 60 s later the first call
    /// probes, one success closes it and any failure reopens it.
    pub const fn classic() -> Self {
        Self {
            window: Window::Consecutive(5),
            failure_rate: 1.0,
            slow_rate: 1.0,
            slow: None,
            min_calls: 5,
            open: Duration::from_secs(60),
            factor: 1.0,
            cap: Duration::from_secs(60),
            jitter: 0.0,
            probes: 1,
            is_strict: true,
            probing_max: None,
            on_cancel: OnCancel::FailureIfElapsed(Duration::from_secs(2)),
            fallback: None,
        }
    }

    /// What we would choose; the table above says why. Set the slow time to what the slowest
    /// healthy call takes, and below the time limits of the callers.
    pub const fn recommended() -> Self {
        Self {
            window: Window::Time(Duration::from_secs(10)),
            failure_rate: 0.5,
            slow_rate: 1.0,
            slow: Some(Duration::from_secs(2)),
            min_calls: 20,
            open: Duration::from_secs(5),
            factor: 2.0,
            cap: Duration::from_secs(60),
            jitter: 0.2,
            probes: 3,
            is_strict: false,
            probing_max: None,
            on_cancel: OnCancel::FailureIfElapsed(Duration::from_secs(2)),
            fallback: None,
        }
    }

    /// Which calls are judged together.
    ///
    /// # Errors
    /// [`InvalidOptions`] outside the limits of [`Window`].
    pub fn with_window(mut self, window: Window) -> Result<Self, InvalidOptions> {
        match window {
            Window::Time(time) if !(WINDOW_MIN..=WINDOW_MAX).contains(&time) => {
                return Err(invalid("window", "must last 0.1 s to 10 min"));
            }
            Window::Count(calls) | Window::Consecutive(calls)
                if !(1..=LENGTH_MAX).contains(&calls) =>
            {
                return Err(invalid("window", "must hold 1 to 65536 calls"));
            }
            _ => self.window = window,
        }
        Ok(self)
    }

    /// The share of failures, above 0 and at most 1, from which on the breaker opens.
    ///
    /// # Errors
    /// [`InvalidOptions`] for any other number, and for none.
    pub fn with_failure_rate(mut self, rate: f64) -> Result<Self, InvalidOptions> {
        self.failure_rate = share("failure_rate", rate)?;
        Ok(self)
    }

    /// The share of calls that take at least `slow` from which on the breaker opens; above 0, and
    /// at most 1. Calls that failed count too.
    ///
    /// # Errors
    /// [`InvalidOptions`] for another share, and when `slow` is not 1 ms to a day.
    pub fn with_slow_calls(mut self, slow: Duration, rate: f64) -> Result<Self, InvalidOptions> {
        self.slow = Some(time("slow_seconds", slow)?);
        self.slow_rate = share("slow_rate", rate)?;
        Ok(self)
    }

    /// Does not judge by slowness.
    #[must_use]
    pub fn without_slow_calls(mut self) -> Self {
        self.slow = None;
        self
    }

    /// How many calls the window must hold before shares mean anything; at least 1. A count window
    /// that is shorter needs only to be full.
    ///
    /// # Errors
    /// [`InvalidOptions`] for 0.
    pub fn with_min_calls(mut self, calls: u32) -> Result<Self, InvalidOptions> {
        if calls == 0 {
            return Err(invalid("min_calls", "must be at least 1"));
        }
        self.min_calls = calls;
        Ok(self)
    }

    /// How long the breaker stays open: `open` the first time, `factor` times longer after each
    /// recovery that failed, never longer than `cap`. It begins again with `open` after it was
    /// closed for a whole window.
    ///
    /// # Errors
    /// [`InvalidOptions`] when a time is not 1 ms to a day, `open` above `cap`, or `factor` not
    /// between 1 and 10.
    pub fn with_open(
        mut self,
        open: Duration,
        factor: f64,
        cap: Duration,
    ) -> Result<Self, InvalidOptions> {
        if open > cap {
            return Err(invalid("open_seconds", "must not exceed open_cap_seconds"));
        }
        if !(1.0..=10.0).contains(&factor) {
            return Err(invalid("open_factor", "must lie between 1 and 10"));
        }
        self.open = time("open_seconds", open)?;
        self.cap = time("open_cap_seconds", cap)?;
        self.factor = factor;
        Ok(self)
    }

    /// By which share chance makes the open time longer or shorter; from 0 to below 1.
    ///
    /// # Errors
    /// [`InvalidOptions`] for any other share.
    pub fn with_jitter(mut self, share: f64) -> Result<Self, InvalidOptions> {
        if !(0.0..1.0).contains(&share) {
            return Err(invalid("jitter", "must lie between 0 and below 1"));
        }
        self.jitter = share;
        Ok(self)
    }

    /// How many calls a half-open breaker lets through and judges by the same shares; 1 to 200.
    ///
    /// # Errors
    /// [`InvalidOptions`] for any other number.
    pub fn with_probes(mut self, probes: u32) -> Result<Self, InvalidOptions> {
        self.probes = permits(probes)?;
        self.is_strict = false;
        Ok(self)
    }

    /// How many calls of a half-open breaker must succeed, 1 to 200; any failure reopens it.
    ///
    /// # Errors
    /// [`InvalidOptions`] for any other number.
    pub fn with_success_threshold(mut self, successes: u32) -> Result<Self, InvalidOptions> {
        self.probes = permits(successes)?;
        self.is_strict = true;
        Ok(self)
    }

    /// How long probes may take to decide before the breaker opens again. Default: twice the time
    /// for which it was open.
    ///
    /// # Errors
    /// [`InvalidOptions`] when it is not 1 ms to a day.
    pub fn with_probing_max(mut self, max: Duration) -> Result<Self, InvalidOptions> {
        self.probing_max = Some(time("probing_max_seconds", max)?);
        Ok(self)
    }

    /// How a call counts that was given up. Default: as a failure after 2 s, as slow calls do.
    #[must_use]
    pub fn with_on_cancel(mut self, on_cancel: OnCancel) -> Self {
        self.on_cancel = on_cancel;
        self
    }

    /// What callers get while the breaker is open, in words, for the health view.
    #[must_use]
    pub fn with_fallback(mut self, named: impl Into<String>) -> Self {
        self.fallback = Some(named.into());
        self
    }

    /// How long it stays open after so many recoveries that failed (1 is the first time). Saturates
    /// at the cap; chance comes after, else callers at the cap would return together.
    pub(crate) fn open_for(&self, attempt: u32, rng: &mut Rng) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let plain = self.open.as_secs_f64() * self.factor.powi(exponent);
        let plain = plain.min(self.cap.as_secs_f64());
        let chance = if self.jitter > 0.0 { 2.0 * rng.fraction() - 1.0 } else { 0.0 };
        Duration::from_secs_f64(plain * (1.0 + self.jitter * chance))
    }

    /// How probes are judged: the least numbers of failures and of slow calls that reach the
    /// shares.
    pub(crate) fn rule(&self) -> Rule {
        let permits = u64::from(self.probes);
        let least = |rate: f64| {
            (1..=permits).find(|count| *count as f64 / permits as f64 >= rate).unwrap_or(permits)
        };
        let never = permits + 1;
        let judges_slow = self.slow.is_some() && !self.is_strict;
        Rule {
            permits,
            failures: if self.is_strict { 1 } else { least(self.failure_rate) },
            slow: if judges_slow { least(self.slow_rate) } else { never },
        }
    }

    /// The settings by name, as an operator sees them.
    pub(crate) fn settings(&self) -> Vec<(&'static str, f64)> {
        let window = match self.window {
            Window::Time(time) => ("window_seconds", time.as_secs_f64()),
            Window::Count(calls) => ("window_calls", f64::from(calls)),
            Window::Consecutive(failures) => ("consecutive_failures", f64::from(failures)),
        };
        let mut settings = vec![
            window,
            ("failure_rate", self.failure_rate),
            ("slow_rate", self.slow_rate),
            ("slow_seconds", self.slow.map_or(0.0, |slow| slow.as_secs_f64())),
            ("min_calls", f64::from(self.min_calls)),
            ("open_seconds", self.open.as_secs_f64()),
            ("open_factor", self.factor),
            ("open_cap_seconds", self.cap.as_secs_f64()),
            ("jitter", self.jitter),
            ("probes", f64::from(self.probes)),
        ];
        settings.extend(self.probing_max.map(|max| ("probing_max_seconds", max.as_secs_f64())));
        settings
    }

    /// The same with these settings changed, by their names in [`Options::settings`]: each within
    /// its own limits, and what bounds one another as it is in the end.
    pub(crate) fn changed(self, settings: &BTreeMap<String, f64>) -> Result<Self, ControlError> {
        let change = |options: Self, (name, value): (&String, &f64)| options.set(name, *value);
        let changed = settings.iter().try_fold(self, change)?;
        let (open, factor, cap) = (changed.open, changed.factor, changed.cap);
        Ok(changed.with_open(open, factor, cap)?)
    }

    /// The same with one setting changed, whatever the others are.
    fn set(self, name: &str, value: f64) -> Result<Self, ControlError> {
        let refused = |why: String| ControlError::Invalid { setting: name.to_owned(), why };
        let seconds =
            || Duration::try_from_secs_f64(value).map_err(|_| refused("must be a time".to_owned()));
        let count = || {
            let is_count = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
            if is_count { Ok(value as u32) } else { Err(refused("must be a number".to_owned())) }
        };
        let slow_rate = self.slow_rate;
        let changed = match (name, self.window) {
            ("window_seconds", Window::Time(_)) => self.with_window(Window::Time(seconds()?)),
            ("window_calls", Window::Count(_)) => self.with_window(Window::Count(count()?)),
            ("consecutive_failures", Window::Consecutive(_)) => {
                self.with_window(Window::Consecutive(count()?))
            }
            ("failure_rate", _) => self.with_failure_rate(value),
            ("slow_rate", _) => {
                share("slow_rate", value).map(|slow_rate| Self { slow_rate, ..self })
            }
            ("slow_seconds", _) if value == 0.0 => Ok(self.without_slow_calls()),
            ("slow_seconds", _) => self.with_slow_calls(seconds()?, slow_rate),
            ("min_calls", _) => self.with_min_calls(count()?),
            ("open_seconds", _) => {
                time("open_seconds", seconds()?).map(|open| Self { open, ..self })
            }
            ("open_factor", _) => Ok(Self { factor: value, ..self }),
            ("open_cap_seconds", _) => {
                time("open_cap_seconds", seconds()?).map(|cap| Self { cap, ..self })
            }
            ("jitter", _) => self.with_jitter(value),
            ("probes", _) if self.is_strict => self.with_success_threshold(count()?),
            ("probes", _) => self.with_probes(count()?),
            ("probing_max_seconds", _) => self.with_probing_max(seconds()?),
            _ => {
                let known: Vec<_> = self.settings().iter().map(|(name, _)| *name).collect();
                return Err(refused(format!("is none of {}", known.join(", "))));
            }
        };
        Ok(changed?)
    }
}

/// A setting of a breaker that cannot be meant.
pub(crate) const fn invalid(setting: &'static str, why: &'static str) -> InvalidOptions {
    InvalidOptions::of("breaker", setting, why)
}

fn share(setting: &'static str, rate: f64) -> Result<f64, InvalidOptions> {
    // Written so that a number that is none fails too.
    if rate > 0.0 && rate <= 1.0 {
        Ok(rate)
    } else {
        Err(invalid(setting, "must lie above 0 and not above 1"))
    }
}

fn time(setting: &'static str, time: Duration) -> Result<Duration, InvalidOptions> {
    if ticks(time) >= 1 && time <= TIME_MAX {
        Ok(time)
    } else {
        Err(invalid(setting, "must be 1 ms to 1 day"))
    }
}

fn permits(probes: u32) -> Result<u32, InvalidOptions> {
    if (1..=PERMITS_MAX).contains(&probes) {
        Ok(probes)
    } else {
        Err(invalid("probes", "must be 1 to 200"))
    }
}
