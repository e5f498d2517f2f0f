//! B1 to B9 and B12 to B15: who passes, what counts, and when the state changes.

use super::*;
use crate::breaker::{OnCancel, Window};
use crate::{Outcome, Reason};

/// 50 % of at least ten among the last hundred, judged by slowness too.
fn counting() -> Options {
    Options::recommended().with_window(Window::Count(100)).unwrap().with_min_calls(10).unwrap()
}

fn steady(seconds: u64) -> Options {
    counting()
        .with_open(SECOND * seconds as u32, 1.0, SECOND * seconds as u32)
        .unwrap()
        .with_jitter(0.0)
        .unwrap()
}

/// The mission's own words for the policy `classic`.
#[test]
fn classic_opens_at_five_in_a_row_and_probes_after_more_than_sixty_seconds() {
    let rig = rig(Options::classic());
    rig.fail(4);
    rig.ok(1);
    rig.fail(4);
    assert!(rig.is(State::Closed), "a success begins the count again");
    rig.fail(1);
    assert!(rig.is(State::Open));
    rig.pass(SECOND * 60);
    let rejected = rig.admit().unwrap_err();
    assert_eq!((rejected.reason, rejected.retry_after), (Reason::Open, Some(QUICK)));
    rig.pass(QUICK);
    let probe = rig.admit().unwrap();
    assert!(rig.is(State::HalfOpen));
    assert_eq!(rig.admit().unwrap_err().reason, Reason::Probing);
    probe.failure(QUICK);
    assert!(rig.is(State::Open), "any failure reopens it");
    rig.pass(SECOND * 60 + QUICK);
    rig.ok(1);
    assert!(rig.is(State::Closed), "one success closes it");
    assert_eq!(rig.path(), ["open", "half_open", "open", "half_open", "closed"]);
}

#[test]
fn classic_with_a_success_threshold_needs_that_many_and_any_failure_reopens() {
    let rig = rig(Options::classic().with_success_threshold(3).unwrap());
    rig.fail(5);
    rig.rest();
    rig.ok(2);
    assert!(rig.is(State::HalfOpen));
    rig.fail(1);
    assert!(rig.is(State::Open));
    rig.rest();
    rig.ok(3);
    assert!(rig.is(State::Closed));
}

/// Whoever holds the lock of the book, calls go on: neither admission nor rejection takes it.
#[test]
fn b1_admission_and_rejection_take_no_lock() {
    let rig = rig(Options::classic());
    let book = rig.breaker.core().book.lock();
    rig.ok(3);
    drop(book);
    rig.fail(5);
    let book = rig.breaker.core().book.lock();
    assert_eq!(rig.admit().unwrap_err().reason, Reason::Open);
    drop(book);
}

#[test]
fn b2_a_permit_takes_one_result_and_says_itself_when_it_gets_none() {
    let rig = rig(Options::classic());
    rig.ok(2);
    rig.fail(1);
    rig.admit().unwrap().ignore(QUICK);
    drop(rig.admit().unwrap());
    let totals = rig.breaker.totals();
    assert_eq!((totals.successes, totals.failures, totals.ignored, totals.cancelled), (2, 1, 1, 1));
    assert!(rig.is(State::Closed));
}

#[test]
fn b2_a_dropped_probe_gives_back_the_slot_of_its_own_generation_only() {
    let rig = rig(Options::classic());
    rig.fail(5);
    rig.rest();
    let first = rig.admit().unwrap();
    rig.breaker.release("ann", "b2");
    rig.fail(5);
    rig.rest();
    let second = rig.admit().unwrap();
    drop(first);
    assert_eq!(rig.admit().unwrap_err().reason, Reason::Probing, "the second holds the only slot");
    drop(second);
    assert!(rig.admit().is_ok());
}

#[test]
fn b3_a_late_verdict_changes_nothing_and_is_counted() {
    let rig = rig(Options::classic());
    let (slow, bad) = (rig.admit().unwrap(), rig.admit().unwrap());
    let (none, gone) = (rig.admit().unwrap(), rig.admit().unwrap());
    rig.fail(5);
    assert_eq!(slow.success(SECOND), Recorded::Late);
    assert_eq!(bad.failure(SECOND), Recorded::Late);
    assert_eq!(none.ignore(SECOND), Recorded::Late);
    drop(gone);
    let totals = rig.breaker.totals();
    let late = [totals.late_successes, totals.late_failures, totals.late_ignored];
    assert_eq!((late, totals.late_cancelled), ([1, 1, 1], 1));
    assert_eq!((totals.successes, totals.failures), (0, 5));
    assert_eq!(rig.path(), ["open"]);
}

#[test]
fn b3_every_change_gives_the_next_generation() {
    let rig = rig(Options::classic());
    let mut before = rig.breaker.generation();
    let mut rises = |why: &str, by: u64| {
        let now = rig.breaker.generation();
        assert_eq!(now, before + by, "{why}");
        before = now;
    };
    rig.fail(5);
    rises("trip", 1);
    rig.rest();
    let probe = rig.admit().unwrap();
    rises("half-open", 1);
    probe.success(QUICK);
    rises("closed", 1);
    rig.breaker.release("ann", "b3");
    rises("release", 1);
    rig.breaker.isolate("ann", "b3");
    rises("isolate", 1);
    rig.breaker.reconfigure(Options::classic(), "ann", "b3").unwrap();
    // One ends what was counted before the new settings, one what was judged by some of them.
    rises("reconfigure", 2);
}

#[test]
fn b4_what_says_nothing_counts_nowhere_and_does_not_keep_it_half_open() {
    let rig = rig(steady(5).with_probes(3).unwrap());
    for _ in 0..1_000 {
        rig.admit().unwrap().ignore(QUICK);
    }
    assert_eq!(rig.figure("calls"), 0.0);
    rig.fail(10);
    rig.rest();
    for _ in 0..3 {
        assert!(!rig.is(State::Closed));
        rig.admit().unwrap().ignore(QUICK);
    }
    assert!(rig.is(State::Closed), "three timely answers that say nothing are a success");
}

#[test]
fn b4_an_answer_that_says_nothing_but_took_too_long_is_no_sign_of_health() {
    let rig = rig(steady(5).with_probes(2).unwrap());
    rig.fail(10);
    rig.rest();
    for _ in 0..10 {
        rig.admit().unwrap().ignore(SECOND * 3);
    }
    assert!(rig.is(State::HalfOpen));
}

#[test]
fn b5_a_success_can_open_the_breaker_by_making_the_calls_enough() {
    for window in [Window::Count(100), Window::Time(SECOND * 10)] {
        let rig = rig(counting().with_window(window).unwrap());
        rig.fail(5);
        rig.ok(4);
        assert!(rig.is(State::Closed), "nine calls are too few");
        rig.ok(1);
        assert!(rig.is(State::Open), "{window:?}");
    }
}

#[test]
fn b5_a_slow_success_can_open_the_breaker() {
    for window in [Window::Count(10), Window::Time(SECOND * 10)] {
        let options = counting().with_window(window).unwrap();
        let rig = rig(options.with_slow_calls(SECOND, 0.5).unwrap());
        rig.ok(5);
        for _ in 0..4 {
            rig.admit().unwrap().success(SECOND);
        }
        assert!(rig.is(State::Closed));
        rig.admit().unwrap().success(SECOND);
        assert!(rig.is(State::Open), "{window:?}");
        assert_eq!(rig.breaker.totals().slow, 5);
    }
}

/// An old good bucket leaves the window, and the next success finds the rest bad.
#[test]
fn b5_a_success_is_judged_again_when_the_window_has_moved() {
    let options = counting().with_window(Window::Time(SECOND * 10)).unwrap();
    let rig = rig(options);
    rig.ok(50);
    rig.pass(SECOND * 5);
    rig.fail(20);
    assert!(rig.is(State::Closed), "20 of 70");
    rig.ok(1);
    rig.pass(SECOND * 5);
    rig.ok(1);
    assert!(rig.is(State::Open), "20 of 22");
}

#[test]
fn b6_a_share_that_is_reached_opens_it() {
    let rig = rig(counting().with_failure_rate(0.3).unwrap());
    rig.ok(8);
    rig.fail(3);
    assert!(rig.is(State::Closed), "3 of 11");
    rig.fail(1);
    assert!(rig.is(State::Open), "4 of 12 is above 0.3");
}

#[test]
fn b7_half_open_lets_as_many_run_as_it_counts_and_decides_early() {
    let rig = rig(steady(5).with_probes(3).unwrap());
    rig.fail(10);
    rig.rest();
    let probes: Vec<_> = (0..3).map(|_| rig.admit().unwrap()).collect();
    assert_eq!(rig.admit().unwrap_err().reason, Reason::Probing);
    let mut probes = probes.into_iter();
    assert_eq!(probes.next().unwrap().failure(QUICK), Recorded::Counted);
    assert!(rig.is(State::HalfOpen), "one of three may fail");
    assert_eq!(probes.next().unwrap().failure(QUICK), Recorded::Counted);
    assert!(rig.is(State::Open), "two of three is half");
    assert_eq!(probes.next().unwrap().success(QUICK), Recorded::Late);
    rig.rest();
    rig.ok(2);
    assert!(rig.is(State::Closed), "the third could not matter");
}

#[test]
fn b7_probes_that_do_not_decide_in_time_open_it_again() {
    let rig = rig(steady(5).with_probes(1).unwrap());
    rig.fail(10);
    rig.rest();
    let hung = rig.admit().unwrap();
    rig.pass(SECOND * 10);
    assert_eq!(rig.admit().unwrap_err().reason, Reason::Probing, "twice the open time");
    rig.pass(QUICK);
    assert_eq!(rig.admit().unwrap_err().reason, Reason::Open);
    assert_eq!(hung.success(SECOND), Recorded::Late);
    rig.rest();
    rig.ok(1);
    assert!(rig.is(State::Closed));
}

#[test]
fn b8_nothing_moves_an_open_breaker_but_a_call_after_its_time() {
    let rig = rig(Options::classic());
    rig.fail(5);
    rig.pass(SECOND * 600);
    assert!(rig.is(State::Open), "nobody asked");
    assert_eq!(rig.breaker.view().remaining_open, Some(Duration::ZERO));
    assert!(rig.is(State::Open), "looking changes nothing");
    let _probe = rig.admit().unwrap();
    assert!(rig.is(State::HalfOpen));
}

#[test]
fn b9_each_failed_recovery_doubles_the_open_time_up_to_the_cap() {
    let options = Options::classic().with_open(SECOND * 5, 2.0, SECOND * 60).unwrap();
    let rig = rig(options);
    rig.fail(5);
    let mut waits = Vec::new();
    for _ in 0..6 {
        waits.push(rig.breaker.view().remaining_open.unwrap().as_secs());
        rig.rest();
        rig.fail(1);
    }
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
}

#[test]
fn b9_the_open_time_begins_again_only_after_a_full_window_closed() {
    let options = counting()
        .with_window(Window::Time(SECOND * 10))
        .unwrap()
        .with_open(SECOND * 5, 2.0, SECOND * 60)
        .unwrap()
        .with_jitter(0.0)
        .unwrap();
    let rig = rig(options);
    let seconds = || rig.breaker.view().remaining_open.unwrap().as_secs();
    let trip_and_recover = || {
        rig.fail(10);
        let wait = seconds();
        rig.rest();
        rig.ok(2);
        wait
    };
    assert_eq!(trip_and_recover(), 5);
    assert_eq!(trip_and_recover(), 10, "it was closed for no time");
    rig.pass(SECOND * 9);
    assert_eq!(trip_and_recover(), 20, "it was closed for less than its window");
    rig.pass(SECOND * 10);
    assert_eq!(trip_and_recover(), 5);
}

#[test]
fn b9_chance_moves_the_open_time_within_its_share_and_comes_from_the_seed() {
    let waits = || {
        let rig = rig(Options::classic().with_jitter(0.2).unwrap());
        rig.fail(5);
        let mut waits = Vec::new();
        for _ in 0..50 {
            waits.push(rig.breaker.view().remaining_open.unwrap().as_millis());
            rig.rest();
            rig.fail(1);
        }
        waits
    };
    let first = waits();
    assert_eq!(first, waits());
    assert!(first.iter().all(|wait| (48_000..=72_001).contains(wait)), "{first:?}");
    assert!(first.iter().collect::<std::collections::HashSet<_>>().len() > 40);
}

#[test]
fn b9_the_dependency_may_ask_for_more_time_but_not_for_more_than_the_cap() {
    let hinted = |hint: u64| {
        let options = Options::classic().with_open(SECOND * 5, 2.0, SECOND * 60).unwrap();
        let rig = rig(options);
        rig.fail(4);
        let retry_after = Some(SECOND * hint as u32);
        rig.admit().unwrap().record(Outcome::Failure { retry_after });
        let rejected = rig.admit().unwrap_err();
        rejected.retry_after.unwrap().as_secs()
    };
    assert_eq!(hinted(1), 5, "never less than its own time");
    assert_eq!(hinted(30), 30);
    assert_eq!(hinted(86_400), 60);
}

/// B12: the wall clock is only shown. An hour either way moves nothing.
#[test]
fn b12_trap_10_a_step_of_the_wall_clock_changes_nothing() {
    let rig = rig(Options::classic());
    let noon = switchboard_core::Timestamp::from_micros(1_700_000_000_000_000);
    let hour = SECOND * 3_600;
    rig.clock.set(noon);
    rig.fail(5);
    rig.clock.set(noon.plus(hour));
    assert_eq!(rig.admit().unwrap_err().retry_after, Some(SECOND * 60 + QUICK));
    rig.clock.set(switchboard_core::Timestamp::from_micros(noon.as_micros() - 3_600_000_000));
    rig.rest();
    rig.ok(1);
    assert!(rig.is(State::Closed));
}

#[tokio::test(start_paused = true)]
async fn b12_tokio_time_can_be_paused_and_advanced() {
    let breaker = Breaker::new("paused", Options::classic(), Environment::seeded(1));
    for _ in 0..5 {
        breaker.admit().unwrap().failure(QUICK);
    }
    tokio::time::advance(SECOND * 60).await;
    assert!(breaker.admit().is_err());
    tokio::time::advance(QUICK).await;
    assert!(breaker.admit().is_ok());
}

#[test]
fn b14_what_was_given_up_counts_by_how_long_it_ran() {
    let fates = |on_cancel: OnCancel| {
        let rig = rig(Options::classic().with_on_cancel(on_cancel));
        let quick = rig.admit().unwrap();
        rig.pass(SECOND);
        drop(quick);
        let slow = rig.admit().unwrap();
        rig.pass(SECOND * 2);
        drop(slow);
        let totals = rig.breaker.totals();
        assert_eq!(totals.cancelled, 2);
        totals.failures
    };
    assert_eq!(fates(OnCancel::Ignore), 0);
    assert_eq!(fates(OnCancel::FailureIfElapsed(SECOND * 2)), 1);
    assert_eq!(fates(OnCancel::Failure), 2);
}

#[test]
fn b15_a_panic_in_the_call_is_a_failure_and_goes_on() {
    let rig = rig(Options::classic());
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = rig.admit().unwrap();
        panic!("in the call");
    }));
    assert!(caught.is_err());
    assert_eq!(rig.breaker.totals().failures, 1);
    assert_eq!(rig.figure("failures"), 1.0);
}

/// R10: only retries are held back.
#[test]
fn r10_first_tries_pass_an_open_breaker_unjudged() {
    let rig = rig(Options::classic());
    rig.fail(5);
    for _ in 0..10 {
        let permit = rig.breaker.admit_first_try().unwrap();
        assert_eq!(permit.failure(QUICK), Recorded::Unjudged);
    }
    assert!(rig.admit().is_err(), "a retry does not");
    rig.rest();
    assert_eq!(rig.breaker.admit_first_try().unwrap().success(QUICK), Recorded::Counted);
    assert!(rig.is(State::Closed), "after the rest a first try is a probe like any other");
}
