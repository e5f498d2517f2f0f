//! The one error that policies themselves make: a call that was not let through, and why.
//!
//! Every layer keeps the error type of the service inside it and only asks that a [`Rejected`] can become one ([`SeamError`]). So a
//! pipeline of ten layers has one error type instead of ten nested ones, and a rejection allocates nothing unless the caller's own error
//! boxes it, as [`BoxError`] does.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Serialize, Serializer};
use switchboard_core::{BoxError, Retryable, Verdict};

/// A policy did not let a call through, or gave it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rejected {
    /// Which policy.
    pub policy: PolicyName,
    /// Why.
    pub reason: Reason,
    /// When another try has a chance; `None` when nobody knows.
    pub retry_after: Option<Duration>,
    /// What the policy had measured when it decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// A number that a policy decided by, and where its limit was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// What was measured, with its unit if it has one: `waiting`, `running`, `pressure_percent` …
    pub what: &'static str,
    /// How much there was.
    pub value: u64,
    /// How much there could be.
    pub limit: u64,
}

/// Why a policy did not let a call through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The breaker is open: the dependency failed too often.
    Open,
    /// An operator lets nothing through.
    Isolated,
    /// The breaker tries the dependency with a few calls, and this is none of them.
    Probing,
    /// All places of the bulkhead are taken, and so is its queue.
    BulkheadFull,
    /// A place in the bulkhead was not free in time.
    BulkheadTimeout,
    /// More calls than the rate allows.
    RateLimited,
    /// As many calls are running as the dependency can do now.
    LimitReached,
    /// There is more work than can be done, and this is not the most important.
    Shed,
    /// The dependency refuses so much that the client does not ask at all.
    Throttled,
    /// No more tries are paid for.
    BudgetExhausted,
    /// Not begun: no time was left, so nobody would have waited for the answer.
    DeadlineExceeded,
    /// Begun, and no answer in time, by the layer's own limit or the call's deadline; whether it
    /// had an effect is unknown.
    TimedOut,
    /// A fault that a test asked for.
    Chaos,
}

/// The name of a policy, as it appears in metrics and for operators.
///
/// Names are kept for the life of the process, once each, so that a rejection can carry one without
/// allocating or counting: make them from configuration, never from input.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyName(&'static str);

/// What the error type of a guarded service must offer.
///
/// [`BoxError`] does, and so does [`CallError`] around any error.
pub trait SeamError: From<Rejected> {
    /// The rejection, when a policy made this error.
    fn rejected(&self) -> Option<&Rejected>;
}

/// An error of the service, or a rejection: for services whose own error cannot hold one.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// The service was not asked, or not to the end.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The service's own.
    #[error("the service failed")]
    Failed(#[source] E),
}

// === impl Rejected ===

impl Rejected {
    /// By this policy, for this reason.
    #[inline]
    pub const fn new(policy: PolicyName, reason: Reason) -> Self {
        Self { policy, reason, retry_after: None, measured: None }
    }

    /// The same, with what was measured when it was decided.
    #[must_use]
    #[inline]
    pub const fn with_measured(mut self, what: &'static str, value: u64, limit: u64) -> Self {
        self.measured = Some(Measured { what, value, limit });
        self
    }

    /// The same, with when another try has a chance.
    #[must_use]
    #[inline]
    pub const fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.policy, self.reason)?;
        if let Some(Measured { what, value, limit }) = self.measured {
            write!(f, " ({what} {value}, limit {limit})")?;
        }
        match self.retry_after {
            Some(wait) => write!(f, "; try again after {wait:?}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rejected {}

/// It passes by itself. That a retry directly above must not ask again at once (B13) is the retry
/// layer's rule; a consumer or a saga asks later.
impl Retryable for Rejected {
    fn verdict(&self) -> Verdict {
        Verdict::Retry
    }
}

// === impl Reason ===

impl Reason {
    /// The name in metrics and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Isolated => "isolated",
            Self::Probing => "probing",
            Self::BulkheadFull => "bulkhead_full",
            Self::BulkheadTimeout => "bulkhead_timeout",
            Self::RateLimited => "rate_limited",
            Self::LimitReached => "limit_reached",
            Self::Shed => "shed",
            Self::Throttled => "throttled",
            Self::BudgetExhausted => "budget_exhausted",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::TimedOut => "timed_out",
            Self::Chaos => "chaos",
        }
    }

    /// Whether it was an attempt that went wrong, rather than a call that never reached the
    /// dependency: a time-out, and a fault on purpose, which stands for one of the dependency's.
    /// All others say nothing about it (B13).
    pub const fn is_attempt(self) -> bool {
        matches!(self, Self::TimedOut | Self::Chaos)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "is open: its dependency failed too often",
            Self::Isolated => "lets nothing through: an operator isolated it",
            Self::Probing => "tries its dependency with other calls first",
            Self::BulkheadFull => "has no place left, not even to wait",
            Self::BulkheadTimeout => "had no place in time",
            Self::RateLimited => "allows no more calls for now",
            Self::LimitReached => "has as many calls running as its dependency can do",
            Self::Shed => "is overloaded; do not try again",
            Self::Throttled => "holds back calls that would be refused",
            Self::BudgetExhausted => "has no budget left for more tries",
            Self::DeadlineExceeded => "did not begin: no time was left",
            Self::TimedOut => "had no answer in time",
            Self::Chaos => "made a fault that a test asked for",
        })
    }
}

// === impl PolicyName ===

impl PolicyName {
    /// This name, kept for ever. Equal names are one.
    pub fn new(name: &str) -> Self {
        static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
        let mut names = NAMES.lock();
        let names = names.get_or_insert_default();
        if let Some(known) = names.get(name) {
            return Self(known);
        }
        let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
        names.insert(kept);
        Self(kept)
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for PolicyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl From<&str> for PolicyName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

// === impl SeamError ===

impl SeamError for BoxError {
    fn rejected(&self) -> Option<&Rejected> {
        let first: &(dyn std::error::Error + 'static) = &**self;
        std::iter::successors(Some(first), |error| error.source())
            .find_map(|error| error.downcast_ref())
    }
}

impl SeamError for Rejected {
    fn rejected(&self) -> Option<&Rejected> {
        Some(self)
    }
}

impl<E> SeamError for CallError<E> {
    fn rejected(&self) -> Option<&Rejected> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            Self::Failed(_) => None,
        }
    }
}
