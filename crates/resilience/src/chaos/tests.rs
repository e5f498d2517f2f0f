//! Which faults are made, how often, and that they can be switched while calls run.

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard_core::Rng;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::{ChaosLayer, Fault, Faults, Switch};
use crate::control::{Action, ControlError, Controlled};
use crate::trial::{Scripted, dropped_at_every_poll};
use crate::{Call, CallError, Reason, TimeoutLayer};

fn switch(faults: Faults) -> Switch {
    let switch = Switch::new("test", Rng::from_seed(1));
    switch.set(faults);
    switch
}

/// Whether the call passed, whether the service saw it, and how long it took.
async fn check(faults: Faults) -> (Result<u32, Reason>, usize, Duration) {
    let service = Scripted::failing(0);
    let notes = service.notes.clone();
    let limit = TimeoutLayer::new(Duration::from_secs(60));
    let service = limit.layer(ChaosLayer::new(switch(faults)).layer(service));
    let begun = Instant::now();
    let answer = service.oneshot((Call::new(), ())).await.map_err(|error| match error {
        CallError::Rejected(rejected) => rejected.reason,
        CallError::Failed(text) => panic!("{text}"),
    });
    (answer, notes.count(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_what_a_caller_would_see_of_a_real_one() {
    let latency = Duration::from_millis(700);
    assert_eq!(check(Faults::default()).await, (Ok(1), 1, Duration::ZERO));
    let late = Faults { latency_share: 1.0, latency, ..Faults::default() };
    assert_eq!(check(late).await, (Ok(1), 1, latency));
    let error = Faults { error_share: 1.0, ..Faults::default() };
    assert_eq!(check(error).await, (Err(Reason::Chaos), 0, Duration::ZERO));
    let hang = Faults { hang_share: 1.0, ..Faults::default() };
    assert_eq!(check(hang).await, (Err(Reason::TimedOut), 0, Duration::from_secs(60)));
}

#[test]
fn a_seed_gives_the_same_faults_in_their_shares() {
    let faults = Faults {
        latency_share: 0.5,
        latency: Duration::from_secs(1),
        error_share: 0.2,
        hang_share: 0.1,
    };
    let draw = |seed| {
        let mut rng = Rng::from_seed(seed);
        (0..10_000).map(|_| faults.draw(&mut rng)).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let count = |fault| draw(1).iter().filter(|drawn| **drawn == fault).count();
    assert!((900..1_100).contains(&count(Fault::Hang)));
    assert!((1_700..1_900).contains(&count(Fault::Error)), "a fifth of those that do not hang");
    assert!((3_450..3_750).contains(&count(Fault::Late(Duration::from_secs(1)))));
}

#[test]
fn changing_one_share_does_not_change_which_calls_the_others_meet() {
    let hangs = |error_share| {
        let faults = Faults { hang_share: 0.1, error_share, ..Faults::default() };
        let mut rng = Rng::from_seed(3);
        (0..1_000).map(|_| faults.draw(&mut rng) == Fault::Hang).collect::<Vec<_>>()
    };
    assert_eq!(hangs(0.0), hangs(0.9));
}

#[tokio::test(start_paused = true)]
async fn an_operator_sets_faults_and_stops_them() {
    let switch = Switch::new("test", Rng::from_seed(1));
    let service = ChaosLayer::new(switch.clone()).layer(Scripted::failing(0));
    let call = async || service.clone().oneshot((Call::new(), ())).await.is_ok();
    let set = |name: &str, value| {
        switch.act(&Action::Reconfigure { settings: BTreeMap::from([(name.to_owned(), value)]) })
    };
    assert!(call().await);
    assert_eq!(switch.view().state, "idle");
    set("error_share", 1.0).unwrap();
    assert!(!call().await);
    assert_eq!((switch.view().state, switch.view().figures[0]), ("making_faults", ("made", 1.0)));
    switch.act(&Action::Disable).unwrap();
    assert!(call().await);
    switch.act(&Action::Release).unwrap();
    assert!(!call().await, "the settings have stayed");
    switch.clear();
    assert!(call().await);
    for (name, value) in [
        ("error_share", 1.1),
        ("hang_share", f64::NAN),
        ("latency", -1.0),
        ("latency", 3_601.0),
        ("x", 0.0),
    ] {
        assert!(matches!(set(name, value), Err(ControlError::Invalid { .. })), "{name} {value}");
    }
    assert!(switch.act(&Action::Isolate).is_err());
    assert_eq!(switch.view().settings[2], ("error_share", 0.0));
}

#[tokio::test(start_paused = true)]
async fn trap_07_dropped_at_every_poll_nothing_runs_on() {
    let latency = Duration::from_millis(500);
    let polls = dropped_at_every_poll(Duration::from_millis(100), || {
        let service = Scripted::new(|_, _| (Duration::from_millis(300), Ok(1)));
        let notes = service.notes.clone();
        let late = Faults { latency_share: 1.0, latency, ..Faults::default() };
        let chaos = ChaosLayer::new(switch(late)).layer(service);
        (chaos.oneshot((Call::new(), ())), move || assert_eq!(notes.running(), 0))
    })
    .await;
    assert!(polls > 5, "it was dropped {polls} times");
}
