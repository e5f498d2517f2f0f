//! The earlier of two limits holds, is told to whoever comes next, and drops what runs.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use switchboard_core::BoxError;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::DeadlineLayer;
use crate::trial::poll_once;
use crate::{Call, Reason, Rejected, SeamError};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What remained inside, and how long the call took, of one that takes `takes`.
async fn check(
    layer: DeadlineLayer,
    brought: Option<Duration>,
    takes: Duration,
) -> (Result<Option<Duration>, Rejected>, Duration) {
    let inner = service_fn(move |(call, ()): (Call, ())| async move {
        let remaining = call.remaining(Instant::now());
        tokio::time::sleep(takes).await;
        Ok::<_, Rejected>(remaining)
    });
    let begun = Instant::now();
    let call = brought.map_or(Call::new(), |brought| Call::new().with_deadline(begun + brought));
    let answer = layer.layer(inner).oneshot((call, ())).await;
    (answer, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn d1_the_earlier_of_the_own_limit_and_the_brought_one_holds_and_is_passed_on() {
    let layer = DeadlineLayer::new(seconds(5));
    for (brought, remaining) in [(None, 5), (Some(3), 3), (Some(60), 5)] {
        let (answer, took) = check(layer, brought.map(seconds), seconds(1)).await;
        assert_eq!((answer, took), (Ok(Some(seconds(remaining))), seconds(1)));
        let (answer, took) = check(layer, brought.map(seconds), seconds(90)).await;
        assert_eq!(answer.unwrap_err().reason, Reason::TimedOut, "it was running");
        assert_eq!(took, seconds(remaining));
    }
}

#[tokio::test(start_paused = true)]
async fn d1_without_a_limit_of_its_own_it_holds_what_was_brought() {
    let layer = DeadlineLayer::as_brought();
    assert_eq!(check(layer, None, seconds(900)).await, (Ok(None), seconds(900)));
    assert_eq!(check(layer, Some(seconds(2)), seconds(900)).await.1, seconds(2));
}

#[tokio::test(start_paused = true)]
async fn d1_expired_on_arrival_the_inner_service_is_not_called() {
    let inner = service_fn(|_: (Call, ())| async { panic!("was called") });
    let mut service = DeadlineLayer::new(seconds(5)).named("orders").layer(inner);
    let call = Call::new().with_deadline(Instant::now());
    let answer: Result<(), Rejected> = service.ready().await.unwrap().call((call, ())).await;
    let expected = Rejected::new("orders".into(), Reason::DeadlineExceeded);
    assert_eq!(answer, Err(expected));
}

/// Without a runtime a timer could not even be made.
#[test]
fn an_answer_that_is_there_at_once_makes_no_timer() {
    let inner = service_fn(|_: (Call, ())| std::future::ready(Ok::<_, Rejected>(7)));
    let answer = DeadlineLayer::new(seconds(5)).layer(inner).call((Call::new(), ()));
    assert_eq!(poll_once(std::pin::pin!(answer)), Poll::Ready(Ok(7)));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_up_is_dropped_before_the_answer_is_given() {
    let running = Arc::new(());
    let held = running.clone();
    let inner = service_fn(move |_: (Call, ())| {
        let held = held.clone();
        async move {
            let _held = held;
            std::future::pending::<Result<(), BoxError>>().await
        }
    });
    let mut service = DeadlineLayer::new(seconds(1)).layer(inner);
    let answer = service.ready().await.unwrap().call((Call::new(), ()));
    tokio::pin!(answer);
    let error = (&mut answer).await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason, Reason::TimedOut);
    assert_eq!(Arc::strong_count(&running), 2, "the test's and the service's own");
}

/// A call that never runs out of things to do uses up its task's time slice in every poll, and a
/// timer that shares the slice is never looked at.
#[tokio::test(start_paused = true)]
async fn trap_17_a_busy_call_cannot_starve_its_timer() {
    let inner = service_fn(|_: (Call, ())| async {
        for _ in 0..500_000 {
            tokio::task::coop::consume_budget().await;
        }
        Ok(())
    });
    let mut service = DeadlineLayer::new(seconds(1)).layer(inner);
    let clock = tokio::spawn(tokio::time::advance(seconds(2)));
    let answer: Result<(), Rejected> = service.ready().await.unwrap().call((Call::new(), ())).await;
    assert_eq!(answer.unwrap_err().reason, Reason::TimedOut);
    clock.await.unwrap();
}
