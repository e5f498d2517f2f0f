//! What several layers that each try again make of one call, without a budget and with one (R7, R10).

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Rng, Verdict};
use tower::{Layer, Service, ServiceExt};

use super::{Budget, Policy};
use crate::backoff::Jitter;
use crate::hedge::{Delay, HedgeLayer};
use crate::retry::Judge;
use crate::trial::{Error, Notes, Scripted};
use crate::{Backoff, Call, RetryLayer};

fn three(seed: u64) -> RetryLayer<u32, Error> {
    let backoff = Backoff::new(3, Duration::from_millis(20), Duration::from_secs(1)).unwrap();
    RetryLayer::new(backoff, Rng::from_seed(seed), |_: &Error| Verdict::Retry)
}

/// What a process counted does not cross a wire.
fn wire<S>(
    service: S,
    is_wired: bool,
) -> impl Service<(Call, ()), Response = u32, Error = Error, Future: Send> + Clone + Send
where
    S: Service<(Call, ()), Response = u32, Error = Error, Future: Send> + Clone + Send,
{
    service.map_request(move |(call, ()): (Call, ())| {
        (Call { is_counted: call.is_counted && !is_wired, ..call }, ())
    })
}

/// Calls for each first try, of `calls` calls that come 1 ms apart and go through three layers.
async fn check(
    calls: u32,
    share_failing: f64,
    layers: [RetryLayer<u32, Error>; 3],
    is_wired: bool,
) -> (f64, f64) {
    let rng = Arc::new(parking_lot::Mutex::new(Rng::from_seed(5)));
    let service = Scripted::new(move |nth, _| {
        let fails = rng.lock().fraction() < share_failing;
        (Duration::from_millis(1), if fails { crate::trial::failed() } else { Ok(nth) })
    });
    let notes: Arc<Notes> = service.notes.clone();
    let [outer, middle, inner] = layers;
    let service = outer.layer(wire(middle.layer(wire(inner.layer(service), is_wired)), is_wired));
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..calls {
        running.spawn(service.clone().oneshot((Call::new().repeatable(), ())));
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let answers = running.join_all().await;
    let answered = answers.iter().filter(|answer| answer.is_ok()).count() as f64;
    (notes.count() as f64 / f64::from(calls), answered / f64::from(calls))
}

#[tokio::test(start_paused = true)]
async fn r7_three_layers_of_three_naive_attempts_make_twenty_seven_calls_of_one() {
    let (amplification, _) = check(10, 1.0, [three(1), three(2), three(3)], false).await;
    assert_eq!(amplification, 27.0);
}

/// The bound of the whole: a fifth, and the floor of ten per second beside 1 000 calls per second.
#[tokio::test(start_paused = true)]
async fn r7_with_a_shared_budget_they_make_at_most_a_fourth_more() {
    let budget = Budget::new("test", Policy::recommended());
    let layers = [1, 2, 3].map(|seed| three(seed).with_budget(budget.clone()));
    let (amplification, _) = check(20_000, 1.0, layers, false).await;
    assert!((1.15..=1.25).contains(&amplification), "{amplification}");
}

/// With a budget of a tenth each, three layers stay within 1.1³, in three processes: what a caller
/// repeats pays nothing in further down.
#[tokio::test(start_paused = true)]
async fn r7_with_a_budget_of_a_tenth_each_they_stay_within_a_third() {
    let layers = [1, 2, 3].map(|seed| {
        let policy = Policy::recommended().with_floor_per_second(0.0).unwrap();
        three(seed).with_budget(Budget::new("test", policy.with_ratio(0.1).unwrap()))
    });
    let (amplification, _) = check(20_000, 1.0, layers, true).await;
    assert!((1.2..=1.34).contains(&amplification), "{amplification}");
}

/// R10: while few calls fail, a budget is never felt.
#[tokio::test(start_paused = true)]
async fn r10_below_its_ratio_a_budget_repeats_like_plain_retries() {
    let budget = Budget::new("test", Policy::recommended());
    let layers = [three(1).with_budget(budget), once(2), once(3)];
    let (amplification, answered) = check(10_000, 0.1, layers, false).await;
    assert!((1.10..=1.12).contains(&amplification), "{amplification}");
    assert!(answered > 0.998, "a tenth of a tenth of a tenth still fails: {answered}");
}

/// R10: when most calls fail, it repeats a bounded share and no more.
#[tokio::test(start_paused = true)]
async fn r10_above_its_ratio_a_budget_repeats_its_share() {
    let budget = Budget::new("test", Policy::recommended());
    let layers = [three(1).with_budget(budget), once(2), once(3)];
    let (amplification, answered) = check(20_000, 0.7, layers, false).await;
    assert!((1.15..=1.25).contains(&amplification), "{amplification}");
    assert!((0.3..=0.4).contains(&answered), "{answered}");
}

/// R4, R5: retries and hedges of one dependency empty the same budget.
#[tokio::test(start_paused = true)]
async fn r5_retries_and_hedges_share_one_budget() {
    let policy = Policy::recommended().with_floor_per_second(0.0).unwrap();
    let budget = Budget::new("test", policy);
    let slow_failure = Scripted::new(|_, _| (Duration::from_secs(1), crate::trial::failed()));
    let notes = slow_failure.notes.clone();
    let hedge = HedgeLayer::new(
        Delay::Fixed(Duration::from_millis(100)),
        budget.clone(),
        Judge::of_errors(|_: &Error| Verdict::Retry),
    )
    .unwrap();
    let plain = Backoff::classic().with_jitter(Jitter::None).unwrap();
    let retry = RetryLayer::new(plain, Rng::from_seed(1), |_: &Error| Verdict::Retry);
    let service = retry.with_budget(budget.clone()).layer(hedge.layer(slow_failure));
    for _ in 0..20 {
        service.clone().oneshot((Call::new().repeatable(), ())).await.unwrap_err();
    }
    let extra = notes.count() - 20;
    assert!(
        (2..=4).contains(&extra),
        "twenty first tries pay for four, less what expires: {extra}"
    );
}

fn once(seed: u64) -> RetryLayer<u32, Error> {
    let backoff = Backoff::new(1, Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    RetryLayer::new(backoff, Rng::from_seed(seed), |_: &Error| Verdict::Retry)
}
