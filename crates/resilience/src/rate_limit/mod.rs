//! At most so many calls begin in a time, evenly or in bursts; for everybody together, or for each key.
//!
//! A [bulkhead](crate::bulkhead) limits how many calls run at once, a rate limit how many begin: the one protects what is slow, the other
//! what is counted (a quota, a partner's terms, fairness among tenants). It says exactly when the next call may pass, so that a client can
//! wait once instead of asking again and again.
//!
//! ```
//! use std::time::Duration;
//! use switchboard_resilience::rate_limit::{KeyedRateLimit, Rate};
//!
//! let per_tenant: KeyedRateLimit<String> =
//!     KeyedRateLimit::new("api", Rate::bursty(2, Duration::from_secs(60)).unwrap());
//! assert_eq!(per_tenant.try_acquire("acme").unwrap().remaining, 1);
//! assert_eq!(per_tenant.try_acquire("acme").unwrap().remaining, 0);
//! let refused = per_tenant.try_acquire("acme").unwrap_err();
//! assert!(refused.rejected.retry_after.unwrap() <= Duration::from_secs(30));
//! assert!(per_tenant.try_acquire("another").is_ok());
//! ```
//!
//! Both are local: each process has its own. With n processes behind a load balancer, give each an n-th.

mod figures;
mod future;
mod gcra;
mod keyed;
mod layer;
mod rate;
mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::control::{Action, ControlError, Controlled, View};
use crate::numbers::Numbers;
use crate::settings::{Changes, Mode, Switch};
use crate::{PolicyName, Reason, Rejected};

pub use figures::Figures;
pub use future::Paced;
pub use gcra::{Decision, Gcra};
pub use keyed::KeyedRateLimit;
pub use layer::{KeyedRateLimitLayer, RateLimitLayer};
pub use rate::Rate;
pub use service::{KeyedRateLimited, RateLimited};

/// A rate for all calls together: one word, without a lock. Clones are one limit.
#[derive(Clone, Debug)]
pub struct RateLimit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: PolicyName,
    origin: Instant,
    /// Nanoseconds since the origin at which the bucket will be full again.
    full_at: AtomicU64,
    settings: Settings,
    numbers: Numbers,
}

/// What an operator can change. The two words of the rate are not read together; a call between
/// them is judged by a mixture of the old and the new rate, which harms nobody.
#[derive(Debug)]
struct Settings {
    switch: Switch,
    interval: AtomicU64,
    burst: AtomicU64,
}

/// A call that may not begin yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The rejection; its `retry_after` is exact.
    pub rejected: Rejected,
    /// What is left, for the headers of the answer.
    pub figures: Figures,
}

/// A turn that begins after a wait. Dropped unused, it is given back, unless somebody has a turn
/// behind it, whose time was told already.
#[derive(Debug)]
#[must_use = "the turn is given back when this is dropped"]
pub struct Reservation {
    limit: RateLimit,
    wait: Duration,
    /// What the reservation wrote, to see whether it is still the last one.
    full_at: Option<u64>,
}

// === impl RateLimit ===

impl RateLimit {
    /// A full bucket.
    pub fn new(name: impl Into<PolicyName>, rate: Rate) -> Self {
        let name = name.into();
        let shared = Shared {
            name,
            origin: Instant::now(),
            full_at: AtomicU64::new(0),
            settings: Settings::new(rate),
            numbers: Numbers::new("rate_limit", name, &[Reason::RateLimited, Reason::Isolated]),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Its name.
    pub fn name(&self) -> PolicyName {
        self.shared.name
    }

    /// Lets a call pass now, or says when it may.
    ///
    /// # Errors
    /// [`Refused`] with the exact wait; [`Reason::Isolated`], without one, when an operator lets
    /// nothing through.
    pub fn try_acquire(&self) -> Result<Figures, Refused> {
        self.reserve(Duration::ZERO).map(|reservation| {
            let figures = self.figures();
            reservation.used();
            figures
        })
    }

    /// Takes the next turn, if it begins within `max_wait`.
    ///
    /// # Errors
    /// As for [`RateLimit::try_acquire`].
    pub fn reserve(&self, max_wait: Duration) -> Result<Reservation, Refused> {
        let shared = &self.shared;
        let gcra = match shared.settings.judge() {
            Ok(gcra) => gcra,
            Err(Mode::Isolated) => return Err(self.refuse(Reason::Isolated, None)),
            Err(_) => {
                return Ok(Reservation {
                    limit: self.clone(),
                    wait: Duration::ZERO,
                    full_at: None,
                });
            }
        };
        let now = self.now();
        let mut before = shared.full_at.load(Ordering::Relaxed);
        loop {
            let (wait, after) = match gcra.decide(before, now) {
                Decision::Pass { full_at } => (Duration::ZERO, full_at),
                Decision::Wait { wait, full_at } => (Duration::from_nanos(wait), full_at),
            };
            if wait > max_wait {
                return Err(self.refuse(Reason::RateLimited, Some(wait)));
            }
            // Relaxed: the word guards nothing but itself.
            match shared.full_at.compare_exchange_weak(
                before,
                after,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    return Ok(Reservation { limit: self.clone(), wait, full_at: Some(after) });
                }
                Err(present) => before = present,
            }
        }
    }

    /// What is left now. Takes nothing.
    pub fn figures(&self) -> Figures {
        let full_at = self.shared.full_at.load(Ordering::Relaxed);
        self.shared.settings.gcra().figures(full_at, self.now())
    }

    fn now(&self) -> u64 {
        nanos_since(self.shared.origin)
    }

    fn refuse(&self, reason: Reason, wait: Option<Duration>) -> Refused {
        let mut rejected = self.shared.numbers.reject(reason);
        let figures = self.figures();
        if reason == Reason::RateLimited {
            rejected = figures.explain(rejected);
        }
        rejected.retry_after = wait;
        Refused { rejected, figures }
    }
}

fn nanos_since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Can be isolated, disabled, released, and given another `calls_per_second` and `burst`. What was
/// spent stays spent.
impl Controlled for RateLimit {
    fn view(&self) -> View {
        let figures = self.figures();
        self.shared.settings.view(
            self.shared.name,
            if figures.remaining == 0 { "exhausted" } else { "ok" },
            vec![
                ("remaining", figures.remaining as f64),
                ("reset_after", figures.reset_after.as_secs_f64()),
            ],
        )
    }

    fn act(&self, action: &Action) -> Result<(), ControlError> {
        self.shared.settings.act(action)
    }
}

// === impl Settings ===

impl Settings {
    fn new(rate: Rate) -> Self {
        let gcra = rate.gcra();
        Self {
            switch: Switch::default(),
            interval: AtomicU64::new(gcra.interval),
            burst: AtomicU64::new(gcra.burst),
        }
    }

    fn gcra(&self) -> Gcra {
        Gcra {
            interval: self.interval.load(Ordering::Relaxed),
            burst: self.burst.load(Ordering::Relaxed),
        }
    }

    /// The rate to judge by, or the mode in which nobody judges.
    fn judge(&self) -> Result<Gcra, Mode> {
        match self.switch.mode() {
            Mode::Judging => Ok(self.gcra()),
            other => Err(other),
        }
    }

    fn view(
        &self,
        name: PolicyName,
        judged: &'static str,
        figures: Vec<(&'static str, f64)>,
    ) -> View {
        let gcra = self.gcra();
        View {
            name,
            kind: "rate_limit",
            state: self.switch.mode().or(judged),
            remaining_open: None,
            figures,
            settings: vec![
                ("calls_per_second", 1e9 / gcra.interval as f64),
                ("burst", gcra.burst as f64),
            ],
            transitions: Vec::new(),
        }
    }

    fn act(&self, action: &Action) -> Result<(), ControlError> {
        let settings = match action {
            Action::Reconfigure { settings } => settings,
            other => {
                self.switch.set(Mode::asked_by(other, "rate_limit")?);
                return Ok(());
            }
        };
        let changes = Changes::of(settings, &["calls_per_second", "burst"])?;
        let present = self.gcra();
        let slowest = 1.0 / Rate::LONGEST.as_secs_f64();
        let per_second = changes.number(
            "calls_per_second",
            1e9 / present.interval as f64,
            slowest..=f64::from(Rate::MOST_CALLS),
        )?;
        let most = Rate::MOST_CALLS as usize;
        let burst = changes.whole("burst", present.burst as usize, 1..=most)?;
        // Unless it was named, it stays to the nanosecond.
        let interval = if settings.contains_key("calls_per_second") {
            (1e9 / per_second).ceil() as u64
        } else {
            present.interval
        };
        let longest = u64::try_from(30 * Rate::LONGEST.as_nanos()).unwrap_or(u64::MAX);
        if interval.saturating_mul(burst as u64) > longest {
            return Err(ControlError::Invalid {
                setting: "burst".to_owned(),
                why: "it can be what the rate allows in 30 days".to_owned(),
            });
        }
        self.interval.store(interval, Ordering::Relaxed);
        self.burst.store(burst as u64, Ordering::Relaxed);
        Ok(())
    }
}

// === impl Reservation ===

impl Reservation {
    /// How long until the turn begins.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// The call has begun, so its turn is spent.
    pub fn used(mut self) {
        self.full_at = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(written) = self.full_at else { return };
        let interval = self.limit.shared.settings.interval.load(Ordering::Relaxed);
        // Fails when somebody has reserved behind this one: then the turn is lost, because giving
        // it back would let two calls begin at once.
        let _ = self.limit.shared.full_at.compare_exchange(
            written,
            written.saturating_sub(interval),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}
