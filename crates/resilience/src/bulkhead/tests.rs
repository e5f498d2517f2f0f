//! Places are bounded, waits are bounded, and nobody's end loses a place.

mod model;
mod places;
mod service;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Bulkhead, Options};
use crate::Call;
use crate::control::{Action, Controlled};
use crate::shed::Signal;
use crate::trial::poll_once;
use crate::{Reason, Rejected};
use tokio::time::Instant;

pub(super) fn bulkhead(places: usize, queue: usize) -> Bulkhead {
    let wait = Duration::from_millis(500);
    Bulkhead::new("tests", Options::new(places).unwrap().with_queue(queue, wait).unwrap())
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Rejected>) -> Reason {
    answer.unwrap_err().reason
}

#[tokio::test(start_paused = true)]
async fn d3_the_queue_is_bounded_by_count() {
    let bulkhead = bulkhead(1, 2);
    let _running = bulkhead.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..2).map(|_| Box::pin(bulkhead.acquire(&Call::new()))).collect();
    assert!(waiters.iter_mut().all(|waiter| poll_once(waiter.as_mut()).is_pending()));
    assert_eq!(bulkhead.waiting(), 2);
    let before = Instant::now();
    let rejected = bulkhead.acquire(&Call::new()).await.unwrap_err();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(
        rejected.to_string(),
        "`tests` has no place left, not even to wait (taken 1, limit 1)"
    );
}

#[tokio::test(start_paused = true)]
async fn d3_waiting_is_bounded_by_time() {
    let bulkhead = bulkhead(1, 1);
    let _running = bulkhead.try_acquire().unwrap();
    let before = Instant::now();
    assert_eq!(reason(bulkhead.acquire(&Call::new()).await), Reason::BulkheadTimeout);
    // Tokio's timers are precise to a millisecond, and never early.
    assert!((500..=501).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
    assert_eq!(bulkhead.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn d3_waiting_counts_against_the_deadline() {
    let bulkhead = bulkhead(1, 1);
    let _running = bulkhead.try_acquire().unwrap();
    let before = Instant::now();
    let call = Call::new().with_deadline(before + Duration::from_millis(200));
    assert_eq!(reason(bulkhead.acquire(&call).await), Reason::DeadlineExceeded);
    assert!((200..=201).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn d3_a_call_that_nobody_waits_for_takes_no_place() {
    let bulkhead = bulkhead(1, 1);
    let call = Call::new().with_deadline(Instant::now());
    assert_eq!(reason(bulkhead.acquire(&call).await), Reason::DeadlineExceeded);
    assert_eq!(bulkhead.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn d3_who_came_first_goes_first() {
    let bulkhead = bulkhead(1, 2);
    let running = bulkhead.try_acquire().unwrap();
    let mut first = Box::pin(bulkhead.acquire(&Call::new()));
    let mut second = Box::pin(bulkhead.acquire(&Call::new()));
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    drop(running);
    // Nobody who comes now overtakes them.
    assert_eq!(reason(bulkhead.try_acquire()), Reason::BulkheadFull);
    assert!(poll_once(second.as_mut()).is_pending());
    let running = first.await.unwrap();
    drop(running);
    assert!(second.await.is_ok());
}

/// A place that was given to a waiter who is gone before it knows goes to the next (implementations
/// elsewhere lost it, and the bulkhead was full for ever).
#[tokio::test(start_paused = true)]
async fn d3_an_abandoned_waiter_swallows_no_place() {
    let bulkhead = bulkhead(1, 2);
    let running = bulkhead.try_acquire().unwrap();
    let mut first = Box::pin(bulkhead.acquire(&Call::new()));
    let mut second = Box::pin(bulkhead.acquire(&Call::new()));
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    drop(running);
    drop(first);
    let running = second.await.unwrap();
    assert_eq!((bulkhead.taken(), bulkhead.waiting()), (1, 0));
    drop(running);
    assert_eq!((bulkhead.free(), bulkhead.taken()), (1, 0));
}

/// The alarm and the place come in the same moment: either the waiter has it, or nobody lost it.
#[tokio::test(start_paused = true)]
async fn d3_a_place_given_at_the_last_moment_is_not_lost() {
    let bulkhead = bulkhead(1, 1);
    let running = bulkhead.try_acquire().unwrap();
    let mut waiter = Box::pin(bulkhead.acquire(&Call::new()));
    assert!(poll_once(waiter.as_mut()).is_pending());
    tokio::time::advance(Duration::from_secs(1)).await;
    drop(running);
    assert!(waiter.await.is_ok());
    assert_eq!(bulkhead.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_smaller_bulkhead_lets_running_calls_end() {
    let bulkhead = bulkhead(3, 1);
    let mut running: Vec<_> = (0..3).map(|_| bulkhead.try_acquire().unwrap()).collect();
    bulkhead.resize(1);
    assert_eq!((bulkhead.taken(), bulkhead.free()), (3, 0));
    running.truncate(1);
    assert_eq!(reason(bulkhead.try_acquire()), Reason::BulkheadFull);
    running.clear();
    assert_eq!(bulkhead.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_larger_bulkhead_lets_waiters_in() {
    let bulkhead = bulkhead(1, 2);
    let _running = bulkhead.try_acquire().unwrap();
    let mut waiter = Box::pin(bulkhead.acquire(&Call::new()));
    assert!(poll_once(waiter.as_mut()).is_pending());
    bulkhead.resize(2);
    assert!(waiter.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn blocking_work_owns_its_place_after_its_caller_has_left() {
    let bulkhead = bulkhead(1, 0);
    let place = bulkhead.try_acquire().unwrap();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let work = tokio::task::spawn_blocking(move || {
        let _place = place;
        ended.recv().ok();
    });
    assert_eq!(bulkhead.free(), 0);
    drop(end);
    work.await.unwrap();
    assert_eq!(bulkhead.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_operator_isolates_disables_and_releases() {
    let bulkhead = bulkhead(1, 1);
    bulkhead.act(&Action::Isolate).unwrap();
    assert_eq!(reason(bulkhead.try_acquire()), Reason::Isolated);
    assert_eq!(bulkhead.view().state, "isolated");
    bulkhead.act(&Action::Release).unwrap();
    let running = bulkhead.try_acquire().unwrap();
    assert_eq!(bulkhead.view().state, "full");

    let mut waiter = Box::pin(bulkhead.acquire(&Call::new()));
    assert!(poll_once(waiter.as_mut()).is_pending());
    bulkhead.act(&Action::Disable).unwrap();
    let uncounted = waiter.await.unwrap();
    let many: Vec<_> = (0..9).map(|_| bulkhead.try_acquire().unwrap()).collect();
    assert_eq!(bulkhead.taken(), 1);
    bulkhead.act(&Action::Release).unwrap();
    drop((uncounted, many));
    assert_eq!((bulkhead.taken(), bulkhead.free()), (1, 0));
    drop(running);
    assert_eq!(bulkhead.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_isolated_bulkhead_gives_its_waiters_a_place_when_released() {
    let bulkhead = bulkhead(1, 1);
    let running = bulkhead.try_acquire().unwrap();
    let mut waiter = Box::pin(bulkhead.acquire(&Call::new()));
    assert!(poll_once(waiter.as_mut()).is_pending());
    bulkhead.act(&Action::Isolate).unwrap();
    drop(running);
    assert!(poll_once(waiter.as_mut()).is_pending());
    bulkhead.act(&Action::Release).unwrap();
    assert!(waiter.await.is_ok());
}

#[test]
fn an_operator_changes_all_settings_or_none() {
    let bulkhead = bulkhead(1, 1);
    let change = |settings: &[(&str, f64)]| {
        let settings: BTreeMap<_, _> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        bulkhead.act(&Action::Reconfigure { settings })
    };
    let before = bulkhead.view();
    let error = change(&[("places", 5.0), ("queue", -1.0)]).unwrap_err().to_string();
    assert_eq!(error, "`queue`: it can be 0 to 100000");
    assert_eq!(bulkhead.view(), before);
    change(&[("places", 5.0), ("max_wait", 0.25)]).unwrap();
    let settings = vec![("places", 5.0), ("queue", 1.0), ("max_wait", 0.25)];
    assert_eq!(bulkhead.view().settings, settings);
    assert_eq!(bulkhead.free(), 5);
}

#[test]
fn refuses_what_cannot_be_meant() {
    assert!(Options::new(0).is_err());
    assert!(Options::new(100_001).is_err());
    let one = Options::new(1).unwrap();
    assert!(one.with_queue(100_001, Duration::ZERO).is_err());
    let error = one.with_queue(1, Duration::from_secs(61)).unwrap_err().to_string();
    assert_eq!(error, "invalid bulkhead: a call can wait at most 60 s");
}

#[tokio::test(start_paused = true)]
async fn its_pressure_is_how_full_its_queue_is() {
    let bulkhead = bulkhead(1, 2);
    assert_eq!(bulkhead.pressure(), 0.0);
    let _running = bulkhead.try_acquire().unwrap();
    assert_eq!(bulkhead.pressure(), 0.0);
    let mut waiter = Box::pin(bulkhead.acquire(&Call::new()));
    assert!(poll_once(waiter.as_mut()).is_pending());
    assert_eq!(bulkhead.pressure(), 0.5);
    tokio::time::advance(Duration::from_millis(30)).await;
    assert_eq!(bulkhead.oldest_wait(Instant::now()), Duration::from_millis(30));
}
