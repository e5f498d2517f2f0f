//! A service behind a breaker: what passes, what is kept, and what the service behind it is spared.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchboard_core::BoxError;
use switchboard_resilience::breaker::{Options, State};
use switchboard_resilience::{Call, CallError, Classifier, Outcome, Reason, Rejected, SeamError};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{Strict, breaker, trip};

#[tokio::test(start_paused = true)]
async fn answers_and_errors_pass_unchanged_and_are_counted() {
    let breaker = breaker(Options::classic());
    let inner = service_fn(|number: u32| async move {
        if number < 10 { Ok(number) } else { Err(CallError::Failed("too much")) }
    });
    let mut service = breaker.layer(Classifier::of_errors()).layer(inner);
    assert_eq!(service.ready().await.unwrap().call(3).await.unwrap(), 3);
    let error = service.ready().await.unwrap().call(30).await.unwrap_err();
    assert!(matches!(error, CallError::Failed("too much")));
    let totals = breaker.totals();
    assert_eq!((totals.successes, totals.failures), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_rejects_at_once_even_when_the_service_is_not_ready() {
    let breaker = breaker(Options::classic());
    let (mut down, layer) = (Strict::default(), breaker.layer(Classifier::of_errors()));
    down.is_down = true;
    let calls = down.calls.clone();
    let mut service = layer.layer(down);
    trip(&breaker);
    for _ in 0..3 {
        let ready: &mut _ = ServiceExt::<u32>::ready(&mut service).await.unwrap();
        let error = ready.call(1).await.unwrap_err();
        let rejected = error.rejected().expect("the breaker's");
        assert_eq!(rejected.reason, Reason::Open);
        assert_eq!(rejected.retry_after, Some(Duration::from_millis(60_001)));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

/// Trap 12: the breaker closes between the question and the call; nobody was asked, so nobody is
/// called.
#[tokio::test(start_paused = true)]
async fn trap_12_a_service_that_was_not_asked_is_not_called() {
    let breaker = breaker(Options::classic());
    let mut service = breaker.layer(Classifier::of_errors()).layer(Strict::default());
    trip(&breaker);
    poll_fn(|cx| Service::<u32>::poll_ready(&mut service, cx)).await.unwrap();
    breaker.release("ann", "trap 12");
    let rejected = service.call(1).await.unwrap_err();
    assert_eq!(rejected.rejected().unwrap().retry_after, Some(Duration::ZERO));
    // Asked again, it passes; and a clone is asked itself.
    let ready: &mut _ = ServiceExt::<u32>::ready(&mut service).await.unwrap();
    let mut clone = ready.clone();
    assert_eq!(ready.call(1).await.unwrap(), 7);
    let ready: &mut _ = ServiceExt::<u32>::ready(&mut clone).await.unwrap();
    assert_eq!(ready.call(1).await.unwrap(), 7);
}

/// Trap 12, the other way: it was asked, rejected meanwhile, and is still ready afterwards.
#[tokio::test(start_paused = true)]
async fn trap_12_readiness_is_kept_over_a_rejection() {
    let breaker = breaker(Options::classic());
    let mut service = breaker.layer(Classifier::of_errors()).layer(Strict::default());
    poll_fn(|cx| Service::<u32>::poll_ready(&mut service, cx)).await.unwrap();
    trip(&breaker);
    assert!(service.call(1).await.is_err());
    breaker.release("ann", "trap 12");
    poll_fn(|cx| Service::<u32>::poll_ready(&mut service, cx)).await.unwrap();
    assert_eq!(service.call(1).await.unwrap(), 7);
}

/// B13: two breakers, one behind the other; the outer one learns nothing from the inner one's
/// rejections.
#[tokio::test(start_paused = true)]
async fn b13_a_rejection_from_further_in_is_no_failure_of_the_dependency() {
    let (outer, inner) = (breaker(Options::classic()), breaker(Options::classic()));
    trip(&inner);
    let mut service = outer
        .layer(Classifier::of_errors())
        .layer(inner.layer(Classifier::of_errors()).layer(Strict::default()));
    for _ in 0..20 {
        let ready: &mut _ = ServiceExt::<u32>::ready(&mut service).await.unwrap();
        assert!(ready.call(1).await.is_err());
    }
    assert_eq!(outer.state(), State::Closed);
    assert_eq!((outer.totals().failures, outer.totals().ignored), (0, 20));
}

/// B4: a domain's "no" is an answer; how it counts is the classifier's to say.
#[tokio::test(start_paused = true)]
async fn b4_a_classifier_may_say_that_an_error_says_nothing() {
    let breaker = breaker(Options::classic());
    let classifier = Classifier::new(|answer: &Result<u32, CallError<u16>>| match answer {
        Ok(_) => Outcome::Success,
        Err(CallError::Failed(404)) => Outcome::Ignore,
        Err(_) => Outcome::FAILURE,
    });
    let inner = service_fn(|status: u16| async move { Err::<u32, _>(CallError::Failed(status)) });
    let mut service = breaker.layer(classifier).layer(inner);
    for _ in 0..20 {
        assert!(service.ready().await.unwrap().call(404).await.is_err());
    }
    assert_eq!(breaker.state(), State::Closed);
    for _ in 0..5 {
        assert!(service.ready().await.unwrap().call(503).await.is_err());
    }
    assert_eq!(breaker.state(), State::Open);
}

/// B9: the hint of the last failure is in the rejection, for whoever answers with `Retry-After`.
#[tokio::test(start_paused = true)]
async fn b9_what_the_dependency_asked_for_reaches_the_caller() {
    let hour = Duration::from_secs(3_600);
    let options = Options::classic().with_open(Duration::from_secs(5), 1.0, hour).unwrap();
    let breaker = breaker(options);
    let classifier = Classifier::new(|_: &Result<u32, Rejected>| Outcome::Failure {
        retry_after: Some(Duration::from_secs(90)),
    });
    let inner = service_fn(|(): ()| async { Ok::<u32, Rejected>(1) });
    let mut service = breaker.layer(classifier).layer(inner);
    for _ in 0..5 {
        assert_eq!(service.ready().await.unwrap().call(()).await, Ok(1));
    }
    let rejected = service.ready().await.unwrap().call(()).await.unwrap_err();
    assert_eq!(rejected.retry_after, Some(Duration::from_millis(90_001)));
}

/// R10: a first try passes an open breaker, a second does not.
#[tokio::test(start_paused = true)]
async fn r10_a_layer_for_retries_holds_back_retries_only() {
    let breaker = breaker(Options::classic());
    let layer = breaker.layer(Classifier::of_errors()).retries_only();
    let inner = service_fn(|_: (Call, u32)| async { Err::<u32, BoxError>("down".into()) });
    let mut service = layer.layer(inner);
    let (first, mut retry) = (Call::new(), Call::new());
    retry.attempt = 1;
    for _ in 0..20 {
        let error = service.ready().await.unwrap().call((first, 1)).await.unwrap_err();
        assert!(error.rejected().is_none(), "a first try reaches the dependency");
    }
    assert_eq!(breaker.state(), State::Open);
    let error = service.ready().await.unwrap().call((retry, 1)).await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason, Reason::Open);
}

#[tokio::test(start_paused = true)]
async fn run_makes_one_call_without_a_service() {
    let breaker = breaker(Options::classic());
    for _ in 0..5 {
        let answer = breaker.run(async { Err::<u32, CallError<&str>>(CallError::Failed("no")) });
        assert!(matches!(answer.await, Err(CallError::Failed("no"))));
    }
    let rejected = breaker.run(async { Ok::<u32, Rejected>(1) }).await.unwrap_err();
    assert_eq!(rejected.reason, Reason::Open);
}
