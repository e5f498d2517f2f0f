//! B10, B11, D11, D12: what operators do and see.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::breaker::Window;
use crate::control::{Action, ControlError, Status};
use crate::{Reason, Registry};

#[test]
fn b10_what_an_operator_sets_no_time_and_no_result_ends() {
    let rig = rig(Options::classic());
    assert_eq!(rig.breaker.isolate("ann", "moving house"), State::Closed);
    rig.pass(SECOND * 86_400);
    assert_eq!(rig.admit().unwrap_err().reason, Reason::Isolated);
    assert_eq!(rig.admit().unwrap_err().retry_after, None, "nobody knows when");

    assert_eq!(rig.breaker.disable("ann", "never mind"), State::Isolated);
    for _ in 0..100 {
        assert_eq!(rig.admit().unwrap().failure(QUICK), Recorded::Unjudged);
    }
    assert!(rig.is(State::Disabled));
    assert_eq!(rig.breaker.totals().failures, 0, "it counts nothing");

    assert_eq!(rig.breaker.release("ann", "all well"), State::Disabled);
    rig.fail(5);
    assert!(rig.is(State::Open));
}

#[test]
fn b10_an_observing_breaker_counts_and_says_once_that_it_would_open() {
    let rig = rig(Options::classic());
    rig.breaker.observe("ann", "trying settings");
    rig.fail(50);
    assert!(rig.is(State::Observing));
    let would = || {
        let told = rig.told.lock();
        told.iter().filter(|event| matches!(event, Event::WouldOpen { .. })).count()
    };
    assert_eq!(would(), 1);
    rig.pass(SECOND * 61);
    rig.fail(1);
    assert_eq!(would(), 2, "once per open time");
    assert_eq!(rig.breaker.totals().failures, 51);
}

#[test]
fn b10_what_an_operator_did_is_told_with_who_and_why() {
    let rig = rig(Options::classic());
    rig.breaker.isolate("ann", "moving house");
    let told = rig.told.lock();
    let [Event::Changed { because, .. }, Event::Acted { actor, why, action, before, after, .. }] =
        &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!(because, "operator ann: moving house");
    assert_eq!((actor.as_str(), why.as_str(), *action), ("ann", "moving house", "isolate"));
    assert_eq!((*before, *after), ("closed", "isolated"));
}

/// B11, trap 11: a listener that asks for everything, and does everything.
#[test]
fn b11_trap_11_a_listener_may_call_every_method() {
    let (environment, ..) = environment();
    let events = environment.events.clone();
    let breaker = Breaker::new("reentrant", Options::classic(), environment);
    let (inside, calls) = (breaker.clone(), Arc::new(AtomicUsize::new(0)));
    let count = calls.clone();
    events.listen(move |event| {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = (inside.view(), inside.health(), inside.totals(), inside.options());
        if let Ok(permit) = inside.admit() {
            permit.success(QUICK);
        }
        if matches!(event, Event::Changed { to: "open", .. }) {
            inside.release("listener", "b11");
            inside.isolate("listener", "b11");
            inside.reconfigure(Options::classic(), "listener", "b11").unwrap();
            inside.observe("listener", "b11");
            inside.disable("listener", "b11");
        }
    });
    for _ in 0..5 {
        breaker.admit().unwrap().failure(QUICK);
    }
    assert_eq!(breaker.state(), State::Disabled);
    // The trip, and two events for each of the five actions.
    assert_eq!((calls.load(Ordering::SeqCst), events.panics()), (11, 0));
}

#[test]
fn b11_a_listener_sees_the_new_state() {
    let (environment, ..) = environment();
    let events = environment.events.clone();
    let breaker = Breaker::new("seen", Options::classic(), environment);
    let (inside, seen) = (breaker.clone(), Arc::new(Mutex::new(Vec::new())));
    let into = seen.clone();
    events.listen(move |_| into.lock().push(inside.state()));
    for _ in 0..5 {
        breaker.admit().unwrap().failure(QUICK);
    }
    assert_eq!(*seen.lock(), [State::Open]);
}

#[test]
fn settings_change_live_and_nothing_counted_before_is_judged_by_them() {
    let options = Options::recommended().with_window(Window::Time(SECOND * 10)).unwrap();
    let rig = rig(options);
    rig.ok(11);
    rig.fail(8);
    let early = rig.admit().unwrap();
    let settings =
        BTreeMap::from([("min_calls".to_owned(), 2.0), ("failure_rate".to_owned(), 0.4)]);
    rig.breaker.act_as(&Action::Reconfigure { settings }, "ann", "too deaf").unwrap();
    assert_eq!(early.failure(QUICK), Recorded::Late);
    assert_eq!(rig.figure("calls"), 0.0);
    rig.fail(1);
    assert!(rig.is(State::Closed));
    rig.ok(1);
    assert!(rig.is(State::Open), "1 of 2");
    // Open stays open, until the same moment.
    let before = rig.breaker.view().remaining_open;
    rig.breaker.reconfigure(rig.breaker.options(), "ann", "again").unwrap();
    assert_eq!(rig.breaker.view().remaining_open, before);
    rig.rest();
    assert!(rig.admit().is_ok());
}

/// The new settings are seen one by one while calls run; none of them judges what was counted
/// before, because that generation is over when the first is seen.
#[test]
fn a_result_that_meets_new_settings_half_way_opens_nothing_by_what_was_counted_before() {
    let options = Options::recommended().with_window(Window::Time(SECOND * 10)).unwrap();
    let rig = rig(options.clone());
    rig.ok(10);
    rig.fail(8);
    let early = rig.admit().unwrap();
    rig.breaker.core().set(options.with_min_calls(2).unwrap());
    // Its word is no longer the present one, though no change was told yet.
    assert_eq!(early.failure(QUICK), Recorded::Late);
    assert!(rig.is(State::Closed) && rig.path().is_empty());
    // An open breaker keeps its end through all of it.
    rig.fail(2);
    assert!(rig.is(State::Open));
    let before = rig.breaker.view().remaining_open;
    rig.breaker.core().set(Options::recommended());
    assert_eq!(rig.breaker.view().remaining_open, before);
}

#[test]
fn what_cannot_change_while_it_lives_is_refused_and_nothing_moves() {
    let rig = rig(Options::recommended().with_window(Window::Count(50)).unwrap());
    let generation = rig.breaker.generation();
    let longer = rig.breaker.options().with_window(Window::Count(51)).unwrap();
    let error = rig.breaker.reconfigure(longer, "ann", "more").unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid breaker: window: holds no more calls than at its birth while it lives"
    );
    assert!(rig.breaker.reconfigure(Options::classic(), "ann", "other").is_err());
    assert_eq!(rig.breaker.generation(), generation);
    let shorter = rig.breaker.options().with_window(Window::Count(10)).unwrap();
    rig.breaker.reconfigure(shorter, "ann", "less").unwrap();
    rig.ok(30);
    assert_eq!(rig.figure("calls"), 10.0);
}

#[test]
fn a_registry_passes_on_who_acted_and_a_wrong_setting_changes_nothing() {
    let rig = rig(Options::classic());
    let registry = Registry::new(rig.clock.clone());
    registry.register(Arc::new(rig.breaker.clone()));
    let record = registry.act("rig", Action::Observe, "ann", "trying").unwrap();
    assert_eq!((record.before, record.after), ("closed", "observing"));
    let settings = BTreeMap::from([("jitter".to_owned(), 7.0)]);
    let error = registry.act("rig", Action::Reconfigure { settings }, "ann", "so").unwrap_err();
    assert!(matches!(error, ControlError::Invalid { .. }), "{error}");
    assert_eq!(error.to_string(), "`jitter`: must lie between 0 and below 1");
    assert_eq!(registry.records().len(), 1);
}

#[test]
fn the_view_tells_what_happened_newest_first() {
    let rig = rig(Options::classic());
    rig.fail(5);
    rig.rest();
    rig.ok(1);
    let transitions = rig.breaker.view().transitions;
    let path: Vec<_> = transitions.iter().map(|t| (t.from, t.to, t.because.as_str())).collect();
    assert_eq!(
        path,
        [
            ("half_open", "closed", "of 1 probes 0 failed and 0 were slow"),
            ("open", "half_open", "the open time is over"),
            ("closed", "open", "failure_rate 100 %, slow_rate 0 % of 5 calls"),
        ]
    );
    for _ in 0..100 {
        rig.breaker.release("ann", "again");
    }
    assert_eq!(rig.breaker.view().transitions.len(), 32);
}

#[test]
fn d11_an_open_breaker_is_a_degraded_part_that_names_what_stands_in() {
    let rig = rig(Options::classic().with_fallback("the last known prices"));
    assert_eq!(rig.breaker.health().status, Status::Ok);
    rig.fail(5);
    let health = rig.breaker.health();
    assert_eq!((health.status, health.state), (Status::Degraded, "open"));
    assert_eq!(health.detail, "`rig` is open; callers get the last known prices");
    let json = serde_json::to_value(&health).unwrap();
    assert_eq!(json["status"], "degraded");
    assert_eq!(json["fallback"], "the last known prices");
}

/// D12: read from a real recorder, as a scrape would.
#[test]
fn d12_one_gauge_per_state_sums_to_one_and_outcomes_are_counted_by_name() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let rig = rig(Options::classic());
        let late = rig.admit().unwrap();
        rig.ok(3);
        rig.admit().unwrap().ignore(QUICK);
        drop(rig.admit().unwrap());
        rig.fail(5);
        late.success(QUICK);
        assert!(rig.admit().is_err());
        let registry = Registry::new(rig.clock.clone());
        registry.register(Arc::new(rig.breaker.clone()));
        registry.publish();
    });
    let text = handle.render();
    let value = |line: &str| {
        let found = text.lines().find(|found| found.starts_with(&format!("{line} ")));
        let found = found.unwrap_or_else(|| panic!("no `{line}` in\n{text}"));
        found.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let breaker = |name: &str, label: &str| {
        value(&format!("switchboard_resilience_breaker_{name}{{policy=\"rig\"{label}}}"))
    };
    let states = State::ALL.map(|state| breaker("state", &format!(",state=\"{state}\"")));
    assert_eq!((states.iter().sum::<f64>(), states[1]), (1.0, 1.0));
    assert_eq!(breaker("calls", ",outcome=\"success\""), 3.0);
    assert_eq!(breaker("calls", ",outcome=\"failure\""), 5.0);
    assert_eq!(breaker("calls", ",outcome=\"ignored\""), 1.0);
    assert_eq!(breaker("calls", ",outcome=\"cancelled\""), 1.0);
    assert_eq!(breaker("late_results", ",outcome=\"success\""), 1.0);
    assert_eq!(breaker("rejected_calls", ",reason=\"open\""), 1.0);
    assert_eq!(breaker("changes", ""), 1.0);
    assert_eq!(breaker("slow_calls", ""), 0.0);
    let text =
        text.lines().find(|line| line.starts_with("# HELP switchboard_resilience_breaker_state"));
    assert!(text.is_some(), "who reads the numbers is told what they mean");
}
