//! The faults of other breakers, each a test of ours. The number is the trap's; 7, 9, 12 and 14 are in `tests/`, 5 beside the probes.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::breaker::Window;
use crate::{Outcome, Reason};

const THREADS: usize = 16;

/// Runs this on many threads that begin together.
fn together(threads: usize, run: impl Fn(usize) + Sync) {
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (start, run) = (&start, &run);
            scope.spawn(move || {
                start.wait();
                run(thread);
            });
        }
    });
}

#[test]
fn trap_01_ten_thousand_calls_at_the_end_of_the_wait_are_three_probes() {
    for round in 0..20 {
        let rig = rig(Options::recommended().with_jitter(0.0).unwrap());
        rig.fail(20);
        rig.rest();
        let admitted = AtomicUsize::new(0);
        together(THREADS, |_| {
            for _ in 0..10_000 / THREADS {
                if let Ok(permit) = rig.breaker.admit_owned() {
                    admitted.fetch_add(1, Ordering::SeqCst);
                    // It runs on, as a call would.
                    std::mem::forget(permit);
                }
            }
        });
        assert_eq!(admitted.into_inner(), 3, "round {round}");
        assert_eq!(rig.path(), ["open", "half_open"], "exactly one moved it (B8)");
        let totals = rig.breaker.totals();
        assert_eq!(totals.rejected(), 10_000 - 3);
    }
}

/// Begun closed, ended in every later state: nothing moves, either way.
#[test]
fn trap_02_a_result_from_before_the_trip_does_not_judge_the_recovery() {
    for outcome in [Outcome::Success, Outcome::FAILURE, Outcome::Ignore] {
        let rig = rig(Options::classic());
        let old: Vec<_> = (0..3).map(|_| rig.admit().unwrap()).collect();
        let mut old = old.into_iter();
        rig.fail(5);
        assert_eq!(old.next().unwrap().record(outcome), Recorded::Late);
        assert!(rig.is(State::Open));
        rig.rest();
        let probe = rig.admit().unwrap();
        assert_eq!(old.next().unwrap().record(outcome), Recorded::Late);
        assert!(rig.is(State::HalfOpen));
        probe.success(QUICK);
        assert_eq!(old.next().unwrap().record(outcome), Recorded::Late);
        assert!(rig.is(State::Closed));
        assert_eq!(rig.figure("calls"), 0.0);
    }
}

#[test]
fn trap_03_failures_from_before_a_reset_do_not_open_it_again() {
    let rig = rig(Options::classic().with_window(Window::Consecutive(2)).unwrap());
    let old: Vec<_> = (0..10).map(|_| rig.admit().unwrap()).collect();
    rig.fail(2);
    rig.breaker.release("ann", "repaired");
    for permit in old {
        assert_eq!(permit.failure(SECOND), Recorded::Late);
    }
    assert!(rig.is(State::Closed));
}

/// Whatever becomes of a probe, the breaker leaves half-open.
#[test]
fn trap_04_no_probe_keeps_it_half_open_for_ever() {
    type Fate = (&'static str, fn(&Rig));
    let fates: [Fate; 4] = [
        ("ignored", |rig| assert_eq!(rig.admit().unwrap().ignore(QUICK), Recorded::Ignored)),
        ("dropped", |rig| drop(rig.admit().unwrap())),
        ("hung", |rig| std::mem::forget(rig.breaker.admit_owned().unwrap())),
        ("panicked", |rig| {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _permit = rig.admit().unwrap();
                panic!("a probe");
            }));
            assert!(caught.is_err());
        }),
    ];
    for (fate, meet) in fates {
        let rig = rig(Options::classic());
        rig.fail(5);
        rig.rest();
        meet(&rig);
        // As long as it takes for any state to end by itself: half-open, then open.
        for _ in 0..2 {
            rig.pass(SECOND * 121);
            if let Ok(permit) = rig.breaker.admit() {
                permit.success(QUICK);
            }
        }
        assert!(rig.is(State::Closed), "{fate}");
    }
}

#[test]
fn trap_06_a_result_that_changes_nothing_says_so_and_is_seen() {
    let rig = rig(Options::classic());
    let permit = rig.admit().unwrap();
    rig.breaker.release("ann", "trap 6");
    assert_eq!(permit.failure(QUICK), Recorded::Late);
    assert_eq!((rig.breaker.totals().late_failures, rig.figure("late_total")), (1, 1.0));
}

/// After a million good calls, the window's length of bad ones opens it. Every kind of window.
#[test]
fn trap_08_the_window_slides_for_ever() {
    let recommended = || Options::recommended().with_min_calls(10).unwrap();
    let count = recommended().with_window(Window::Count(100)).unwrap();
    let time = recommended().with_window(Window::Time(SECOND * 10)).unwrap();
    for (options, at_most) in [(Options::classic(), 5), (count, 50), (time, 1_000)] {
        let rig = rig(options);
        for call in 0..1_000_000 {
            rig.admit().unwrap().success(QUICK);
            if call % 100 == 0 {
                rig.pass(QUICK * 10);
            }
        }
        rig.pass(SECOND * 10);
        let mut failures = 0;
        while rig.is(State::Closed) {
            rig.fail(1);
            failures += 1;
            assert!(failures <= at_most, "{:?}", rig.breaker.options().window);
        }
    }
}

/// Trap 13's other half: what a rejection costs is the bench's to say, what it does is nothing.
#[test]
fn trap_13_a_rejection_changes_nothing_but_its_count() {
    let rig = rig(Options::classic());
    rig.fail(5);
    let (generation, told) = (rig.breaker.generation(), rig.told.lock().len());
    together(THREADS, |_| {
        for _ in 0..1_000 {
            assert_eq!(rig.breaker.admit().unwrap_err().reason, Reason::Open);
        }
    });
    assert_eq!((rig.breaker.generation(), rig.told.lock().len()), (generation, told));
    assert_eq!(rig.breaker.totals().rejected_open, 1_000 * THREADS as u64);
}

/// The breaker's side of trap 14: its rejection says of itself that a policy made it.
#[test]
fn trap_14_a_rejection_is_known_as_one_through_any_error() {
    use crate::SeamError;
    let rig = rig(Options::classic());
    rig.fail(5);
    let error = switchboard_core::BoxError::from(rig.admit().unwrap_err());
    assert_eq!(error.rejected().unwrap().reason, Reason::Open);
}

/// Four times as many threads as cores, all kinds of windows: no count is lost, nobody waits for
/// long.
#[test]
fn trap_15_more_threads_than_cores_lose_nothing() {
    let threads = 4 * std::thread::available_parallelism().map_or(2, usize::from);
    let never = || Options::recommended().with_failure_rate(1.0).unwrap().without_slow_calls();
    for window in [Window::Time(SECOND * 10), Window::Count(1_000), Window::Consecutive(65_536)] {
        let rig = rig(never().with_window(window).unwrap());
        together(threads, |thread| {
            for call in 0..5_000 {
                let permit = rig.breaker.admit().unwrap();
                if (call + thread) % 4 == 0 {
                    permit.failure(QUICK);
                } else {
                    permit.success(QUICK);
                }
            }
        });
        let (totals, all) = (rig.breaker.totals(), 5_000 * threads as u64);
        assert_eq!((totals.successes, totals.failures), (all / 4 * 3, all / 4), "{window:?}");
        assert!(rig.is(State::Closed));
        match window {
            Window::Time(_) => {
                assert_eq!(rig.figure("calls"), all as f64);
                assert_eq!(rig.figure("failures"), (all / 4) as f64);
            }
            Window::Count(calls) => assert_eq!(rig.figure("calls"), f64::from(calls)),
            Window::Consecutive(_) => {}
        }
    }
}

/// Whoever counts last sees that it is enough: of results that arrive at once none is overlooked.
#[test]
fn b5_results_that_arrive_together_open_it_without_another_one() {
    for round in 0..200 {
        let window = if round % 2 == 0 { Window::Time(SECOND * 10) } else { Window::Count(100) };
        let options = Options::recommended().with_window(window).unwrap();
        let rig = rig(options.with_min_calls(8).unwrap());
        let permits: Vec<_> = (0..8).map(|_| Mutex::new(rig.breaker.admit_owned().ok())).collect();
        together(8, |thread| {
            let permit = permits[thread].lock().take().unwrap();
            let outcome = if thread < 4 { Outcome::FAILURE } else { Outcome::Success };
            permit.record(outcome);
        });
        assert!(rig.is(State::Open), "round {round}, {window:?}");
    }
}
