//! Measures what a wall between kinds of work is worth: the p99 of critical calls while batch is idle, and while batch is full.
//!
//! ```text
//! cargo run --release -p switchboard-resilience --example pools
//! ```
//!
//! Both phases run in turn, several times, so that a noisy machine disturbs both alike; the medians of the phases are compared. A third
//! line shows the same work without walls, in one pool of sixty places: batch is in its way.

use std::time::Duration;

use switchboard_core::Priority;
use switchboard_resilience::bulkhead::{Bulkhead, BulkheadLayer, Choose, Options, Pools};
use switchboard_resilience::{Call, Rejected};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

type Request = (Call, Duration);

/// Rounds of a phase, and calls of each of twenty callers in a round.
const ROUNDS: usize = 7;
const CALLS: usize = 200;
/// What a critical call takes.
const WORK: Duration = Duration::from_millis(2);

#[tokio::main(worker_threads = 2)]
async fn main() {
    let pools = Pools::recommended("example");
    let (mut idle, mut full) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        idle.push(p99(pools.clone(), 0).await);
        full.push(p99(pools.clone(), 20).await);
    }
    let (idle, full) = (median(idle), median(full));
    let moved = 100.0 * (full.as_secs_f64() / idle.as_secs_f64() - 1.0);
    println!("pools 20/30/10, batch idle   p99 of critical {idle:?}");
    println!("pools 20/30/10, batch full   p99 of critical {full:?}  moved by {moved:+.1} %");

    let options =
        Options::new(60).and_then(|options| options.with_queue(60, Duration::from_secs(1)));
    let Ok(options) = options else { return };
    let without = median(vec![p99(Bulkhead::new("one", options), 60).await]);
    println!("one pool of 60, batch full   p99 of critical {without:?}");
}

/// The p99 of critical calls of twenty callers, while so many batch calls hold or want a place.
async fn p99<C>(choose: C, batch: usize) -> Duration
where
    C: Choose<Request> + Clone + Send + 'static,
{
    let inner = service_fn(|(_, takes): Request| async move {
        tokio::time::sleep(takes).await;
        Ok::<_, Rejected>(())
    });
    let service = BulkheadLayer::choosing(choose).layer(inner);
    let mut background = JoinSet::new();
    for _ in 0..batch {
        let service = service.clone();
        background.spawn(async move {
            // Each takes its place again as soon as it has lost it.
            loop {
                let call = Call::new().with_priority(Priority::Batch);
                if service.clone().oneshot((call, Duration::from_millis(200))).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    tokio::task::yield_now().await;

    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let mut service = service.clone();
        callers.spawn(async move {
            let mut took = Vec::with_capacity(CALLS);
            for _ in 0..CALLS {
                let call = Call::new().with_priority(Priority::Critical);
                let begun = Instant::now();
                let answer = match service.ready().await {
                    Ok(ready) => ready.call((call, WORK)).await,
                    Err(error) => Err(error),
                };
                // A call that found no place did not end sooner for it.
                took.push(if answer.is_ok() { begun.elapsed() } else { Duration::MAX });
            }
            took
        });
    }
    let mut took: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    background.shutdown().await;
    took.sort_unstable();
    took.get(took.len() * 99 / 100).copied().unwrap_or_default()
}

fn median(mut of: Vec<Duration>) -> Duration {
    of.sort_unstable();
    of.get(of.len() / 2).copied().unwrap_or_default()
}
