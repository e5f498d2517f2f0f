//! An attempt ends in time, or is dropped.
//!
//! Without a limit, a dependency that hangs holds every caller that waits for it, and soon their callers. Put it *inside* a retry and a
//! breaker, so that each attempt has its own time and the breaker sees that it was too long (D2). It covers the response's head; a body
//! that streams has a time of its own between frames ([`IdleLayer`]).
//!
//! Not for work that must not be dropped half-way: a timeout drops the inner future.

mod body;
#[cfg(test)]
mod body_tests;
mod layer;
#[cfg(test)]
mod tests;

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower::Service;

use crate::deadline::InTime;
use crate::{Carries, PolicyName, Reason, Rejected, SeamError};

pub use body::{Idle, IdleBody, IdleFuture, IdleLayer};
pub use layer::TimeoutLayer;

/// A service whose attempts end in time.
///
/// The limit is passed inwards as the attempt's deadline, so that whoever comes next does not work
/// longer than somebody listens. An attempt that ran and got no answer was
/// [`TimedOut`](Reason::TimedOut), by whosever limit, and whether it had an effect is unknown; one
/// that was never begun, because no time was left, is
/// [`DeadlineExceeded`](Reason::DeadlineExceeded).
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    inner: S,
    name: PolicyName,
    limit: Duration,
    least: Duration,
}

// === impl Timeout ===

impl<S> Timeout<S> {
    /// Attempts of `inner` take at most `limit`.
    pub fn new(inner: S, limit: Duration) -> Self {
        Self { inner, name: PolicyName::new("timeout"), limit, least: Duration::ZERO }
    }
}

impl<S, R> Service<R> for Timeout<S>
where
    S: Service<R>,
    S::Error: SeamError,
    R: Carries,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InTime<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: R) -> Self::Future {
        let (now, call) = (Instant::now(), request.call());
        let own = call.within(self.limit, now);
        if call.remaining(now).is_some_and(|left| left <= self.least) {
            return InTime::rejected(Rejected::new(self.name, Reason::DeadlineExceeded));
        }
        request.set_call(own);
        // A dependency that hangs is one whoever's patience ends first: if attempts that the
        // caller's deadline ends said nothing, callers in a hurry would never open its breaker.
        let rejected = Rejected::new(self.name, Reason::TimedOut);
        InTime::until(own.deadline, self.inner.call(request), rejected)
    }
}
