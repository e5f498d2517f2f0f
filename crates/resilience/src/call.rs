//! What every layer reads of a call: until when, which try, how important, and whether it may be repeated.
//!
//! One value travels through all layers of a process and, as headers, between processes. A layer never asks the request's type for
//! more than this, so the same layers stand around an HTTP request, a gRPC request and a delivered message.

use std::time::Duration;

use switchboard_core::Priority;
use tokio::time::Instant;

/// The facts about one call that policies decide by.
///
/// ```
/// use std::time::Duration;
/// use switchboard_core::Priority;
/// use switchboard_resilience::Call;
/// use tokio::time::Instant;
///
/// let now = Instant::now();
/// let call = Call::new().with_deadline(now + Duration::from_secs(2)).with_priority(Priority::Batch);
/// assert_eq!(call.remaining(now), Some(Duration::from_secs(2)));
/// assert!(!call.is_repeatable);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Nobody waits for the answer after this moment. Default: somebody waits for ever.
    pub deadline: Option<Instant>,
    /// 0 on the first try, counted over all layers and processes.
    pub attempt: u32,
    /// Which work is shed first.
    pub priority: Priority,
    /// Whether a second try cannot have a second effect: a safe or idempotent method, or an
    /// idempotency key. Default: it may, so nobody repeats it.
    pub is_repeatable: bool,
    /// Whether a [`Budget`](crate::Budget) has counted this call as a first try, so that a layer
    /// further in does not count it again. Never leaves the process.
    pub is_counted: bool,
}

/// A request that carries a [`Call`].
pub trait Carries {
    /// The call; its defaults when nobody has set one.
    fn call(&self) -> Call;

    /// Replaces the call, for whoever comes next.
    fn set_call(&mut self, call: Call);
}

// === impl Call ===

impl Call {
    /// A first try of standard priority, without a deadline, that must not be repeated.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, of no use after this moment, or after its present deadline if that is earlier.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |present| present.min(deadline)));
        self
    }

    /// The same, as important as this.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// The same, which may be repeated.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// The same, of no use longer than this after `now`.
    #[must_use]
    pub fn within(self, limit: Duration, now: Instant) -> Self {
        // A limit beyond what the clock can show is none.
        match now.checked_add(limit) {
            Some(deadline) => self.with_deadline(deadline),
            None => self,
        }
    }

    /// How long somebody still waits; `None` when for ever, zero when nobody does any more.
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(now))
    }
}

// === impl Carries ===

impl<B> Carries for http::Request<B> {
    fn call(&self) -> Call {
        self.extensions().get().copied().unwrap_or_default()
    }

    fn set_call(&mut self, call: Call) {
        self.extensions_mut().insert(call);
    }
}

/// Any value, with its call beside it.
impl<T> Carries for (Call, T) {
    fn call(&self) -> Call {
        self.0
    }

    fn set_call(&mut self, call: Call) {
        self.0 = call;
    }
}
