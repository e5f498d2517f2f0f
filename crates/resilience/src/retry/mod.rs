//! An attempt that failed in a way that may pass by itself is repeated, after a wait, within the caller's deadline and the budget.
//!
//! Most failures of a network are short: a connection that was closed, a process that restarts. Waiting a moment and asking again hides
//! them. But repeating is also how a small fault becomes a large one, so everything here is about when *not* to repeat: a call that must
//! not happen twice ([`Call::is_repeatable`]), an answer that is one ([`Judge`]), a wait that ends past the deadline, a dependency that
//! asked for time, a budget that is used up, and whatever a policy further in did not let through.
//!
//! Not for work that a queue should carry: a retry holds the caller, a queue does not. Retries in several layers multiply; keep one near
//! the dependency, give it a [`Budget`], and mark the answers after which it gave up ([`RetryLayer::when_giving_up`]).
//!
//! ```
//! use switchboard_core::{BoxError, Rng, Verdict};
//! use switchboard_resilience::{Backoff, Budget, Call, RetryLayer, budget};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let mut service = ServiceBuilder::new()
//!     .layer(
//!         RetryLayer::new(Backoff::recommended(), Rng::from_seed(1), |_: &BoxError| Verdict::Retry)
//!             .with_budget(Budget::new("stock", budget::Policy::recommended())),
//!     )
//!     .service(service_fn(|(call, product): (Call, &'static str)| async move {
//!         if call.attempt == 0 { Err(BoxError::from("connection reset")) } else { Ok(product.len()) }
//!     }));
//! let request = (Call::new().repeatable(), "lamp");
//! assert_eq!(service.ready().await?.call(request).await?, 4);
//! # Ok(()) }
//! ```

mod again;
mod body;
#[cfg(test)]
mod body_tests;
mod layer;
mod policy;
#[cfg(test)]
mod policy_tests;
mod replay;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::Rng;
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use crate::budget::{Budget, Charge, Spent};
use crate::{Call, Carries, PolicyName, Reason, Rejected, SeamError};

pub use again::{Again, Class, Hint, Judge};
pub use body::{Committed, ReplayBody, ReplayLayer, ReplayService};
pub use layer::RetryLayer;
pub use policy::{Policy, Progress, Stop};
pub use replay::Replay;

/// Attempts that were repetitions, by `policy`.
pub const RETRIES: &str = "switchboard.resilience.retries";
/// Failed calls that were not repeated (further), by `policy` and `because`.
pub const STOPPED: &str = "switchboard.resilience.retries.stopped";
/// The counters of this module, each with what it counts.
pub const METRICS: &[(&str, &str)] = &[
    (RETRIES, "Attempts that were repetitions"),
    (STOPPED, "Failed calls that were not repeated further"),
];

/// A service whose failed calls are repeated.
pub struct Retry<S, T, E> {
    inner: S,
    settings: Arc<Settings<T, E>>,
}

struct Settings<T, E> {
    name: PolicyName,
    policy: Policy,
    rng: Arc<Mutex<Rng>>,
    judge: Judge<T, E>,
    budget: Option<Budget>,
    give_up: Option<Arc<GiveUp<T, E>>>,
}

type GiveUp<T, E> = dyn Fn(&mut Result<T, E>, Stop) + Send + Sync;

// === impl Retry ===

impl<S, R> Service<R> for Retry<S, S::Response, S::Error>
where
    // Inner service: cloned for each call, and made ready again before each attempt.
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: SeamError + Send + 'static,
    S::Response: Send + 'static,
    // Request: kept for the next attempt.
    R: Replay + Carries + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    /// # Cancel safety
    /// Dropping the future drops the attempt that runs; tokens of one that was not sent go back.
    fn call(&mut self, request: R) -> Self::Future {
        // The service that was made ready must be the one that is called; its clone waits here.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(run(inner, request, self.settings.clone()))
    }
}

async fn run<S, R>(
    mut inner: S,
    mut request: R,
    settings: Arc<Settings<S::Response, S::Error>>,
) -> Result<S::Response, S::Error>
where
    S: Service<R>,
    S::Error: SeamError,
    R: Replay + Carries,
{
    let mut call = request.call();
    let (first, mut progress) = (call.attempt, Progress::default());
    let deadline = settings.policy.deadline(call.deadline);
    if let Some(budget) = &settings.budget {
        budget.first_try(&mut call);
    }
    request.set_call(call);
    let template = (settings.policy.backoff().attempts() > 1).then(|| request.replay()).flatten();
    let mut spent = None;
    loop {
        let mut answer = inner.call(request).await;
        let again = || template.as_ref().and_then(Replay::replay);
        let (wait, charge);
        (wait, charge, request) = match settings.next(&mut progress, &answer, call, deadline, again)
        {
            Ok(next) => next,
            Err(stop) => {
                settings.stop(stop, &mut answer, progress, spent, deadline).await;
                return answer;
            }
        };
        // It may hold a connection, which nobody needs while this waits.
        drop(answer);
        tokio::time::sleep(wait).await;
        settings.ready(&mut inner, deadline).await?;
        spent = charge.map(Charge::sent);
        metrics::counter!(RETRIES, "policy" => settings.name.as_str()).increment(1);
        call.attempt = first.saturating_add(progress.failed);
        request.set_call(call);
    }
}

// === impl Settings ===

impl<T, E: SeamError> Settings<T, E> {
    /// The wait, what paid for it and the request of the next attempt, if there is one.
    fn next<R>(
        &self,
        progress: &mut Progress,
        answer: &Result<T, E>,
        call: Call,
        deadline: Option<Instant>,
        request: impl FnOnce() -> Option<R>,
    ) -> Result<(Duration, Option<Charge>, R), Stop> {
        let again = self.judge.judge(answer);
        // Most answers end here, without a clock and without the lock that all calls share.
        let (class, hint) = self.policy.may(progress, again, call.is_repeatable)?;
        let time_left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let wait = self.policy.wait(progress, class, hint, time_left, &mut self.rng.lock())?;
        let request = request().ok_or(Stop::Committed)?;
        // The budget comes last: it pays for attempts that will be made, not for those that could.
        let charge = match &self.budget {
            Some(budget) => Some(budget.try_charge(class).map_err(|_| Stop::Budget)?),
            None => None,
        };
        Ok((wait, charge, request))
    }

    /// The last answer is here.
    async fn stop(
        &self,
        stop: Stop,
        answer: &mut Result<T, E>,
        progress: Progress,
        spent: Option<Spent>,
        deadline: Option<Instant>,
    ) {
        if stop == Stop::Answered {
            match (answer, spent, &self.budget) {
                (Ok(_), Some(spent), _) => spent.succeeded(),
                (Ok(_), None, Some(budget)) if progress.failed == 1 => budget.first_success(),
                _ => {}
            }
            return;
        }
        metrics::counter!(STOPPED, "policy" => self.name.as_str(), "because" => stop.as_str())
            .increment(1);
        // The lock is not held while this waits.
        let parting = || self.policy.backoff().parting_wait(&mut self.rng.lock());
        if let Some(wait) = (stop == Stop::Attempts).then(parting).flatten() {
            let until = Instant::now() + wait;
            tokio::time::sleep_until(deadline.map_or(until, |deadline| until.min(deadline))).await;
        }
        if stop.is_for_all()
            && let Some(mark) = &self.give_up
        {
            mark(answer, stop);
        }
    }

    /// R8: the service is made ready again before each attempt, and what its readiness says is
    /// final.
    async fn ready<S, R>(&self, inner: &mut S, deadline: Option<Instant>) -> Result<(), E>
    where
        S: Service<R, Error = E>,
    {
        let Some(deadline) = deadline else { return inner.ready().await.map(drop) };
        match tokio::time::timeout_at(deadline, inner.ready()).await {
            Ok(ready) => ready.map(drop),
            Err(_) => Err(Rejected::new(self.name, Reason::DeadlineExceeded).into()),
        }
    }
}

impl<T, E> Clone for Settings<T, E> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            policy: self.policy.clone(),
            rng: self.rng.clone(),
            judge: self.judge.clone(),
            budget: self.budget.clone(),
            give_up: self.give_up.clone(),
        }
    }
}

// === impl Retry ===

impl<S: Clone, T, E> Clone for Retry<S, T, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), settings: self.settings.clone() }
    }
}

impl<S: std::fmt::Debug, T, E> std::fmt::Debug for Retry<S, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retry")
            .field("inner", &self.inner)
            .field("policy", &self.settings.policy)
            .finish_non_exhaustive()
    }
}
