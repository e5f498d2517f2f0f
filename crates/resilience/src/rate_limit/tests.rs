//! Calls pass at the nanosecond at which they may, and the figures say when that is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, advance};
use tower::{Layer, Service, ServiceExt};

use super::{
    Decision, Figures, KeyedRateLimit, KeyedRateLimitLayer, Rate, RateLimit, RateLimitLayer,
};
use crate::control::{Action, Controlled};
use crate::probe::{Probe, Request, taking};
use crate::trial::dropped_at_every_poll;
use crate::{Call, Reason};

const SECOND: Duration = Duration::from_secs(1);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn smooth(per_second: u32) -> RateLimit {
    RateLimit::new("tests", Rate::smooth(per_second, SECOND).unwrap())
}

fn bursty(per_second: u32) -> RateLimit {
    RateLimit::new("tests", Rate::bursty(per_second, SECOND).unwrap())
}

fn wait(limit: &RateLimit) -> Option<Duration> {
    limit.try_acquire().err().and_then(|refused| refused.rejected.retry_after)
}

#[tokio::test(start_paused = true)]
async fn smooth_calls_pass_one_by_one_at_exact_times() {
    let limit = smooth(10);
    assert_eq!(wait(&limit), None);
    assert_eq!(wait(&limit), Some(millis(100)));
    advance(millis(99)).await;
    assert_eq!(wait(&limit), Some(millis(1)));
    advance(millis(1)).await;
    assert_eq!(wait(&limit), None);
    // A quiet time earns no burst.
    advance(SECOND).await;
    assert_eq!(wait(&limit), None);
    assert_eq!(wait(&limit), Some(millis(100)));
}

#[tokio::test(start_paused = true)]
async fn bursty_calls_pass_at_once_and_come_back_at_exact_times() {
    let limit = bursty(5);
    assert!((0..5).all(|_| wait(&limit).is_none()));
    assert_eq!(wait(&limit), Some(millis(200)));
    advance(millis(400)).await;
    assert!((0..2).all(|_| wait(&limit).is_none()));
    assert_eq!(wait(&limit), Some(millis(200)));
}

#[tokio::test(start_paused = true)]
async fn figures_say_what_is_left() {
    let limit = bursty(4);
    let figures = |remaining, reset| Figures {
        limit: 4,
        remaining,
        reset_after: millis(reset),
        window: SECOND,
    };
    assert_eq!(limit.figures(), figures(4, 0));
    assert_eq!(limit.try_acquire().unwrap(), figures(3, 250));
    assert_eq!(limit.try_acquire().unwrap(), figures(2, 500));
    advance(millis(125)).await;
    assert_eq!(limit.figures(), figures(2, 375));
    assert!((0..2).all(|_| limit.try_acquire().is_ok()));
    let refused = limit.try_acquire().unwrap_err();
    assert_eq!(refused.figures, figures(0, 875));
    assert_eq!(refused.rejected.reason, Reason::RateLimited);
    assert_eq!(refused.rejected.retry_after, Some(millis(125)));
}

#[tokio::test(start_paused = true)]
async fn a_layer_with_a_wait_paces_its_calls() {
    let layer = RateLimitLayer::new(smooth(10)).with_wait(millis(250));
    let mut service = layer.layer(Probe::default());
    let begun = Instant::now();
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(service.ready().await.unwrap().call(taking(0)));
    }
    // The fourth turn is too far away.
    let fourth = service.ready().await.unwrap().call(taking(0)).await.unwrap_err();
    assert_eq!((fourth.reason, fourth.retry_after), (Reason::RateLimited, Some(millis(300))));
    for (call, at) in calls.into_iter().zip([0, 100, 200]) {
        call.await.unwrap();
        let took = begun.elapsed().as_millis();
        assert!((at..=at + 2).contains(&took), "{took} instead of {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_never_waits_past_its_deadline() {
    let limit = smooth(1);
    let layer = RateLimitLayer::new(limit.clone()).with_wait(SECOND);
    let service = layer.layer(Probe::default());
    limit.try_acquire().unwrap();
    let begun = Instant::now();
    let call = Call::new().with_deadline(begun + millis(500));
    let error = service.oneshot((call, Duration::ZERO)).await.unwrap_err();
    assert_eq!((error.retry_after, begun.elapsed()), (Some(SECOND), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_nobody_used_is_given_back() {
    let limit = smooth(10);
    limit.try_acquire().unwrap();
    let turn = limit.reserve(SECOND).unwrap();
    assert_eq!(turn.wait(), millis(100));
    drop(turn);
    assert_eq!(limit.reserve(SECOND).unwrap().wait(), millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_turn_with_somebody_behind_it_is_not_given_to_two() {
    let limit = smooth(10);
    limit.try_acquire().unwrap();
    let first = limit.reserve(SECOND).unwrap();
    let second = limit.reserve(SECOND).unwrap();
    drop(first);
    let third = limit.reserve(SECOND).unwrap();
    assert_eq!((second.wait(), third.wait()), (millis(200), millis(300)));
}

#[tokio::test(start_paused = true)]
async fn trap_07_a_call_that_is_dropped_while_it_waits_gives_its_turn_back() {
    dropped_at_every_poll(millis(1), || {
        let limit = smooth(10);
        limit.try_acquire().unwrap();
        let layer = RateLimitLayer::new(limit.clone()).with_wait(SECOND);
        let call = layer.layer(Probe::default()).oneshot(taking(1));
        // The first call is missing for 100 ms; this one only from when it ran.
        (call, move || assert!(limit.figures().reset_after <= millis(100)))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trap_12_the_service_that_was_made_ready_is_the_one_that_is_called() {
    let layer = RateLimitLayer::new(smooth(1_000)).with_wait(SECOND);
    let mut service = layer.layer(Probe::default());
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(service.ready().await.unwrap().call(taking(1)));
    }
    for call in calls {
        call.await.unwrap();
    }
}

#[test]
fn threads_never_pass_more_than_the_burst() {
    let rate = Rate::bursty(1_000, Rate::LONGEST).unwrap();
    let (limit, passed) = (RateLimit::new("threads", rate), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mine = (0..1_000).filter(|_| limit.try_acquire().is_ok()).count();
                passed.fetch_add(mine, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(passed.into_inner(), 1_000);
}

proptest! {
    /// In any time, at most the burst passes, and what the time itself allows.
    #[test]
    fn never_more_pass_than_the_rate_allows(
        calls in 1_u32..50,
        burst in 1_u32..50,
        gaps in proptest::collection::vec(0_u64..100_000_000, 1..200),
    ) {
        let gcra = Rate::bursty(calls, SECOND).unwrap().with_burst(burst).unwrap().gcra();
        let (mut full_at, mut now) = (0, 0);
        let mut passed: Vec<u64> = Vec::new();
        for gap in gaps {
            now += gap;
            match gcra.decide(full_at, now) {
                Decision::Pass { full_at: after } => {
                    full_at = after;
                    passed.push(now);
                }
                Decision::Wait { wait, .. } => {
                    // One nanosecond before its time it would not pass, at its time it does.
                    let early = gcra.decide(full_at, now + wait - 1);
                    prop_assert!(matches!(early, Decision::Wait { wait: 1, .. }), "{:?}", early);
                    let on_time = gcra.decide(full_at, now + wait);
                    prop_assert!(matches!(on_time, Decision::Pass { .. }), "{:?}", on_time);
                }
            }
        }
        for (first, from) in passed.iter().enumerate() {
            for (last, to) in passed.iter().enumerate().skip(first) {
                let allowed = u64::from(burst) + (to - from) / gcra.interval;
                prop_assert!((last - first + 1) as u64 <= allowed);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_own_rate() {
    let limit = KeyedRateLimit::new("keys", Rate::bursty(1, SECOND).unwrap());
    let layer = KeyedRateLimitLayer::new(limit, |(_, takes): &Request| {
        (!takes.is_zero()).then_some(takes.as_millis())
    });
    let mut service = layer.layer(Probe::default());
    let mut call = async |key| service.ready().await?.call(taking(key)).await;
    assert!(call(1).await.is_ok());
    assert!(call(2).await.is_ok());
    let error = call(1).await.unwrap_err();
    assert_eq!(error.reason, Reason::RateLimited);
    assert!(error.retry_after.unwrap() < SECOND);
    // What has no key is not limited.
    assert!(call(0).await.is_ok());
    assert!(call(0).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_full_again_are_forgotten() {
    let rate = Rate::bursty(1, SECOND).unwrap();
    let limit: KeyedRateLimit<u32> = KeyedRateLimit::with_keys("keys", rate, 160);
    for key in 0..10_000 {
        limit.try_acquire(&key).unwrap();
        advance(millis(100)).await;
    }
    assert!(limit.keys() <= 160, "{}", limit.keys());
}

/// Many active keys do not make room for the one that is exhausted.
#[tokio::test(start_paused = true)]
async fn under_a_flood_of_keys_the_exhausted_one_is_remembered() {
    let rate = Rate::bursty(10, Duration::from_secs(100)).unwrap();
    let limit: KeyedRateLimit<u32> = KeyedRateLimit::with_keys("keys", rate, 160);
    assert!((0..10).all(|_| limit.try_acquire(&0).is_ok()));
    for key in 1..5_000 {
        limit.try_acquire(&key).unwrap();
    }
    assert!(limit.keys() <= 160, "{}", limit.keys());
    assert!(limit.try_acquire(&0).is_err());
}

#[tokio::test(start_paused = true)]
async fn an_operator_changes_the_rate_while_it_runs() {
    let limit = smooth(10);
    let change = |settings: &[(&str, f64)]| {
        let settings: BTreeMap<_, _> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        limit.act(&Action::Reconfigure { settings })
    };
    assert!(change(&[("burst", 0.0)]).is_err());
    assert!(change(&[("calls_per_second", f64::NAN)]).is_err());
    assert!(change(&[("calls_per_second", 0.001), ("burst", 1e6)]).is_err());
    change(&[("calls_per_second", 2.0), ("burst", 3.0)]).unwrap();
    assert!((0..3).all(|_| wait(&limit).is_none()));
    assert_eq!(wait(&limit), Some(millis(500)));
    assert_eq!(limit.view().state, "exhausted");
    limit.act(&Action::Disable).unwrap();
    assert!((0..99).all(|_| wait(&limit).is_none()));
    limit.act(&Action::Isolate).unwrap();
    let refused = limit.try_acquire().unwrap_err().rejected;
    assert_eq!((refused.reason, refused.retry_after), (Reason::Isolated, None));
    limit.act(&Action::Release).unwrap();
    assert_eq!(wait(&limit), Some(millis(500)), "nothing was spent while it was disabled");
}

#[test]
fn refuses_what_cannot_be_meant() {
    assert!(Rate::smooth(0, SECOND).is_err());
    assert!(Rate::smooth(1_000_001, SECOND).is_err());
    assert!(Rate::smooth(1, Duration::ZERO).is_err());
    assert!(Rate::smooth(1, Rate::LONGEST * 2).is_err());
    assert!(Rate::bursty(1, SECOND).unwrap().with_burst(0).is_err());
    let error = Rate::smooth(1, Rate::LONGEST).unwrap().with_burst(31).unwrap_err().to_string();
    assert_eq!(error, "invalid rate limit: its burst is more than it allows in 30 days");
}
