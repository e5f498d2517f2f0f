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
mod reservation;
mod service;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::Histogram;
use tokio::time::Instant;

use crate::control::{Action, ControlError, Controlled, View};
use crate::numbers::Numbers;
use crate::settings::Mode;
use crate::{PolicyName, Reason, Rejected};
use settings::Settings;

pub use figures::Figures;
pub use future::{Paced, Turning};
pub use gcra::{Decision, Gcra};
pub use keyed::KeyedRateLimit;
pub use layer::{KeyedRateLimitLayer, RateLimitLayer};
pub use rate::Rate;
pub use reservation::Reservation;
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
    waits: Histogram,
}

/// A call that may not begin yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The rejection; its `retry_after` is exact.
    pub rejected: Rejected,
    /// What is left, for the headers of the answer.
    pub figures: Figures,
}

/// When a call may begin, and what was written for it; nothing while the limit is disabled.
#[derive(Clone, Copy, Debug)]
struct Turn {
    wait: Duration,
    written: Option<u64>,
    now: u64,
}

// === impl RateLimit ===

impl RateLimit {
    /// A full bucket.
    pub fn new(name: impl Into<PolicyName>, rate: Rate) -> Self {
        let name = name.into();
        let numbers = Numbers::new("rate_limit", name, &[Reason::RateLimited, Reason::Isolated]);
        let shared = Shared {
            name,
            origin: Instant::now(),
            full_at: AtomicU64::new(0),
            settings: Settings::new(rate),
            waits: numbers.waits(),
            numbers,
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
        let turn = self.take(Duration::ZERO)?;
        Ok(self.figures_at(turn.now))
    }

    /// Takes the next turn, if it begins within `max_wait`.
    ///
    /// # Errors
    /// As for [`RateLimit::try_acquire`].
    pub fn reserve(&self, max_wait: Duration) -> Result<Reservation, Refused> {
        self.take(max_wait).map(|turn| self.reserved(turn))
    }

    /// The same turn, which is given back unless it is used.
    fn reserved(&self, turn: Turn) -> Reservation {
        Reservation::new(self.clone(), turn.wait, turn.written)
    }

    /// Takes the next turn, for ever. One look at the clock, and no count of references.
    fn take(&self, max_wait: Duration) -> Result<Turn, Refused> {
        let shared = &self.shared;
        let now = self.now();
        let gcra = match shared.settings.judge() {
            Ok(gcra) => gcra,
            Err(Mode::Isolated) => return Err(self.refuse(Reason::Isolated, None, now)),
            Err(_) => return Ok(Turn { wait: Duration::ZERO, written: None, now }),
        };
        let mut before = shared.full_at.load(Ordering::Relaxed);
        loop {
            let (wait, after) = match gcra.decide(before, now) {
                Decision::Pass { full_at } => (Duration::ZERO, full_at),
                Decision::Wait { wait, full_at } => (Duration::from_nanos(wait), full_at),
            };
            if wait > max_wait {
                return Err(self.refuse(Reason::RateLimited, Some(wait), now));
            }
            // Relaxed: the word guards nothing but itself.
            match shared.full_at.compare_exchange_weak(
                before,
                after,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(Turn { wait, written: Some(after), now }),
                Err(present) => before = present,
            }
        }
    }

    /// What is left now. Takes nothing.
    pub fn figures(&self) -> Figures {
        self.figures_at(self.now())
    }

    fn figures_at(&self, now: u64) -> Figures {
        let full_at = self.shared.full_at.load(Ordering::Relaxed);
        self.shared.settings.gcra().figures(full_at, now)
    }

    fn now(&self) -> u64 {
        nanos_since(self.shared.origin)
    }

    fn refuse(&self, reason: Reason, wait: Option<Duration>, now: u64) -> Refused {
        let mut rejected = self.shared.numbers.reject(reason);
        let figures = self.figures_at(now);
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
