//! A service at 70 % load, a trigger that makes it slow for some seconds, and what comes after the trigger is gone.
//!
//! Naive: whatever arrives is queued and done, though its caller gave up long ago, and callers ask three times. Guarded: the queue is short
//! and work that nobody waits for is not begun, callers carry a deadline, and a budget pays for their retries.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use switchboard_core::{BoxError, Rng, Verdict};
use switchboard_resilience::budget::{Budget, Policy};
use switchboard_resilience::bulkhead::{Bulkhead, Options};
use switchboard_resilience::{Backoff, Call, RetryLayer, TimeoutLayer};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::amplify::DrillError;

/// Calls that the service does at the same time.
const WORKERS: usize = 10;
/// How long each takes, as long as all is well: so 1 000 a second can be done.
const WORK: Duration = Duration::from_millis(10);
/// How long each takes while the trigger lasts.
const SLOW_WORK: Duration = Duration::from_millis(60);
/// Calls that come each time, and how often they come: 700 a second.
const WAVE: (u32, Duration) = (7, Duration::from_millis(10));
/// How long a caller waits for one attempt.
const ATTEMPT: Duration = Duration::from_millis(100);
/// How long a caller waits in all.
const PATIENCE: Duration = Duration::from_millis(300);
/// Seconds before the trigger, of it, and after it.
const SECONDS: (u64, u64, u64) = (2, 3, 7);
/// The last seconds, by which recovery is judged.
const JUDGED: usize = 3;

/// Where in the drill a second lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// All is well.
    Calm,
    /// The service is six times as slow.
    Trigger,
    /// It is as fast again as it was.
    After,
}

/// One second of one way to call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Calls that somebody wanted to make.
    pub wanted: u64,
    /// Attempts that reached the service.
    pub asked: u64,
    /// Calls that were answered in time.
    pub answered: u64,
}

/// What became of it, second by second.
#[derive(Clone, Debug)]
pub struct Storm {
    /// Where each second lies.
    pub phases: Vec<Phase>,
    /// With naive retries.
    pub naive: Vec<Second>,
    /// With a short queue, deadlines and a budget.
    pub guarded: Vec<Second>,
}

#[derive(Debug, Default)]
struct Counts {
    wanted: AtomicU64,
    asked: AtomicU64,
    answered: AtomicU64,
}

// === impl Phase ===

impl Phase {
    fn of(second: u64) -> Self {
        match second {
            second if second < SECONDS.0 => Self::Calm,
            second if second < SECONDS.0 + SECONDS.1 => Self::Trigger,
            _ => Self::After,
        }
    }

    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Trigger => "trigger",
            Self::After => "after",
        }
    }
}

// === impl Storm ===

impl Storm {
    /// The share of calls that were answered in the last three seconds: naively, and guarded.
    pub fn recovered(&self) -> (f64, f64) {
        let share = |seconds: &[Second]| {
            let last = || seconds.iter().rev().take(JUDGED);
            let wanted: u64 = last().map(|second| second.wanted).sum();
            let answered: u64 = last().map(|second| second.answered).sum();
            answered as f64 / wanted.max(1) as f64
        };
        (share(&self.naive), share(&self.guarded))
    }
}

/// Runs both ways side by side, each against a service of its own: twelve seconds.
///
/// # Errors
/// [`DrillError`], which is a mistake of ours.
pub async fn storm(seed: u64) -> Result<Storm, DrillError> {
    let begun = Instant::now();
    let mut rng = Rng::from_seed(seed);
    let (naive, guarded) = (Arc::new(Counts::default()), Arc::new(Counts::default()));
    let backoff = Backoff::new(3, Duration::from_millis(1), Duration::from_millis(20))?;
    let retry =
        |rng: &mut Rng| RetryLayer::new(backoff.clone(), rng.fork(), |_: &BoxError| Verdict::Retry);
    let budget = Budget::new("drill", Policy::recommended().with_ratio(0.1)?);
    let plain = retry(&mut rng).layer(TimeoutLayer::new(ATTEMPT).layer(queue(begun, &naive)));
    let careful = retry(&mut rng).with_budget(budget);
    let careful = careful.layer(TimeoutLayer::new(ATTEMPT).layer(places(begun, &guarded)?));
    let (naive, guarded) = tokio::join!(
        load(begun, plain, naive, Call::new().repeatable(), false),
        load(begun, careful, guarded, Call::new().repeatable(), true),
    );
    let phases = (0..naive.len() as u64).map(Phase::of).collect();
    Ok(Storm { phases, naive, guarded })
}

fn work(begun: Instant) -> Duration {
    match Phase::of(begun.elapsed().as_secs()) {
        Phase::Trigger => SLOW_WORK,
        Phase::Calm | Phase::After => WORK,
    }
}

/// A service that queues everything and does it all, whether anybody still waits or not.
fn queue(begun: Instant, counts: &Arc<Counts>) -> impl Attempted {
    let (workers, counts) = (Arc::new(Semaphore::new(WORKERS)), counts.clone());
    service_fn(move |_: (Call, ())| {
        counts.asked.fetch_add(1, Ordering::Relaxed);
        let workers = workers.clone();
        // A task of its own: a caller that gives up does not take the work back.
        let work = tokio::spawn(async move {
            let _worker = workers.acquire_owned().await;
            tokio::time::sleep(work(begun)).await;
        });
        async move { work.await.map_err(BoxError::from) }
    })
}

/// A service with a short queue, which begins nothing that nobody waits for.
fn places(begun: Instant, counts: &Arc<Counts>) -> Result<impl Attempted + use<>, DrillError> {
    let options = Options::new(WORKERS)?.with_queue(WORKERS * 4, ATTEMPT)?;
    let (workers, counts) = (Bulkhead::new("drill-service", options), counts.clone());
    Ok(service_fn(move |(call, ()): (Call, ())| {
        counts.asked.fetch_add(1, Ordering::Relaxed);
        let place = workers.acquire(&call);
        async move {
            let place = place.await?;
            // What was begun is done here too.
            let work = tokio::spawn(async move {
                let _place = place;
                tokio::time::sleep(work(begun)).await;
            });
            work.await.map_err(BoxError::from)
        }
    }))
}

/// Sends one wave after another and counts, second by second, what is answered in time.
async fn load<S>(
    begun: Instant,
    service: S,
    counts: Arc<Counts>,
    call: Call,
    has_deadline: bool,
) -> Vec<Second>
where
    S: Service<(Call, ()), Response = (), Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let (mut seconds, mut before) = (Vec::new(), Second::default());
    let mut waves = tokio::time::interval_at(begun, WAVE.1);
    let mut running = JoinSet::new();
    let end = SECONDS.0 + SECONDS.1 + SECONDS.2;
    while (seconds.len() as u64) < end {
        let now = waves.tick().await;
        for _ in 0..WAVE.0 {
            let call = if has_deadline { call.with_deadline(now + PATIENCE) } else { call };
            let (service, counts) = (service.clone(), counts.clone());
            counts.wanted.fetch_add(1, Ordering::Relaxed);
            running.spawn(async move {
                let answer = tokio::time::timeout(PATIENCE, service.oneshot((call, ()))).await;
                if matches!(answer, Ok(Ok(()))) {
                    counts.answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while running.try_join_next().is_some() {}
        if begun.elapsed() >= Duration::from_secs(seconds.len() as u64 + 1) {
            let all = counts.so_far();
            seconds.push(all.since(before));
            before = all;
        }
    }
    running.abort_all();
    seconds
}

/// A modelled service.
trait Attempted:
    Service<(Call, ()), Response = (), Error = BoxError, Future: Future + Send + 'static>
    + Clone
    + Send
    + 'static
{
}

impl<S> Attempted for S where
    S: Service<(Call, ()), Response = (), Error = BoxError, Future: Future + Send + 'static>
        + Clone
        + Send
        + 'static
{
}

// === impl Counts ===

impl Counts {
    fn so_far(&self) -> Second {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Second {
            wanted: count(&self.wanted),
            asked: count(&self.asked),
            answered: count(&self.answered),
        }
    }
}

impl Second {
    fn since(self, before: Self) -> Self {
        Self {
            wanted: self.wanted - before.wanted,
            asked: self.asked - before.asked,
            answered: self.answered - before.answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trigger lasts three seconds in both cases; only what retries make of it differs.
    #[tokio::test(start_paused = true)]
    async fn naive_retries_keep_an_overload_alive_and_guarded_calls_recover() {
        let storm = storm(1).await.unwrap();
        let calm = |seconds: &[Second]| seconds[1].answered as f64 / seconds[1].wanted as f64;
        assert!(calm(&storm.naive) > 0.99 && calm(&storm.guarded) > 0.99, "{storm:?}");
        let (naive, guarded) = storm.recovered();
        assert!(naive < 0.05, "naive callers got {naive} after the trigger");
        assert!(guarded > 0.99, "guarded callers got {guarded} after the trigger");
        assert_eq!(storm.phases.len(), storm.naive.len());
    }
}
