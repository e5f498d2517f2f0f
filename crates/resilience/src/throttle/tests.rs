//! What is held back follows what was accepted, is counted in time, and always leaves one in ten.

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard_core::Rng;
use tokio::time::advance;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{Throttle, ThrottleLayer, Window};
use crate::control::{Action, Controlled};
use crate::probe::{Probe, taking};
use crate::trial::poll_once;
use crate::{Outcome, Reason, Rejected};

fn throttle() -> Throttle {
    Throttle::new("tests", Rng::from_seed(7))
}

/// Asks so often; how many requests were sent.
fn ask(throttle: &Throttle, times: u32, outcome: Outcome) -> u32 {
    let mut sent = 0;
    for _ in 0..times {
        if let Ok(request) = throttle.admit() {
            sent += 1;
            request.ended(outcome);
        }
    }
    sent
}

#[test]
fn d7_the_share_is_that_of_the_formula() {
    let cases = [
        // requests, accepts, share
        (0, 0, 0.0),
        (100, 100, 0.0),
        (100, 50, 0.0),
        (100, 40, 20.0 / 101.0),
        (100, 10, 80.0 / 101.0),
        (1_000, 0, 0.9),
    ];
    for (requests, accepts, share) in cases {
        let mut window = Window::new(Duration::from_secs(120));
        (0..requests).for_each(|_| window.request(Duration::ZERO));
        (0..accepts).for_each(|_| window.accept(Duration::ZERO));
        assert_eq!(window.rejection(Duration::ZERO, 2.0), share, "{requests} {accepts}");
    }
}

#[test]
fn d7_the_window_is_two_minutes_in_buckets() {
    let seconds = Duration::from_secs;
    let mut window = Window::new(seconds(120));
    for second in 0..120 {
        window.request(seconds(second));
    }
    assert_eq!(window.counts(seconds(119)).0, 120);
    assert_eq!(window.counts(seconds(120)).0, 110);
    assert_eq!(window.counts(seconds(135)).0, 100);
    // Somebody whose clock is late counts in the present.
    window.accept(seconds(3));
    assert_eq!(window.counts(seconds(135)), (100, 1));
    assert_eq!(window.counts(seconds(10_000)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn d7_what_is_accepted_is_never_held_back() {
    let throttle = throttle();
    assert_eq!(ask(&throttle, 1_000, Outcome::Success), 1_000);
    // "Not found" was accepted as well.
    assert_eq!(ask(&throttle, 1_000, Outcome::Ignore), 1_000);
    assert_eq!(throttle.rejection(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn d7_one_in_ten_is_always_sent() {
    let throttle = throttle();
    ask(&throttle, 1_000, Outcome::FAILURE);
    let sent = ask(&throttle, 10_000, Outcome::FAILURE);
    assert!((900..=1_100).contains(&sent), "{sent}");
    assert_eq!(throttle.rejection(), 0.9);
    assert_eq!(throttle.view().state, "throttling");
}

/// A dependency that hangs answers nothing; requests are counted when they are sent.
#[tokio::test(start_paused = true)]
async fn d7_requests_count_before_they_are_answered() {
    let throttle = throttle();
    let mut service = ThrottleLayer::new(throttle.clone()).layer(Probe::default());
    let mut hanging = Vec::new();
    for _ in 0..100 {
        let mut call = Box::pin(service.ready().await.unwrap().call(taking(60_000)));
        let _ = poll_once(call.as_mut());
        hanging.push(call);
    }
    assert_eq!(throttle.rejection(), 0.9);
    // Nor does giving up make them undone.
    drop(hanging);
    assert_eq!(throttle.rejection(), 0.9);
}

#[tokio::test(start_paused = true)]
async fn d7_it_lets_go_when_the_dependency_is_back() {
    let throttle = throttle();
    ask(&throttle, 1_000, Outcome::FAILURE);
    // What is held back counts as asked, so it lets go by and by and not at once.
    let mut sent = Vec::new();
    for _ in 0..36 {
        advance(Duration::from_secs(10)).await;
        sent.push(ask(&throttle, 1_000, Outcome::Success));
    }
    assert!(sent[0] < 200 && sent[12] > 500, "{sent:?}");
    assert_eq!(throttle.rejection(), 0.0);
    assert_eq!(ask(&throttle, 1_000, Outcome::Success), 1_000);
}

#[tokio::test(start_paused = true)]
async fn what_another_policy_rejected_was_not_asked() {
    let throttle = throttle();
    for (reason, requests) in [(Reason::Open, 0.0), (Reason::TimedOut, 1.0), (Reason::Chaos, 2.0)] {
        let inner =
            service_fn(
                move |(): ()| async move { Err::<(), _>(Rejected::new("inner".into(), reason)) },
            );
        let service = ThrottleLayer::new(throttle.clone()).layer(inner);
        service.oneshot(()).await.unwrap_err();
        assert_eq!(throttle.view().figures[0], ("requests", requests), "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_back_call_never_reaches_the_service() {
    let throttle = throttle();
    ask(&throttle, 1_000, Outcome::FAILURE);
    let probe = Probe::default();
    let begun = probe.begun.clone();
    let mut service = ThrottleLayer::new(throttle).layer(probe);
    let mut rejected = 0;
    for _ in 0..100 {
        match service.ready().await.unwrap().call(taking(0)).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.reason, Reason::Throttled);
                rejected += 1;
            }
        }
    }
    assert!((80..100).contains(&rejected), "{rejected}");
    assert_eq!(begun.load(std::sync::atomic::Ordering::SeqCst), 100 - rejected);
}

#[tokio::test(start_paused = true)]
async fn an_operator_switches_it() {
    let throttle = throttle();
    ask(&throttle, 1_000, Outcome::FAILURE);
    throttle.act(&Action::Disable).unwrap();
    assert_eq!(ask(&throttle, 100, Outcome::FAILURE), 100);
    throttle.act(&Action::Isolate).unwrap();
    assert_eq!(throttle.admit().unwrap_err().reason, Reason::Isolated);
    throttle.act(&Action::Release).unwrap();
    let settings = BTreeMap::from([("k".to_owned(), 0.5)]);
    let error = throttle.act(&Action::Reconfigure { settings }).unwrap_err().to_string();
    assert_eq!(error, "`k`: it can be 1 to 10");
    assert!(Throttle::with("t", Rng::from_seed(1), f64::NAN, Duration::from_secs(9)).is_err());
    assert!(Throttle::with("t", Rng::from_seed(1), 2.0, Duration::ZERO).is_err());
}
