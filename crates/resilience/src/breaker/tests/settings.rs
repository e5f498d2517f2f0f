//! B6: what cannot be meant is refused when it is given, and says why.

use super::*;
use crate::breaker::Window;

#[test]
fn b6_shares_that_cannot_be_meant_are_refused() {
    for rate in [0.0, -0.5, 1.01, f64::NAN, f64::INFINITY] {
        let error = Options::recommended().with_failure_rate(rate).unwrap_err();
        let text = "invalid breaker: failure_rate: must lie above 0 and not above 1";
        assert_eq!(error.to_string(), text);
        assert!(Options::recommended().with_slow_calls(SECOND, rate).is_err());
    }
    assert!(Options::recommended().with_failure_rate(1.0).is_ok());
}

#[test]
fn b6_times_and_numbers_have_limits() {
    let options = Options::recommended;
    assert!(options().with_window(Window::Time(QUICK)).is_err());
    assert!(options().with_window(Window::Time(SECOND * 601)).is_err());
    assert!(options().with_window(Window::Count(0)).is_err());
    assert!(options().with_window(Window::Count(65_537)).is_err());
    assert!(options().with_window(Window::Consecutive(0)).is_err());
    assert!(options().with_min_calls(0).is_err());
    assert!(options().with_open(SECOND * 2, 2.0, SECOND).is_err());
    assert!(options().with_open(SECOND, 0.5, SECOND).is_err());
    assert!(options().with_open(Duration::ZERO, 1.0, SECOND).is_err());
    assert!(options().with_open(SECOND, 1.0, SECOND * 86_401).is_err());
    assert!(options().with_jitter(1.0).is_err());
    assert!(options().with_probes(0).is_err());
    assert!(options().with_probes(201).is_err());
    assert!(options().with_success_threshold(0).is_err());
    assert!(options().with_probing_max(Duration::ZERO).is_err());
    assert!(options().with_slow_calls(Duration::ZERO, 1.0).is_err());
}

#[test]
fn every_setting_that_is_shown_can_be_set_to_what_it_is() {
    for options in [
        Options::classic(),
        Options::recommended(),
        Options::recommended().with_window(Window::Count(50)).unwrap(),
        Options::recommended().with_probing_max(SECOND).unwrap(),
    ] {
        for (name, value) in options.settings() {
            let again = options.clone().changed(&[(name.to_owned(), value)].into()).unwrap();
            assert_eq!(again.settings(), options.settings(), "{name}");
        }
    }
}

#[test]
fn an_unknown_setting_is_answered_with_those_there_are() {
    let set = |name: &str, value| Options::classic().changed(&[(name.to_owned(), value)].into());
    let error = set("treshold", 3.0).unwrap_err().to_string();
    assert!(error.starts_with("`treshold`: is none of consecutive_failures, "), "{error}");
    let error = set("min_calls", 1.5).unwrap_err().to_string();
    assert_eq!(error, "`min_calls`: must be a number");
}

/// Neither order of the two times is valid in between; only the end is looked at.
#[test]
fn settings_that_bound_one_another_change_together_or_not_at_all() {
    let change = |open: f64, cap: f64| {
        let settings = [("open_seconds", open), ("open_cap_seconds", cap)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        Options::recommended().changed(&settings.into())
    };
    for (open, cap) in [(1.0, 2.0), (100.0, 200.0)] {
        let changed = change(open, cap).unwrap();
        assert_eq!((changed.open, changed.cap), (SECOND * open as u32, SECOND * cap as u32));
    }
    let error = change(100.0, 90.0).unwrap_err().to_string();
    assert_eq!(error, "`open_seconds`: must not exceed open_cap_seconds");
    for (name, value) in [("open_factor", 11.0), ("open_factor", f64::NAN), ("open_seconds", 0.0)] {
        assert!(Options::recommended().changed(&[(name.to_owned(), value)].into()).is_err());
    }
}
