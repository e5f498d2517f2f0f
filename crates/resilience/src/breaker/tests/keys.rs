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
