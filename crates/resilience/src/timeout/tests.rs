//! An attempt in time passes, one too late is dropped, and one without time is never begun.

use std::time::Duration;

use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

use super::TimeoutLayer;
use crate::breaker::{Breaker, Environment, Options, State};
use crate::{Call, Classifier, Reason, Rejected};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn check(remaining: Option<u64>, takes: u64) -> (Result<Option<Duration>, Reason>, Duration) {
    let inner = service_fn(move |(call, ()): (Call, ())| async move {
        let remaining = call.remaining(Instant::now());
        tokio::time::sleep(seconds(takes)).await;
        Ok::<_, Rejected>(remaining)
    });
    let begun = Instant::now();
    let call =
        remaining.map_or(Call::new(), |left| Call::new().with_deadline(begun + seconds(left)));
    let answer = TimeoutLayer::new(seconds(2)).layer(inner).oneshot((call, ())).await;
    (answer.map_err(|rejected| rejected.reason), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn an_attempt_in_time_passes_and_knows_its_limit() {
    assert_eq!(check(None, 1).await, (Ok(Some(seconds(2))), seconds(1)));
    assert_eq!(check(Some(60), 1).await, (Ok(Some(seconds(2))), seconds(1)));
}

#[tokio::test(start_paused = true)]
async fn d2_an_attempt_that_takes_too_long_is_dropped_at_its_limit() {
    assert_eq!(check(None, 60).await, (Err(Reason::TimedOut), seconds(2)));
    assert_eq!(check(Some(60), 60).await, (Err(Reason::TimedOut), seconds(2)));
}

#[tokio::test(start_paused = true)]
async fn d1_what_remains_of_the_call_holds_when_it_is_less() {
    assert_eq!(check(Some(1), 60).await, (Err(Reason::TimedOut), seconds(1)), "it was running");
    assert_eq!(
        check(Some(2), 60).await,
        (Err(Reason::TimedOut), seconds(2)),
        "both limits at once"
    );
    assert_eq!(check(Some(0), 0).await, (Err(Reason::DeadlineExceeded), seconds(0)));
}

#[tokio::test(start_paused = true)]
async fn d1_an_attempt_that_could_not_end_in_time_is_not_begun() {
    let layer = TimeoutLayer::new(seconds(9)).with_least(seconds(2));
    for (left, ran) in [(Some(2), false), (Some(3), true), (None, true)] {
        let inner = service_fn(|_: (Call, ())| async { Ok::<_, Rejected>(()) });
        let deadline = |left| Call::new().with_deadline(Instant::now() + seconds(left));
        let answer = layer.layer(inner).oneshot((left.map_or(Call::new(), deadline), ())).await;
        let reason = answer.map_err(|rejected| rejected.reason);
        assert_eq!(reason, if ran { Ok(()) } else { Err(Reason::DeadlineExceeded) }, "{left:?}");
    }
}

/// B14: a breaker outside sees a dependency that hangs, however short its callers' patience is.
#[tokio::test(start_paused = true)]
async fn b14_attempts_that_a_deadline_ends_open_the_breaker_outside() {
    let environment = Environment::seeded(1);
    let breaker = Breaker::new("hangs", Options::classic(), environment);
    let hangs = service_fn(|_: (Call, ())| std::future::pending::<Result<(), Rejected>>());
    let inner = TimeoutLayer::new(seconds(60)).layer(hangs);
    let service = breaker.layer(Classifier::of_errors()).layer(inner);
    for _ in 0..5 {
        let call = Call::new().with_deadline(Instant::now() + seconds(1));
        let rejected = service.clone().oneshot((call, ())).await.unwrap_err();
        assert_eq!(rejected.reason, Reason::TimedOut);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_limit_beyond_the_clock_is_none() {
    let inner =
        service_fn(|(call, ()): (Call, ())| async move { Ok::<_, Rejected>(call.deadline) });
    let layer = TimeoutLayer::new(Duration::MAX);
    assert_eq!(layer.layer(inner).oneshot((Call::new(), ())).await, Ok(None));
}
