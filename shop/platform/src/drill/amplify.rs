//! Three layers that each try three times make 27 calls of one, just when the dependency has least to give (R7).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use switchboard_core::{BoxError, Rng, Verdict};
use switchboard_resilience::budget::{Budget, Policy};
use switchboard_resilience::{Backoff, Call, InvalidOptions, RetryLayer};
use tokio::task::JoinSet;
use tower::{Layer, Service, ServiceExt, service_fn};

/// Between two calls.
const PACE: Duration = Duration::from_millis(1);
/// What each of three budgets pays for: a tenth of the first tries.
const SHARE: f64 = 0.1;

/// Calls that reached a dependency that is down, for each call that somebody wanted to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amplified {
    /// Three layers of three attempts.
    pub naive: f64,
    /// The same, each with a budget of a tenth of its first tries.
    pub budgeted: f64,
}

/// A drill cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// The waits, the budget, or the places of the modelled service; the cause says which.
    #[error("the policies of the drill cannot be meant")]
    Policies(#[from] InvalidOptions),
}

/// Makes this many calls, a millisecond apart, of a dependency that is down.
///
/// # Errors
/// [`DrillError`], which is a mistake of ours.
pub async fn amplify(calls: u32, seed: u64) -> Result<Amplified, DrillError> {
    let mut rng = Rng::from_seed(seed);
    let naive = [layer(&mut rng)?, layer(&mut rng)?, layer(&mut rng)?];
    let budgeted = [1, 2, 3].map(|number| {
        let policy = Policy::recommended().with_floor_per_second(0.0)?.with_ratio(SHARE)?;
        let budget = Budget::new(&*format!("drill-layer-{number}"), policy);
        Ok::<_, DrillError>(layer(&mut rng)?.with_budget(budget))
    });
    let [outer, middle, inner] = budgeted;
    let (naive, budgeted) =
        tokio::join!(asked(calls, naive), asked(calls, [outer?, middle?, inner?]));
    Ok(Amplified { naive, budgeted })
}

fn layer(rng: &mut Rng) -> Result<RetryLayer<(), BoxError>, DrillError> {
    let backoff = Backoff::new(3, Duration::from_millis(1), Duration::from_millis(20))?;
    Ok(RetryLayer::new(backoff, rng.fork(), |_: &BoxError| Verdict::Retry))
}

async fn asked(calls: u32, [outer, middle, inner]: [RetryLayer<(), BoxError>; 3]) -> f64 {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let dependency = service_fn(move |_: (Call, ())| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Err::<(), BoxError>("it is down".into()))
    });
    let service = outer.layer(wire(middle.layer(wire(inner.layer(dependency)))));
    let mut running = JoinSet::new();
    for _ in 0..calls {
        running.spawn(service.clone().oneshot((Call::new().repeatable(), ())));
        tokio::time::sleep(PACE).await;
    }
    running.join_all().await;
    count.load(Ordering::Relaxed) as f64 / f64::from(calls.max(1))
}

/// What a process has counted does not cross a wire: each layer is one of another process.
fn wire<S>(
    service: S,
) -> impl Service<(Call, ()), Response = (), Error = BoxError, Future: Send> + Clone + Send
where
    S: Service<(Call, ()), Response = (), Error = BoxError, Future: Send> + Clone + Send,
{
    service.map_request(|(call, ()): (Call, ())| (Call { is_counted: false, ..call }, ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn r7_three_naive_layers_make_27_calls_of_one_and_budgets_at_most_1_4() {
        let amplified = amplify(2_000, 1).await.unwrap();
        assert_eq!(amplified.naive, 27.0);
        assert!((1.1..=1.4).contains(&amplified.budgeted), "{amplified:?}");
    }
}
