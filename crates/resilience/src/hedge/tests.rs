//! When a second attempt is sent, which answer wins, and that nothing runs on.

use std::time::Duration;

use switchboard_core::Verdict;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::{Delay, HedgeLayer};
use crate::budget::{self, Budget};
use crate::retry::{Again, Class, Hint, Judge};
use crate::trial::{Answer, Error, Scripted, dropped_at_every_poll, failed};
use crate::{Call, CallError, Reason, Rejected};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn rich() -> Budget {
    Budget::new("test", budget::Policy::aws())
}

fn judge() -> Judge<u32, Error> {
    Judge::of_errors(|error: &Error| match error {
        CallError::Failed("refused") => Verdict::Terminal,
        _ => Verdict::Retry,
    })
}

fn layer(budget: Budget) -> HedgeLayer<u32, Error> {
    HedgeLayer::new(Delay::Fixed(millis(100)), budget, judge()).unwrap()
}

/// Attempts take and answer these; a hedge is due after 100 ms.
async fn check(
    layer: HedgeLayer<u32, Error>,
    call: Call,
    attempts: &[(u64, Said)],
) -> (Answer, Vec<Duration>, Duration) {
    let attempts = attempts.to_vec();
    let service = Scripted::new(move |nth, _| {
        let (takes, answer) = attempts[nth as usize];
        (millis(takes), answer.map_err(CallError::Failed))
    });
    let notes = service.notes.clone();
    let begun = Instant::now();
    let answer = layer.layer(service).oneshot((call, ())).await;
    assert_eq!(notes.running(), 0, "losers end before the winner is seen (trap 18)");
    (answer, notes.times(), begun.elapsed())
}

type Said = Result<u32, &'static str>;

fn again() -> Call {
    Call::new().repeatable()
}

#[tokio::test(start_paused = true)]
async fn d9_a_call_in_time_is_asked_once() {
    let (answer, times, took) = check(layer(rich()), again(), &[(100, Ok(0))]).await;
    assert_eq!((answer.unwrap(), times, took), (0, vec![millis(0)], millis(100)));
}

#[tokio::test(start_paused = true)]
async fn d9_a_slow_call_is_asked_once_more_and_the_first_answer_wins() {
    let both = vec![millis(0), millis(100)];
    let (answer, times, took) = check(layer(rich()), again(), &[(900, Ok(0)), (50, Ok(1))]).await;
    assert_eq!((answer.unwrap(), times, took), (1, both.clone(), millis(150)));
    let (answer, times, took) = check(layer(rich()), again(), &[(130, Ok(0)), (50, Ok(1))]).await;
    assert_eq!((answer.unwrap(), times, took), (0, both, millis(130)));
}

#[tokio::test(start_paused = true)]
async fn d9_at_most_as_many_as_it_was_told() {
    let slow = [(900, Ok(0)), (900, Ok(1)), (900, Ok(2)), (900, Ok(3))];
    let (_, times, _) = check(layer(rich()), again(), &slow).await;
    assert_eq!(times, [millis(0), millis(100)]);
    let (_, times, _) = check(layer(rich()).twice(), again(), &slow).await;
    assert_eq!(times, [millis(0), millis(100), millis(200)]);
}

#[tokio::test(start_paused = true)]
async fn d9_only_repeatable_calls_are_hedged() {
    let (_, times, _) = check(layer(rich()), Call::new(), &[(900, Ok(0)), (50, Ok(1))]).await;
    assert_eq!(times, [millis(0)]);
}

#[tokio::test(start_paused = true)]
async fn d9_an_attempt_that_could_not_begin_before_the_deadline_is_not_sent() {
    let call = again().with_deadline(Instant::now() + millis(100));
    let (_, times, _) = check(layer(rich()), call, &[(900, Ok(0)), (50, Ok(1))]).await;
    assert_eq!(times, [millis(0)]);
}

#[tokio::test(start_paused = true)]
async fn d9_a_failure_waits_for_the_other_and_a_refusal_does_not() {
    let (answer, _, took) = check(layer(rich()), again(), &[(120, Err("no")), (100, Ok(1))]).await;
    assert_eq!((answer.unwrap(), took), (1, millis(200)));
    let (answer, _, took) = check(layer(rich()), again(), &[(900, Ok(0)), (20, Err("no"))]).await;
    assert_eq!((answer.unwrap(), took), (0, millis(900)));
    let (answer, _, took) =
        check(layer(rich()), again(), &[(900, Ok(0)), (20, Err("refused"))]).await;
    assert!(matches!(answer, Err(CallError::Failed("refused"))));
    assert_eq!(took, millis(120));
    let (answer, _, took) =
        check(layer(rich()), again(), &[(120, Err("first")), (100, Err("second"))]).await;
    assert!(matches!(answer, Err(CallError::Failed("first"))));
    assert_eq!(took, millis(200));
}

/// R5: an empty budget fails the extra attempt, never the one that runs.
#[tokio::test(start_paused = true)]
async fn r5_an_exhausted_budget_leaves_the_first_attempt_alone() {
    let policy = budget::Policy::recommended().with_floor_per_second(0.0).unwrap();
    let budget = Budget::new("test", policy);
    let (answer, times, took) =
        check(layer(budget.clone()), again(), &[(900, Ok(0)), (50, Ok(1))]).await;
    assert_eq!((answer.unwrap(), times, took), (0, vec![millis(0)], millis(900)));
    assert!(budget.tokens() < 0.2, "the first try has paid in");
}

/// R5: neither does what a policy further in says to the extra attempt, nor its readiness.
#[tokio::test(start_paused = true)]
async fn r5_what_goes_wrong_with_the_extra_attempt_stays_with_it() {
    let service = Scripted::new(|nth, _| match nth {
        0 => (millis(900), Ok(0)),
        _ => (Duration::ZERO, Err(Rejected::new("breaker".into(), Reason::Open).into())),
    });
    let answer = layer(rich()).layer(service.clone()).oneshot((again(), ())).await;
    assert_eq!((answer.unwrap(), service.notes.count()), (0, 2));
    let service = Scripted::new(|nth, _| (millis(900), Ok(nth)));
    *service.notes.fails_readiness_after.lock() = Some(1);
    let budget = rich();
    let answer = layer(budget.clone()).layer(service.clone()).oneshot((again(), ())).await;
    assert_eq!((answer.unwrap(), service.notes.count()), (0, 1));
    assert_eq!(budget.tokens(), 500.0, "what was not sent is not paid");
}

/// An extra attempt that cannot begin is not waited for when the first has failed meanwhile.
#[tokio::test(start_paused = true)]
async fn r5_an_extra_attempt_that_never_begins_does_not_hold_the_failure() {
    let service = Scripted::new(|_, _| (millis(120), failed()));
    *service.notes.fails_readiness_after.lock() = Some(1);
    *service.notes.fails_readiness_within.lock() = millis(50);
    let begun = Instant::now();
    let answer = layer(rich()).layer(service).oneshot((again(), ()));
    let answer = tokio::time::timeout(millis(1_000), answer).await.expect("an answer");
    assert!(matches!(answer, Err(CallError::Failed("no"))));
    assert_eq!(begun.elapsed(), millis(150));
}

/// D9: who says that it is busy is not asked twice.
#[tokio::test(start_paused = true)]
async fn d9_pushback_stops_further_hedges() {
    for again_ in [
        Again::After { class: Class::Throttled, hint: Hint::None },
        Again::After { class: Class::Transient, hint: Hint::AtLeast(millis(10)) },
        Again::After { class: Class::Transient, hint: Hint::Never },
    ] {
        let judge = Judge::new(move |answer: &Answer| match answer {
            Ok(_) => Again::No,
            Err(_) => again_,
        });
        let delay = Delay::Fixed(millis(100));
        let layer = HedgeLayer::new(delay, rich(), judge).unwrap().twice();
        let attempts = [(900, Ok(0)), (20, Err("busy")), (10, Ok(2))];
        let (answer, times, _) = check(layer, again(), &attempts).await;
        assert_eq!((answer.unwrap(), times.len()), (0, 2), "{again_:?}");
    }
    let attempts = [(900, Ok(0)), (20, Err("no")), (10, Ok(2))];
    let (answer, times, _) = check(layer(rich()).twice(), again(), &attempts).await;
    assert_eq!((answer.unwrap(), times.len()), (2, 3), "an ordinary failure does not");
}

/// The delay follows what 95 % of the last calls took, and does not fall because winners are fast.
#[tokio::test(start_paused = true)]
async fn d9_the_delay_is_what_nineteen_of_twenty_calls_took() {
    let service = Scripted::new(|nth, call| {
        let is_slow = call.attempt == 0 && nth % 50 == 49;
        (if is_slow { millis(5_000) } else { millis(10 + u64::from(nth % 10)) }, Ok(nth))
    });
    let notes = service.notes.clone();
    let hedge = HedgeLayer::new(Delay::p95(millis(1_000)), rich(), judge()).unwrap().layer(service);
    let begun = Instant::now();
    for _ in 0..400 {
        hedge.clone().oneshot((again(), ())).await.unwrap();
    }
    let hedges = notes.attempts().into_iter().filter(|attempt| *attempt == 1).count();
    assert!((8..=40).contains(&hedges), "about one in fifty was slow: {hedges}");
    let delay = Delay::p95(millis(1_000)).after(&hedge.latencies);
    assert!((millis(15)..=millis(60)).contains(&delay), "{delay:?}");
    assert!(begun.elapsed() < millis(400 * 40), "{:?}", begun.elapsed());
}

/// Traps 7 and 18: nothing is spawned, so nothing outlives the caller.
#[tokio::test(start_paused = true)]
async fn trap_18_dropped_at_every_poll_no_attempt_runs_on() {
    let polls = dropped_at_every_poll(millis(30), || {
        let service = Scripted::new(|nth, _| match nth {
            0 => (millis(600), failed()),
            _ => (millis(300), Ok(nth)),
        });
        let (notes, budget) = (service.notes.clone(), rich());
        let hedge = layer(budget.clone()).twice().layer(service);
        let check = move || {
            assert_eq!(notes.running(), 0);
            let (hedges, tokens) = (notes.count().saturating_sub(1), budget.tokens());
            let paid = 500.0 - 14.0 * hedges as f64;
            assert!(tokens == paid || tokens == paid + 14.0, "{hedges} hedges, {tokens} left");
        };
        (hedge.oneshot((again(), ())), check)
    })
    .await;
    assert!(polls > 8, "it was dropped {polls} times");
}

/// An answer that the judge does not take is no success, even when it is no error: it stays paid.
#[tokio::test(start_paused = true)]
async fn r5_a_hedge_that_brings_a_bad_answer_is_not_refunded() {
    let judge = Judge::new(|answer: &Answer| match answer {
        Ok(503) => Again::TRANSIENT,
        _ => Again::No,
    });
    let budget = rich();
    let layer = HedgeLayer::new(Delay::Fixed(millis(100)), budget.clone(), judge).unwrap();
    let (answer, ..) = check(layer, again(), &[(900, Ok(200)), (50, Ok(503))]).await;
    assert_eq!((answer.unwrap(), budget.tokens()), (200, 486.0));
}

#[test]
fn refuses_what_cannot_be_meant() {
    let quantile = |share, least, most| Delay::Quantile { share, least, most };
    for delay in [
        Delay::Fixed(Duration::ZERO),
        Delay::Fixed(Duration::MAX),
        quantile(0.0, millis(1), millis(2)),
        quantile(1.0, millis(1), millis(2)),
        quantile(f64::NAN, millis(1), millis(2)),
        quantile(0.9, millis(0), millis(2)),
        quantile(0.9, millis(3), millis(2)),
    ] {
        assert!(HedgeLayer::new(delay, rich(), judge()).is_err(), "{delay:?}");
    }
}
