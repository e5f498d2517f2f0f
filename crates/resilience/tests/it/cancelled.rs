//! Calls that do not end: dropped at every point, timed out from outside, or panicking.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use switchboard_core::BoxError;
use switchboard_resilience::breaker::{Breaker, OnCancel, Options, State};
use switchboard_resilience::{Classifier, Reason, SeamError};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{breaker, trip};

const POLLS: usize = 6;

/// Answers when polled for the sixth time.
async fn slowly(_: u32) -> Result<u32, BoxError> {
    let mut left = POLLS;
    std::future::poll_fn(move |_| {
        left -= 1;
        if left == 0 { Poll::Ready(Ok(1)) } else { Poll::Pending }
    })
    .await
}

/// Half-open, with a single slot.
async fn half_open() -> Breaker {
    let breaker = breaker(Options::classic());
    trip(&breaker);
    tokio::time::advance(Duration::from_millis(60_001)).await;
    breaker
}

/// Trap 7: whenever the future is dropped, its slot comes back and the drop is seen.
#[tokio::test(start_paused = true)]
async fn trap_07_a_probe_that_is_dropped_after_any_number_of_polls_gives_its_slot_back() {
    for polls in 0..POLLS {
        let breaker = half_open().await;
        let mut service = breaker.layer(Classifier::of_errors()).layer(service_fn(slowly));
        {
            let mut answer = pin!(service.ready().await.unwrap().call(1));
            for _ in 0..polls {
                assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
            let error = breaker.admit().unwrap_err();
            assert_eq!(error.reason, Reason::Probing, "the slot is taken, {polls} polls");
        }
        assert_eq!(breaker.totals().cancelled, 1, "{polls} polls");
        assert_eq!(breaker.state(), State::HalfOpen);
        let mut answer = pin!(service.ready().await.unwrap().call(1));
        let last = (0..POLLS)
            .map(|_| answer.as_mut().poll(&mut Context::from_waker(Waker::noop())))
            .last();
        assert!(matches!(last, Some(Poll::Ready(Ok(1)))));
        assert_eq!(breaker.state(), State::Closed);
    }
}

/// B14: a limit outside the breaker kills every call of a dependency that hangs. It opens.
#[tokio::test(start_paused = true)]
async fn b14_a_time_limit_outside_the_breaker_does_not_hide_a_dependency_that_hangs() {
    let limit = Duration::from_secs(2);
    let hangs = || service_fn(|_: u32| std::future::pending::<Result<u32, BoxError>>());
    let breaker = breaker(Options::classic());
    let mut service = breaker.layer(Classifier::of_errors()).layer(hangs());
    let mut rejected = 0;
    for _ in 0..10 {
        let call = service.ready().await.unwrap().call(1);
        if let Ok(Err(error)) = tokio::time::timeout(limit, call).await {
            assert_eq!(error.rejected().unwrap().reason, Reason::Open);
            rejected += 1;
        }
    }
    assert_eq!((rejected, breaker.state()), (5, State::Open));
    let totals = breaker.totals();
    assert_eq!((totals.cancelled, totals.failures), (5, 5));

    // Whoever wants it otherwise says so.
    let blind = crate::support::breaker(Options::classic().with_on_cancel(OnCancel::Ignore));
    let mut service = blind.layer(Classifier::of_errors()).layer(hangs());
    for _ in 0..50 {
        let call = service.ready().await.unwrap().call(1);
        assert!(tokio::time::timeout(limit, call).await.is_err());
    }
    assert_eq!((blind.state(), blind.totals().cancelled), (State::Closed, 50));
}

/// B15: whether it panics before its future is made or in a poll, it is a failure and goes on.
#[tokio::test(start_paused = true)]
async fn b15_a_panic_is_a_failure_and_goes_on() {
    let breaker = breaker(Options::classic());
    let layer = breaker.layer(Classifier::<u32, BoxError>::of_errors());
    let mut early =
        layer.layer(service_fn(|_: u32| -> std::future::Ready<Result<u32, BoxError>> {
            panic!("before the future")
        }));
    let ready = early.ready().await.unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| ready.call(1))).is_err());
    assert_eq!((breaker.totals().failures, breaker.totals().cancelled), (1, 1));

    let mut late = layer.layer(service_fn(|_: u32| async {
        tokio::task::yield_now().await;
        panic!("in a poll")
    }));
    let answer = late.ready().await.unwrap().call(1);
    // The task catches the panic, and drops the future after it: a failure all the same.
    assert!(tokio::spawn(answer).await.unwrap_err().is_panic());
    assert_eq!((breaker.totals().failures, breaker.totals().cancelled), (2, 2));
    for _ in 0..3 {
        let answer = late.ready().await.unwrap().call(1);
        assert!(tokio::spawn(answer).await.is_err());
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn run_counts_a_call_that_was_given_up() {
    let breaker = breaker(Options::classic().with_on_cancel(OnCancel::Failure));
    let call = breaker.run(std::future::pending::<Result<u32, BoxError>>());
    assert!(tokio::time::timeout(Duration::from_millis(1), call).await.is_err());
    assert_eq!(breaker.totals().failures, 1);
}
