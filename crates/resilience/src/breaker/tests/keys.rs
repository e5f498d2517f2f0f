//! B16: a breaker per key, in bounded space.

use super::*;
use crate::breaker::{Keyed, Limits, Window};
use crate::control::Action;

fn keyed(options: Options, limits: Limits) -> (Keyed<u32>, Ticker, Arc<Mutex<Vec<Event>>>) {
    let (environment, ticker, _, told) = environment();
    (Keyed::new("keys", options, limits, environment), ticker, told)
}

fn fail(keyed: &Keyed<u32>, key: u32, times: usize) {
    for _ in 0..times {
        keyed.admit(&key).unwrap().failure(QUICK);
    }
}

#[test]
fn b16_each_key_has_its_own_breaker() {
    let (keyed, ..) = keyed(Options::classic(), Limits::default());
    fail(&keyed, 1, 5);
    assert!(keyed.admit(&1).is_err() && keyed.admit(&2).is_ok());
    assert_eq!((keyed.len(), keyed.open()), (2, 1));
}

#[test]
fn b16_a_quiet_key_with_an_empty_window_makes_room_and_a_bad_one_does_not() {
    let limits = Limits::default().with_keys(3).unwrap();
    let options = Options::recommended().with_window(Window::Time(SECOND * 10)).unwrap();
    let (keyed, ticker, _) = keyed(options, limits);
    fail(&keyed, 1, 20);
    keyed.admit(&2).unwrap().success(QUICK);
    let held = keyed.get(&3);
    // Nobody is quiet yet: a fourth key passes unguarded.
    keyed.admit(&4).unwrap().failure(QUICK);
    assert_eq!((keyed.len(), keyed.unguarded()), (3, 1));
    ticker.advance(SECOND * 61);
    // 1 is open and 3 is held; 2 is forgotten.
    keyed.admit(&5).unwrap().success(QUICK);
    assert_eq!((keyed.len(), keyed.unguarded()), (3, 1));
    keyed.admit(&6).unwrap().success(QUICK);
    assert_eq!(keyed.unguarded(), 2);
    assert_eq!(keyed.get(&1).state(), State::Open);
    drop(held);
    keyed.admit(&7).unwrap().success(QUICK);
    assert_eq!((keyed.len(), keyed.unguarded()), (3, 2));
}

/// No time takes a failure out of these windows, so quiet alone does not make them forgettable.
#[test]
fn b16_failures_that_stay_are_kept_until_they_are_old() {
    for options in
        [Options::classic(), Options::recommended().with_window(Window::Count(50)).unwrap()]
    {
        let (keyed, ticker, _) = keyed(options, Limits::default().with_keys(1).unwrap());
        fail(&keyed, 1, 1);
        ticker.advance(SECOND * 3_599);
        keyed.admit(&2).unwrap().success(QUICK);
        assert_eq!((keyed.unguarded(), keyed.get(&1).totals().failures), (1, 1));
        ticker.advance(SECOND * 3_600);
        keyed.admit(&2).unwrap().success(QUICK);
        assert_eq!((keyed.len(), keyed.unguarded()), (1, 1), "1 made room");
        ticker.advance(SECOND * 61);
        assert_eq!(keyed.get(&1).totals().failures, 0);
    }
}

#[test]
fn b16_an_open_key_that_nobody_asks_for_is_forgotten_one_day() {
    let (keyed, ticker, _) = keyed(Options::classic(), Limits::default().with_keys(1).unwrap());
    fail(&keyed, 1, 5);
    ticker.advance(SECOND * 3_599);
    keyed.admit(&2).unwrap().success(QUICK);
    assert_eq!((keyed.open(), keyed.unguarded()), (1, 1), "overdue, and still remembered");
    ticker.advance(SECOND);
    keyed.admit(&2).unwrap().success(QUICK);
    assert_eq!((keyed.open(), keyed.unguarded(), keyed.len()), (0, 1, 1));
    // What an operator holds stays.
    keyed.get(&2).isolate("ann", "moving house");
    ticker.advance(SECOND * 86_400);
    assert!(keyed.admit(&3).is_ok());
    assert!(keyed.admit(&2).is_err());
    assert_eq!(keyed.unguarded(), 2);
}

/// How long it stays open next time is part of what a key knows.
#[test]
fn b16_a_key_that_has_just_recovered_is_not_forgotten() {
    let hour = SECOND * 3_600;
    let options = Options::classic().with_open(SECOND, 2.0, hour).unwrap();
    let (keyed, ticker, _) = keyed(options, Limits::default().with_keys(1).unwrap());
    fail(&keyed, 1, 5);
    ticker.advance(SECOND * 2);
    keyed.admit(&1).unwrap().success(QUICK);
    ticker.advance(SECOND * 61);
    keyed.admit(&2).unwrap().success(QUICK);
    assert_eq!(keyed.unguarded(), 1);
    // After as many good calls as a window has, it is as good as new.
    for _ in 0..5 {
        keyed.admit(&1).unwrap().success(QUICK);
    }
    ticker.advance(SECOND * 61);
    keyed.admit(&2).unwrap().success(QUICK);
    assert_eq!(keyed.unguarded(), 1);
}

#[test]
fn b16_keys_never_grow_beyond_their_number() {
    let (keyed, ticker, _) = keyed(Options::classic(), Limits::default().with_keys(1_000).unwrap());
    for key in 0..5_000 {
        keyed.admit(&key).unwrap().success(QUICK);
        ticker.advance(SECOND);
        assert!(keyed.len() <= 1_000);
    }
    assert_eq!((keyed.len(), keyed.unguarded()), (1_000, 0));
}

#[test]
fn b16_a_breaker_of_a_set_spreads_over_threads_only_when_it_is_busy() {
    let options = Options::recommended();
    let (keyed, ..) = keyed(options, Limits::default());
    let breaker = keyed.get(&1);
    for _ in 0..1_000 {
        breaker.admit().unwrap().success(QUICK);
    }
    assert!(!breaker.core().lanes.is_spread());
    for _ in 0..100 {
        breaker.admit().unwrap().success(QUICK);
    }
    assert!(breaker.core().lanes.is_spread());
    assert_eq!(breaker.totals().successes, 1_100);
}

#[test]
fn b16_no_more_than_a_share_of_the_keys_is_open_at_once() {
    let limits = Limits::default().with_max_open(0.1).unwrap();
    let (keyed, ticker, told) = keyed(Options::classic(), limits);
    for key in 0..20 {
        keyed.get(&key);
    }
    for key in 0..20 {
        fail(&keyed, key, 5);
    }
    assert_eq!(keyed.open(), 2);
    let would = told.lock().iter().filter(|e| matches!(e, Event::WouldOpen { .. })).count();
    assert_eq!(would, 18, "the others say so");
    // One recovers, and leaves its place to another.
    ticker.advance(SECOND * 61);
    keyed.admit(&0).unwrap().success(QUICK);
    assert_eq!(keyed.open(), 1);
    fail(&keyed, 7, 1);
    assert_eq!(keyed.open(), 2);
    keyed.act(&Action::Release).unwrap();
    assert_eq!(keyed.open(), 0);
}

#[test]
fn a_set_is_set_as_a_whole() {
    let (keyed, ..) = keyed(Options::classic(), Limits::default());
    keyed.get(&1);
    let settings = [("consecutive_failures".to_owned(), 2.0)].into();
    keyed.act(&Action::Reconfigure { settings }).unwrap();
    fail(&keyed, 1, 2);
    fail(&keyed, 2, 2);
    assert_eq!(keyed.open(), 2);
    assert!(keyed.act(&Action::Isolate).is_err());
}

/// Every key has room for the window that the set was born with, also one that was made while it
/// was shorter; a longer one is refused for all, and changes none.
#[test]
fn a_set_is_set_as_a_whole_or_not_at_all() {
    let options = Options::recommended().with_window(Window::Count(50)).unwrap();
    let (keyed, ..) = keyed(options, Limits::default());
    let calls = |calls: f64, min: f64| {
        let settings = [("window_calls", calls), ("min_calls", min)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
        keyed.act(&Action::Reconfigure { settings })
    };
    calls(10.0, 5.0).unwrap();
    let small = keyed.get(&1);
    calls(50.0, 6.0).unwrap();
    let born = small.options();
    assert_eq!(born.settings()[0], ("window_calls", 50.0));
    let error = calls(51.0, 7.0).unwrap_err().to_string();
    assert_eq!(error, "`window`: holds no more calls than at its birth while it lives");
    assert_eq!((small.options(), keyed.get(&2).options()), (born.clone(), born));
}
