//! The limit follows what calls say, drops and samples are kept apart, and places come back.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, advance};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{AdaptiveLimit, AdaptiveLimitLayer, Estimate, Gradient2, Law, Options, Sample};
use crate::control::{Action, Controlled};
use crate::probe::{Probe, taking};
use crate::shed::Signal;
use crate::trial::dropped_at_every_poll;
use crate::{Call, Reason, Rejected};

const TIMEOUT: Duration = Duration::from_secs(5);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn aimd(limit: usize) -> Estimate {
    Estimate::new(Law::Aimd, limit, 1, 200, TIMEOUT)
}

fn gradient(limit: usize) -> Estimate {
    Estimate::new(Law::Gradient2(Gradient2::NEW), limit, 1, 200, TIMEOUT)
}

/// A call that began at second `at`.
fn sample(at: u64, took: Duration, running: usize) -> Sample {
    Sample { began: Duration::from_secs(at), took, running }
}

fn limit(options: Options) -> AdaptiveLimit {
    AdaptiveLimit::new("tests", options)
}

#[test]
fn d6_aimd_grows_by_one_and_is_cut_to_nine_tenths() {
    let mut estimate = aimd(100);
    estimate.sample(sample(0, millis(10), 100));
    assert_eq!(estimate.limit(), 101);
    estimate.drop(millis(0), millis(10));
    assert_eq!(estimate.limit, 101.0 * 0.9);
}

#[test]
fn d6_calls_that_are_dropped_together_cut_the_limit_once() {
    let mut estimate = aimd(100);
    for call in 0..50 {
        estimate.drop(millis(call), millis(1_000 + call));
    }
    assert_eq!(estimate.limit(), 90);
    // One that began after the cut says that the cut was not enough.
    estimate.drop(millis(1_000), millis(2_000));
    assert_eq!(estimate.limit(), 81);
}

#[test]
fn d6_a_limit_that_is_not_tried_does_not_grow() {
    for mut estimate in [aimd(20), gradient(20)] {
        for at in 0..1_000 {
            estimate.sample(sample(at, millis(10), 9));
        }
        assert_eq!(estimate.limit(), 20);
        estimate.sample(sample(1_000, millis(10), 10));
        assert!(estimate.limit > 20.0);
    }
}

/// #137 elsewhere: when every call times out, all take the same time, which looks healthy.
#[test]
fn d6_a_constant_timeout_does_not_let_the_limit_grow() {
    for mut estimate in [aimd(20), gradient(20)] {
        for at in 0..100 {
            estimate.sample(sample(10 * at, TIMEOUT, 20));
        }
        assert_eq!(estimate.limit(), 1);
    }
}

/// #134 elsewhere: with the queue always added, a limit of 20 at a gradient of 0.9 goes up.
#[test]
fn d6_a_modest_overload_shrinks_a_small_limit() {
    let mut gradient = Gradient2::NEW;
    for _ in 0..600 {
        gradient.next(20.0, millis(100), false);
    }
    let mut limit = 20.0;
    for _ in 0..20 {
        let next = gradient.next(limit, millis(165), true);
        assert!(next < limit, "{limit} grew to {next}");
        limit = next;
    }
}

#[test]
fn d6_the_gradient_is_at_least_a_half_and_smoothed() {
    let mut gradient = Gradient2::NEW;
    for _ in 0..600 {
        gradient.next(100.0, millis(100), false);
    }
    // A hundred times slower: half of the limit, of which a fifth is done at once.
    assert_eq!(gradient.next(100.0, millis(10_000), true), 100.0 + 0.2 * (50.0 - 100.0));
}

#[test]
fn d6_the_long_average_comes_down_after_an_overload() {
    let mut gradient = Gradient2::NEW;
    for _ in 0..600 {
        gradient.next(20.0, millis(1_000), false);
    }
    for _ in 0..60 {
        gradient.next(20.0, millis(100), false);
    }
    // By the window alone it would still be above 800 ms.
    let long = gradient.long().unwrap();
    assert!(long < millis(220) && long > millis(150), "{long:?}");
}

/// A dependency that does ten calls at once in 100 ms, and queues the rest: the limit finds it.
#[test]
fn d6_gradient_finds_what_a_dependency_can_do() {
    let mut estimate = gradient(20);
    let mut clock = Duration::ZERO;
    let mut run = |estimate: &mut Estimate, calls: u32, wanted: usize| {
        for _ in 0..calls {
            let running = wanted.min(estimate.limit());
            let took = millis(100).mul_f64((running as f64 / 10.0).max(1.0));
            estimate.sample(Sample { began: clock, took, running });
            clock += millis(10);
        }
        estimate.limit()
    };
    run(&mut estimate, 600, 5);
    let busy = run(&mut estimate, 200, 1_000);
    assert!((8..=25).contains(&busy), "{busy}");
    let calm = run(&mut estimate, 600, 5);
    assert!(calm >= 8, "{calm}");
}

/// A dependency that refuses what is above fifty at once: the limit stays about there.
#[test]
fn d6_aimd_finds_what_a_dependency_refuses() {
    let mut estimate = aimd(20);
    let mut seen = Vec::new();
    for at in 0..1_000 {
        let running = estimate.limit();
        let began = Duration::from_secs(at);
        if running > 50 {
            estimate.drop(began, began + millis(1));
        } else {
            estimate.sample(sample(at, millis(10), running));
        }
        seen.push(estimate.limit());
    }
    assert!(seen[100..].iter().all(|limit| (45..=51).contains(limit)), "{seen:?}");
}

#[test]
fn d6_a_limit_stays_within_its_bounds() {
    let mut estimate = Estimate::new(Law::Aimd, 20, 10, 30, TIMEOUT);
    for at in 0..100 {
        estimate.sample(sample(at, millis(1), 30));
    }
    assert_eq!(estimate.limit(), 30);
    for at in 100..200 {
        estimate.drop(Duration::from_secs(at), Duration::from_secs(at));
    }
    assert_eq!(estimate.limit(), 10);
    assert!(Options::aimd().with_limits(0, 1, 2).is_err());
    assert!(Options::aimd().with_limits(2, 1, 2).is_err());
    assert!(Options::aimd().with_limits(1, 3, 2).is_err());
    assert!(Options::aimd().with_timeout(Duration::ZERO).is_err());
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_limit_are_rejected_at_once() {
    let limit = limit(Options::aimd().with_limits(1, 2, 2).unwrap());
    let first = limit.try_acquire(&Call::new()).unwrap();
    let second = limit.try_acquire(&Call::new()).unwrap();
    assert_eq!(limit.pressure(), 1.0);
    let error = limit.try_acquire(&Call::new()).unwrap_err();
    assert_eq!(error.reason, Reason::LimitReached);
    drop(first.ignored());
    assert_eq!(limit.running(), 1);
    let place = second.succeeded();
    assert_eq!(limit.running(), 1, "its body may still run");
    drop(place);
    assert_eq!(limit.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn trap_07_a_cancelled_call_frees_its_place_at_any_moment() {
    let limit = limit(Options::gradient2());
    let service = AdaptiveLimitLayer::new(limit.clone()).layer(Probe::default());
    let is_free = || assert_eq!((limit.running(), limit.limit()), (0, 20));
    dropped_at_every_poll(millis(1), || (service.clone().oneshot(taking(10)), is_free)).await;
}

#[tokio::test(start_paused = true)]
async fn d6_a_call_that_was_given_up_late_is_a_drop_and_one_given_up_early_is_not() {
    let limit = limit(Options::aimd());
    let begin = |call: Call| limit.try_acquire(&call).unwrap();
    let early = begin(Call::new());
    let expired = begin(Call::new().with_deadline(Instant::now() + millis(50)));
    advance(millis(10)).await;
    drop(early);
    assert_eq!(limit.limit(), 20);
    advance(millis(40)).await;
    drop(expired);
    assert_eq!(limit.limit(), 18);

    let late = begin(Call::new());
    advance(TIMEOUT).await;
    drop(late);
    assert_eq!((limit.limit(), limit.running()), (16, 0));
}

#[tokio::test(start_paused = true)]
async fn d6_a_call_given_up_when_it_took_much_longer_than_usual_is_a_drop() {
    let limit = limit(Options::gradient2());
    for _ in 0..20 {
        let permit = limit.try_acquire(&Call::new()).unwrap();
        advance(millis(100)).await;
        drop(permit.succeeded());
    }
    let (usual, slow) = (limit.try_acquire(&Call::new()), limit.try_acquire(&Call::new()));
    advance(millis(140)).await;
    drop(usual);
    assert_eq!(limit.limit(), 20);
    advance(millis(20)).await;
    drop(slow);
    assert_eq!(limit.limit(), 18);
}

#[tokio::test(start_paused = true)]
async fn errors_are_drops_and_rejections_further_in_are_nothing() {
    let answers = [
        (Reason::TimedOut, 18),
        // A breaker inside says nothing about how much the dependency can do.
        (Reason::Open, 18),
        (Reason::RateLimited, 18),
    ];
    let limit = limit(Options::aimd());
    for (reason, expected) in answers {
        let inner = service_fn(move |_: (Call, ())| async move {
            Err::<(), _>(Rejected::new("inner".into(), reason))
        });
        let service = AdaptiveLimitLayer::new(limit.clone()).layer(inner);
        service.oneshot((Call::new(), ())).await.unwrap_err();
        assert_eq!((limit.limit(), limit.running()), (expected, 0), "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn d3_a_body_holds_its_place_until_it_ends() {
    let limit = limit(Options::aimd());
    let inner = service_fn(|_: http::Request<()>| async {
        Ok::<_, Rejected>(http::Response::new(Full::new(Bytes::from("body"))))
    });
    let service = AdaptiveLimitLayer::new(limit.clone()).until_body_ends().layer(inner);
    let response = service.oneshot(http::Request::new(())).await.unwrap();
    assert_eq!(limit.running(), 1);
    response.into_body().collect().await.unwrap();
    assert_eq!(limit.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn trap_12_and_17_idle_connections_are_ready_and_hold_nothing() {
    let limit = limit(Options::aimd().with_limits(1, 1, 1).unwrap());
    let probe = Probe::default();
    let begun = probe.begun.clone();
    let service = AdaptiveLimitLayer::new(limit.clone()).layer(probe);
    let mut idle: Vec<_> = (0..1_000).map(|_| service.clone()).collect();
    for connection in &mut idle {
        connection.ready().await.unwrap();
    }
    assert_eq!(limit.running(), 0);
    idle[7].call(taking(1)).await.unwrap();
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_operator_changes_bounds_and_switches_it_off() {
    let limit = limit(Options::aimd());
    let change = |settings: &[(&str, f64)]| {
        let settings: BTreeMap<_, _> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        limit.act(&Action::Reconfigure { settings })
    };
    let error = change(&[("min", 300.0)]).unwrap_err().to_string();
    assert_eq!(error, "`min`: it must not exceed the maximum, 200");
    change(&[("min", 1.0), ("max", 2.0)]).unwrap();
    assert_eq!(limit.limit(), 2);
    limit.act(&Action::Disable).unwrap();
    let many: Vec<_> = (0..9).map(|_| limit.try_acquire(&Call::new()).unwrap()).collect();
    limit.act(&Action::Release).unwrap();
    drop(many);
    assert_eq!((limit.running(), limit.limit()), (0, 2));
    limit.act(&Action::Isolate).unwrap();
    assert_eq!(limit.try_acquire(&Call::new()).unwrap_err().reason, Reason::Isolated);
    assert_eq!(limit.view().state, "isolated");
}
