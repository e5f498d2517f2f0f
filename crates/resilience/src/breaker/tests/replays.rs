//! Recorded calls, played again under the same and under other settings.

use super::*;
use crate::breaker::Window;

/// Twenty seconds, ten calls a second; from the sixth second to the twelfth most of them fail.
fn recorded(rig: &Rig) -> crate::breaker::Trace {
    rig.breaker.observe("ann", "recording");
    rig.breaker.record(10_000);
    for call in 0..200 {
        let permit = rig.admit().unwrap();
        rig.pass(QUICK * 20);
        match call {
            60..120 if call % 5 == 0 => permit.ignore(QUICK * 20),
            60..120 => permit.failure(QUICK * 20),
            _ => permit.success(QUICK * 20),
        };
        rig.pass(QUICK * 80);
    }
    rig.breaker.take_recording()
}

#[test]
fn the_settings_that_ran_do_in_the_replay_what_they_did() {
    let options = Options::recommended().with_jitter(0.0).unwrap();
    let forecast = recorded(&rig(options.clone())).replay(options.clone());
    // The same calls by hand.
    let rig = rig(options);
    let mut rejected = 0;
    for call in 0..200 {
        let permit = rig.admit();
        rejected += u64::from(permit.is_err());
        rig.pass(QUICK * 20);
        if let Ok(permit) = permit {
            match call {
                60..120 if call % 5 == 0 => permit.ignore(QUICK * 20),
                60..120 => permit.failure(QUICK * 20),
                _ => permit.success(QUICK * 20),
            };
        }
        rig.pass(QUICK * 80);
    }
    assert!(rejected > 0);
    assert_eq!((forecast.calls, forecast.rejected), (200, rejected));
    assert_eq!(forecast.opened.len(), rig.path().iter().filter(|to| **to == "open").count());
}

#[test]
fn other_settings_can_be_tried_on_the_same_calls() {
    let trace = recorded(&rig(Options::recommended()));
    let quick = Options::classic().with_window(Window::Consecutive(2)).unwrap();
    let quick = quick.with_open(SECOND, 1.0, SECOND).unwrap();
    let (quick, classic) = (trace.replay(quick), trace.replay(Options::classic()));
    assert!(quick.opened[0] < classic.opened[0]);
    assert_eq!(classic.opened.len(), 1, "it stays open for a minute");
    assert!(quick.rejected < classic.rejected, "a short rest costs fewer good calls");
    let deaf = Options::recommended().with_min_calls(10_000).unwrap();
    let text = trace.replay(deaf).to_string();
    assert!(text.ends_with("; it would never have opened"), "{text}");
    assert_eq!(trace.replay(Options::classic()), classic, "the same every time");
}

#[test]
fn a_recording_is_bounded_and_ends() {
    let rig = rig(Options::classic());
    rig.breaker.record(10);
    rig.ok(100);
    drop(rig.admit().unwrap());
    assert_eq!(rig.breaker.take_recording().len(), 10);
    rig.ok(100);
    assert!(rig.breaker.take_recording().is_empty());
    assert_eq!(rig.breaker.totals().successes, 200, "recording changes no count");
}
