//! Orders that work pass, orders that hide something are explained, and the worst is known.

use std::time::Duration;

use proptest::prelude::*;
use switchboard_core::{Priority, Rng, Verdict};
use tower::layer::util::Identity;
use tower::{Layer, ServiceExt};

use super::{Facts, Kind, Pipeline, Step, check, explain};
use crate::adaptive::{AdaptiveLimit, AdaptiveLimitLayer};
use crate::backoff::Jitter;
use crate::bulkhead::{Bulkhead, BulkheadLayer, Options, Pools};
use crate::probe::{Probe, taking};
use crate::rate_limit::{KeyedRateLimit, KeyedRateLimitLayer, Rate, RateLimit, RateLimitLayer};
use crate::shed::{Shed, ShedLayer};
use crate::throttle::{Throttle, ThrottleLayer};
use crate::{Backoff, Rejected, RetryLayer, TimeoutLayer, adaptive};

const SECOND: Duration = Duration::from_secs(1);

fn retry(backoff: Backoff) -> RetryLayer<u32, Rejected> {
    RetryLayer::new(backoff, Rng::from_seed(1), |_: &Rejected| Verdict::Retry)
}

fn described(layer: &impl super::Describe) -> Step {
    layer.describe()
}

fn timeout(seconds: u64) -> Step {
    described(&TimeoutLayer::new(SECOND * u32::try_from(seconds).unwrap()))
}

fn classic() -> Step {
    described(&retry(Backoff::classic()))
}

fn budgeted(attempts: u32, budget: &str) -> Step {
    let facts = Facts::NONE.with_attempts(attempts, SECOND, SECOND).with_budget(budget, 0.2);
    Step::new(Kind::Retry).with_detail(format!("{attempts} attempts")).with_facts(facts)
}

fn breaker() -> Step {
    Step::new(Kind::Breaker)
}

/// The only mistake in these layers, in words; nothing when there is none.
#[track_caller]
fn mistake(steps: &[Step]) -> String {
    let mistakes = check(steps);
    assert!(mistakes.len() <= 1, "{mistakes:?}");
    mistakes.first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn d13_the_standard_order_passes() {
    let order = [
        Step::new(Kind::Trace),
        Step::new(Kind::Fallback),
        Step::new(Kind::Deadline).with_facts(Facts::NONE.with_limit(SECOND * 9)),
        Step::new(Kind::Shed),
        Step::new(Kind::RateLimit),
        budgeted(3, "payments"),
        Step::new(Kind::Hedge).with_facts(Facts::NONE.with_hedges(1, SECOND)),
        Step::new(Kind::Throttle),
        breaker(),
        Step::new(Kind::Bulkhead),
        Step::new(Kind::AdaptiveLimit),
        timeout(2),
        Step::new(Kind::Chaos),
        Step::new(Kind::Other("Sign")),
    ];
    assert_eq!(mistake(&order), "");
    assert_eq!(
        explain(&order),
        "Trace over Fallback over Deadline over Shed over RateLimit over Retry(3 attempts) over \
         Hedge over Throttle over Breaker over Bulkhead over AdaptiveLimit over Timeout(2 s) over \
         Chaos over Sign: at most 6 calls (2.4 by budget), 9 s"
    );
}

#[test]
fn explains_the_worst_case_exactly() {
    let steps = [classic(), breaker(), timeout(2)];
    assert_eq!(
        explain(&steps),
        "Retry(classic, 5 attempts) over Breaker over Timeout(2 s): at most 5 calls, 25 s, 28 s \
         with jitter"
    );
}

/// The same of the layers themselves, and of all that this crate has.
#[test]
fn the_layers_themselves_explain_the_worst_case_exactly() {
    use crate::breaker::{Breaker, Environment, Options};
    use crate::{BreakerLayer, Classifier, DeadlineLayer, HedgeLayer, budget, hedge};

    let breaker = || {
        let breaker = Breaker::new("payments", Options::classic(), Environment::seeded(1));
        BreakerLayer::<u32, Rejected>::new(breaker, Classifier::of_errors())
    };
    let pipeline = Pipeline::new("payments")
        .layer(retry(Backoff::classic()))
        .layer(breaker())
        .layer(TimeoutLayer::new(SECOND * 2))
        .build()
        .unwrap();
    assert_eq!(
        pipeline.explain(),
        "Retry(classic, 5 attempts) over Breaker over Timeout(2 s): at most 5 calls, 25 s, 28 s \
         with jitter"
    );

    let budget = crate::Budget::new("payments", budget::Policy::recommended());
    let hedge = HedgeLayer::<u32, Rejected>::new(
        hedge::Delay::Fixed(Duration::from_millis(200)),
        budget.clone(),
        Classifier::of_errors(),
    );
    let pipeline = Pipeline::new("payments")
        .layer(DeadlineLayer::new(SECOND * 10))
        .layer(retry(Backoff::recommended()).with_budget(budget))
        .layer(hedge.unwrap())
        .layer(breaker())
        .layer(TimeoutLayer::new(SECOND * 2))
        .build()
        .unwrap();
    assert_eq!(
        pipeline.explain(),
        "Deadline(10 s) over Retry(recommended, 3 attempts) over Hedge(1 more) over Breaker over \
         Timeout(2 s): at most 6 calls (1.2 by budget), 6.8 s"
    );
    // A shorter timeout outside the breaker hides a hung dependency from it.
    let error = Pipeline::new("payments")
        .layer(TimeoutLayer::new(SECOND))
        .layer(breaker())
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("never sees that a call hangs"), "{error}");
}

#[test]
fn explains_what_has_no_end_and_what_is_nothing() {
    assert_eq!(
        explain(&[classic(), breaker()]),
        "Retry(classic, 5 attempts) over Breaker: at most 5 calls, without an end: add a timeout"
    );
    assert_eq!(explain(&[timeout(2)]), "Timeout(2 s): at most 1 call, 2 s");
    assert_eq!(explain(&[]), "at most 1 call, without an end: add a timeout");
}

#[test]
fn a_total_of_the_retry_bounds_the_start_of_its_last_attempt() {
    let retry = described(&retry(Backoff::classic()).with_total(SECOND * 10));
    assert_eq!(
        explain(&[retry, timeout(2)]),
        "Retry(classic, 5 attempts) over Timeout(2 s): at most 5 calls, 12 s"
    );
}

#[test]
fn short_times_are_shown_as_such() {
    let backoff = Backoff::new(3, Duration::from_millis(50), SECOND * 20).unwrap();
    let backoff = backoff.with_jitter(Jitter::Share(0.5)).unwrap();
    let steps =
        [described(&retry(backoff)), described(&TimeoutLayer::new(Duration::from_millis(250)))];
    assert_eq!(
        explain(&steps),
        "Retry(3 attempts) over Timeout(250 ms): at most 3 calls, 900 ms, 975 ms with jitter"
    );
    let step = described(&retry(Backoff::recommended()));
    assert_eq!(
        explain(&[step, timeout(3)]),
        "Retry(recommended, 3 attempts) over Timeout(3 s): at most 3 calls, 9.2 s"
    );
}

#[test]
fn hedges_add_calls_and_their_delay_but_not_their_time() {
    let hedge =
        Step::new(Kind::Hedge).with_facts(Facts::NONE.with_hedges(2, Duration::from_millis(100)));
    assert_eq!(explain(&[hedge, timeout(1)]), "Hedge over Timeout(1 s): at most 3 calls, 1.2 s");
}

#[test]
fn d13_a_timeout_outside_a_breaker_is_refused() {
    assert_eq!(
        mistake(&[timeout(2), breaker()]),
        "Timeout(2 s) stands outside Breaker, which never sees that a call hangs: put a shorter \
         timeout inside the breaker, or let the breaker count cancelled calls of that length as \
         failures"
    );
    // Nor does it help that the timeout is further out, or an equal one further in.
    assert!(mistake(&[timeout(2), classic(), breaker()]).contains("never sees that a call hangs"));
    assert!(mistake(&[timeout(2), breaker(), timeout(2)]).contains("never sees that a call"));
}

#[test]
fn b14_a_timeout_outside_a_breaker_that_counts_cancelled_calls_passes() {
    let counting = |after| breaker().with_facts(Facts::NONE.counting_cancelled(SECOND * after));
    assert_eq!(mistake(&[timeout(2), counting(2)]), "");
    // What it ends after 1 s does not look late to a breaker that counts from 2 s on.
    assert!(mistake(&[timeout(1), counting(2)]).contains("never sees that a call hangs"));
    assert_eq!(mistake(&[timeout(2), breaker(), timeout(1)]), "");
    assert_eq!(mistake(&[timeout(30), classic(), breaker(), timeout(2)]), "");
}

#[test]
fn d10_a_fallback_inside_a_retry_is_refused() {
    assert_eq!(
        mistake(&[classic(), Step::new(Kind::Fallback).with_name("stale prices"), timeout(2)]),
        "Fallback(stale prices) stands inside Retry(classic, 5 attempts), which never sees a \
         failure and never runs: put the fallback outside"
    );
}

#[test]
fn d13_two_retries_need_one_budget() {
    assert_eq!(
        mistake(&[budgeted(3, "a"), classic(), timeout(1)]),
        "Retry(3 attempts) and Retry(classic, 5 attempts) multiply to 15 calls: remove one, or \
         give both the same budget"
    );
    assert!(mistake(&[budgeted(3, "a"), budgeted(3, "b")]).contains("multiply to 9 calls"));
    let shared = [budgeted(3, "a"), budgeted(3, "a"), timeout(1)];
    assert_eq!(mistake(&shared), "");
    assert_eq!(
        explain(&shared),
        "Retry(3 attempts) over Retry(3 attempts) over Timeout(1 s): at most 9 calls (1.2 by \
         budget), 13 s"
    );
}

#[test]
fn d7_a_throttle_must_remember_longer_than_a_call_takes() {
    let rng = Rng::from_seed(1);
    let throttle = Throttle::with("prices", rng, 2.0, SECOND * 5).unwrap();
    let throttle = described(&ThrottleLayer::<u32, Rejected>::new(throttle));
    assert_eq!(
        mistake(&[throttle.clone(), timeout(5)]),
        "Throttle(prices) forgets a request after 5 s, before Timeout(5 s) ends it: give it a \
         longer window"
    );
    assert_eq!(mistake(&[throttle, timeout(4)]), "");
}

#[test]
fn d13_other_orders_are_explained_by_what_the_layer_is_for() {
    let step = Step::new;
    let cases = [
        (
            [step(Kind::Fallback), step(Kind::Trace)],
            "Trace stands inside Fallback: put it outside, because it must see what the caller \
             sees",
        ),
        (
            [step(Kind::Breaker), step(Kind::Fallback)],
            "Fallback stands inside Breaker: put it outside, because it hides failures from \
             whatever stands outside it",
        ),
        (
            [step(Kind::Retry), step(Kind::Deadline)],
            "Deadline stands inside Retry: put it outside, because it is the time of the whole \
             call, with all tries and waits",
        ),
        (
            [step(Kind::Bulkhead), step(Kind::Shed)],
            "Shed stands inside Bulkhead: put it outside, because what is shed should cost \
             nothing, and says nothing about what is inside",
        ),
        (
            [step(Kind::Retry), step(Kind::RateLimit)],
            "RateLimit stands inside Retry: put it outside, because a call is counted once, \
             whatever becomes of it",
        ),
        (
            [step(Kind::Breaker), step(Kind::Retry)],
            "Retry stands inside Breaker: put it outside, because each try is judged, and given \
             its place and its time, by itself",
        ),
        (
            [step(Kind::Breaker), step(Kind::Hedge)],
            "Hedge stands inside Breaker: put it outside, because each of its tries is judged, \
             and given its place, by itself",
        ),
        (
            [step(Kind::Breaker), step(Kind::Throttle)],
            "Throttle stands inside Breaker: put it outside, because it counts each try that \
             somebody wants to make",
        ),
        (
            [step(Kind::Bulkhead), step(Kind::Breaker)],
            "Breaker stands inside Bulkhead: put it outside, because it judges each try, and a \
             rejected one must not take a place",
        ),
        (
            [step(Kind::Timeout), step(Kind::AdaptiveLimit)],
            "AdaptiveLimit stands inside Timeout: put it outside, because the wait for a place is \
             not the time of the dependency",
        ),
        (
            [step(Kind::Chaos), step(Kind::Timeout)],
            "Timeout stands inside Chaos: put it outside, because it must end the faults that are \
             made inside it",
        ),
    ];
    for (steps, message) in cases {
        assert_eq!(mistake(&steps), message);
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let error = Pipeline::new("payments")
        .layer_as(breaker(), Identity::new())
        .layer_as(classic(), Identity::new())
        .layer_as(Step::new(Kind::Fallback), Identity::new())
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the pipeline `payments` cannot be built:\n\
         - Retry(classic, 5 attempts) stands inside Breaker: put it outside, because each try is \
         judged, and given its place and its time, by itself\n\
         - Fallback stands inside Retry(classic, 5 attempts), which never sees a failure and never \
         runs: put the fallback outside"
    );
    assert_eq!(error.mistakes.len(), 2);
}

#[test]
fn layers_describe_themselves() {
    let bulkhead = Bulkhead::new("orders", Options::new(20).unwrap());
    let rate = Rate::bursty(60, SECOND * 60).unwrap();
    let steps = [
        described(&ShedLayer::new(Shed::new("orders", || 0.0, Rng::from_seed(1)))),
        described(&RateLimitLayer::new(RateLimit::new("partner", rate)).with_wait(SECOND)),
        described(&KeyedRateLimitLayer::<String, ()>::new(KeyedRateLimit::new("api", rate), ())),
        described(&BulkheadLayer::new(bulkhead)),
        described(&BulkheadLayer::pools(Pools::recommended("orders"))),
        described(&BulkheadLayer::choosing(
            Pools::recommended("orders").by_route(|_: &()| Priority::Batch),
        )),
        described(&AdaptiveLimitLayer::<u32, Rejected>::new(AdaptiveLimit::new(
            "orders",
            adaptive::Options::aimd(),
        ))),
        timeout(1),
    ];
    assert_eq!(
        explain(&steps),
        "Shed(orders) over RateLimit(partner, 1/s, bursts of 60) over RateLimit(api, 1/s, bursts \
         of 60 each) over Bulkhead(orders, 20 places) over Bulkhead(20 critical, 30 standard, 10 \
         batch places) over Bulkhead(20 critical, 30 standard, 10 batch places) over \
         AdaptiveLimit(orders, 4 to 200 places) over Timeout(1 s): at most 1 call, 3.5 s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_is_a_layer_with_the_first_outermost() {
    let limit = AdaptiveLimit::new("pipeline", adaptive::Options::aimd());
    let pipeline = Pipeline::new("payments")
        .layer(ShedLayer::new(Shed::new("pipeline", || 0.0, Rng::from_seed(1))))
        .layer(RateLimitLayer::new(RateLimit::new("p", Rate::smooth(1, SECOND).unwrap())))
        .layer(AdaptiveLimitLayer::new(limit.clone()))
        .build()
        .unwrap();
    let kinds: Vec<_> = pipeline.steps().iter().map(|step| step.kind).collect();
    assert_eq!(kinds, [Kind::Shed, Kind::RateLimit, Kind::AdaptiveLimit]);
    let service = pipeline.layer(Probe::default());
    assert!(service.clone().oneshot(taking(1)).await.is_ok());
    // The rate limit stands outside: what it rejects never reaches the adaptive limit.
    let error = service.oneshot(taking(1)).await.unwrap_err();
    assert_eq!(error.policy.as_str(), "p");
    assert_eq!((pipeline.name(), pipeline.worst().calls), ("payments", 1));
}

const ORDER: [Kind; 12] = [
    Kind::Trace,
    Kind::Fallback,
    Kind::Deadline,
    Kind::Shed,
    Kind::RateLimit,
    Kind::Retry,
    Kind::Hedge,
    Kind::Throttle,
    Kind::Breaker,
    Kind::Bulkhead,
    Kind::Timeout,
    Kind::Chaos,
];

proptest! {
    /// Whatever is left out, the order of the rest passes; any other order of two is refused.
    #[test]
    fn d13_a_pipeline_passes_just_when_it_keeps_the_order(
        chosen in proptest::sample::subsequence(ORDER.to_vec(), 2..=ORDER.len()),
        at in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let counting = Facts::NONE.counting_cancelled(SECOND);
        let mut steps: Vec<_> =
            chosen.iter().map(|kind| Step::new(*kind).with_facts(counting.clone())).collect();
        prop_assert_eq!(check(&steps), []);
        let (at, other) = (at.index(steps.len()), other.index(steps.len()));
        steps.swap(at, other);
        // A timeout may stand outside a breaker that counts what it cancels, and is a deadline
        // outside a retry; those have tests of their own.
        let is_free = |kind| matches!(kind, Kind::Timeout);
        let moved = [chosen[at], chosen[other]];
        if at != other && !moved.into_iter().any(is_free) {
            prop_assert!(!check(&steps).is_empty(), "{:?}", steps);
        }
    }
}
