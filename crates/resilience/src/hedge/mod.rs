//! A call that is slow is asked once more beside the first, and the first answer that comes wins.
//!
//! When one call in twenty is slow because of where it landed and not because of what it asks, a second one, sent when the first is later
//! than 95 % are, makes the slow ones nearly as fast as the others for a twentieth more load (J. Dean and L. Barroso, "The Tail at
//! Scale", 2013). When *all* are slow it would double the load on a dependency that has too much already, so hedges come out of the same
//! budget as retries (R5) and stop when the dependency says that it is busy.
//!
//! Only calls that may be repeated are hedged, because both attempts may have their effect. Not for dependencies that queue: there a
//! second request only stands behind the first.
//!
//! ```
//! use std::time::Duration;
//! use switchboard_core::{BoxError, Verdict};
//! use switchboard_resilience::hedge::{Delay, HedgeLayer};
//! use switchboard_resilience::{Budget, Call, budget, retry::Judge};
//! use tokio::time::sleep;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let budget = Budget::new("stock", budget::Policy::recommended());
//! let judge = Judge::of_errors(|_: &BoxError| Verdict::Retry);
//! let mut service = ServiceBuilder::new()
//!     .layer(HedgeLayer::new(Delay::Fixed(Duration::from_millis(10)), budget, judge)?)
//!     .service(service_fn(|(call, ()): (Call, ())| async move {
//!         if call.attempt == 0 { sleep(Duration::from_secs(60)).await } // landed badly
//!         Ok::<_, BoxError>(call.attempt)
//!     }));
//! assert_eq!(service.ready().await?.call((Call::new().repeatable(), ())).await?, 1);
//! # Ok(()) }
//! ```

mod delay;
mod layer;
mod race;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;
use tower::{Service, ServiceExt};

use crate::budget::Budget;
use crate::retry::{Again, Class, Judge, Replay};
use crate::{Carries, PolicyName, SeamError};
use delay::Latencies;
use race::Race;

pub use delay::Delay;
pub use layer::HedgeLayer;

/// Attempts sent beside a slow one, by `policy`.
pub const HEDGES: &str = "switchboard.resilience.hedges";
/// Hedges whose answer came first, by `policy`.
pub const WON: &str = "switchboard.resilience.hedges.won";
/// The counters of this module, each with what it counts.
pub const METRICS: &[(&str, &str)] =
    &[(HEDGES, "Attempts sent beside a slow one"), (WON, "Hedges whose answer came first")];

/// A service whose slow calls are sent once more beside the first.
pub struct Hedge<S, T, E> {
    inner: S,
    settings: Arc<Settings<T, E>>,
    latencies: Arc<Latencies>,
}

struct Settings<T, E> {
    name: PolicyName,
    delay: Delay,
    most: u32,
    budget: Budget,
    judge: Judge<T, E>,
}

/// Which attempt ended, and its answer; none of a service that could not be made ready.
type Ended<T, E> = (u32, Option<Result<T, E>>);

// === impl Hedge ===

impl<S, R> Service<R> for Hedge<S, S::Response, S::Error>
where
    // Inner service: a clone of it makes the second attempt.
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: SeamError + Send + 'static,
    S::Response: Send + 'static,
    // Request: kept for the second attempt.
    R: Replay + Carries + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    /// # Cancel safety
    /// Dropping the future drops all attempts.
    fn call(&mut self, mut request: R) -> Self::Future {
        let mut call = request.call();
        self.settings.budget.first_try(&mut call);
        request.set_call(call);
        let template = if call.is_repeatable { request.replay() } else { None };
        let spare = self.inner.clone();
        let first = self.inner.call(request);
        let (settings, latencies) = (self.settings.clone(), self.latencies.clone());
        match template {
            Some(template) => Box::pin(run(spare, first, template, settings, latencies)),
            None => Box::pin(first),
        }
    }
}

async fn run<S, R>(
    spare: S,
    first: S::Future,
    template: R,
    settings: Arc<Settings<S::Response, S::Error>>,
    latencies: Arc<Latencies>,
) -> Result<S::Response, S::Error>
where
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: SeamError + Send + 'static,
    S::Response: Send + 'static,
    R: Replay + Carries + Send + 'static,
{
    let begun = Instant::now();
    let delay = settings.delay.after(&latencies);
    let deadline = template.call().deadline;
    let mut race = Race::of(async move { (0, Some(first.await)) });
    let (mut hedges, mut may_hedge, mut failure) = (0, true, None);
    loop {
        let due = begun + delay * (hedges + 1);
        let is_in_time = deadline.is_none_or(|deadline| due < deadline);
        let (attempt, answer) = tokio::select! {
            // Biased, so that an answer that is there is not hedged.
            biased;
            ended = race.next() => ended,
            () = tokio::time::sleep_until(due), if may_hedge && is_in_time => {
                hedges += 1;
                may_hedge = join(&mut race, spare.clone(), &template, hedges, &settings)
                    && hedges < settings.most;
                continue;
            }
        };
        if let Some(answer) = answer {
            let again = settings.judge.judge(&answer);
            // What a policy further in did not let through is no answer of the dependency: another
            // attempt may still bring one.
            let is_rejected = answer.as_ref().err().is_some_and(|error| error.rejected().is_some());
            if again == Again::No && !is_rejected {
                // Losers end before the winner is seen.
                drop(race);
                latencies.record(begun.elapsed());
                if attempt > 0 {
                    metrics::counter!(WON, "policy" => settings.name.as_str()).increment(1);
                }
                return answer;
            }
            // Pushback: what is busy is not asked twice.
            may_hedge &= again == Again::TRANSIENT || again == Again::NOT_SENT;
            // Of answers that all failed, the first attempt's is told.
            if attempt == 0 || failure.is_none() {
                failure = Some(answer);
            }
        }
        // Also after an attempt that could not begin: it may have been the last to wait for.
        if race.is_over()
            && let Some(failure) = failure.take()
        {
            return failure;
        }
    }
}

/// Sends another attempt, if the budget pays for it and the request can be sent again. Whatever
/// goes wrong here fails only the extra attempt (R5).
fn join<S, R>(
    race: &mut Race<Ended<S::Response, S::Error>>,
    mut spare: S,
    template: &R,
    hedge: u32,
    settings: &Settings<S::Response, S::Error>,
) -> bool
where
    S: Service<R> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: SeamError + Send + 'static,
    S::Response: Send + 'static,
    R: Replay + Carries + Send + 'static,
{
    let Some(mut request) = template.replay() else { return false };
    let Ok(charge) = settings.budget.try_charge(Class::Transient) else { return false };
    let mut call = request.call();
    call.attempt = call.attempt.saturating_add(hedge);
    request.set_call(call);
    let (name, judge) = (settings.name, settings.judge.clone());
    race.join(async move {
        // R8: a clone is not ready because the original was.
        if spare.ready().await.is_err() {
            return (hedge, None);
        }
        let spent = charge.sent();
        metrics::counter!(HEDGES, "policy" => name.as_str()).increment(1);
        let answer = spare.call(request).await;
        if answer.is_ok() && judge.judge(&answer) == Again::No {
            spent.succeeded();
        }
        (hedge, Some(answer))
    });
    true
}

impl<S: Clone, T, E> Clone for Hedge<S, T, E> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            settings: self.settings.clone(),
            latencies: self.latencies.clone(),
        }
    }
}

impl<S: std::fmt::Debug, T, E> std::fmt::Debug for Hedge<S, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hedge")
            .field("inner", &self.inner)
            .field("delay", &self.settings.delay)
            .finish_non_exhaustive()
    }
}

// === impl Settings ===

impl<T, E> Clone for Settings<T, E> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            delay: self.delay,
            most: self.most,
            budget: self.budget.clone(),
            judge: self.judge.clone(),
        }
    }
}
