//! What is shed is the least important part, as much of it as there is too much, and never because of readiness.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use switchboard_core::{Priority, Rng};
use tokio::time::advance;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{InHeaders, Level, QueueTime, Rank, Ranks, Shed, ShedLayer, Signal};
use crate::adaptive::{AdaptiveLimit, Options};
use crate::bulkhead::{self, Bulkhead};
use crate::control::{Action, Controlled};
use crate::probe::{Probe, taking};
use crate::trial::poll_once;
use crate::{Call, Reason, Rejected};

const PRIORITIES: [Priority; 3] = [Priority::Critical, Priority::Standard, Priority::Batch];

/// A shed whose pressure the test sets, in percent.
fn shed() -> (Shed, Arc<AtomicU32>) {
    let percent = Arc::new(AtomicU32::new(0));
    let signal = percent.clone();
    let pressure = move || f64::from(signal.load(Ordering::SeqCst)) / 100.0;
    (Shed::new("tests", pressure, Rng::from_seed(3)), percent)
}

fn call(priority: Priority, attempt: u32) -> Call {
    Call { attempt, ..Call::new().with_priority(priority) }
}

/// Of a thousand calls of each priority in turn, how many passed.
fn passed(shed: &Shed) -> [u32; 3] {
    let mut passed = [0; 3];
    for _ in 0..1_000 {
        for (passed, priority) in passed.iter_mut().zip(PRIORITIES) {
            *passed += u32::from(shed.admit(&call(priority, 0), None).is_ok());
        }
    }
    passed
}

#[test]
fn d8_first_tries_then_priority_then_level() {
    let mut ranks = Vec::new();
    for attempt in [1, 0] {
        for priority in [Priority::Batch, Priority::Standard, Priority::Critical] {
            for level in 0..Level::COUNT {
                ranks.push(Rank::of(attempt, priority, Level::new(level)));
            }
        }
    }
    assert_eq!(ranks.len(), 600);
    assert!(ranks.is_sorted_by(|one, next| one < next));
    assert_eq!(Rank::of(9, Priority::Batch, Level::new(5)), ranks[5]);
    assert_eq!(Level::new(200).get(), 99);
}

#[test]
fn d8_without_pressure_nothing_is_shed() {
    let (shed, percent) = shed();
    percent.store(50, Ordering::SeqCst);
    assert_eq!(passed(&shed), [1_000; 3]);
}

#[test]
fn d8_the_least_important_are_shed_as_much_as_there_is_too_much() {
    let (shed, percent) = shed();
    passed(&shed);
    percent.store(60, Ordering::SeqCst);
    let [critical, standard, batch] = passed(&shed);
    // A fifth of all is three fifths of batch.
    assert_eq!((critical, standard), (1_000, 1_000));
    assert!((370..=430).contains(&batch), "{batch}");
    percent.store(75, Ordering::SeqCst);
    let [critical, standard, batch] = passed(&shed);
    assert_eq!((critical, batch), (1_000, 0));
    assert!((450..=550).contains(&standard), "{standard}");
}

#[test]
fn d8_the_highest_pressure_still_lets_one_in_twenty_pass() {
    let (shed, percent) = shed();
    passed(&shed);
    percent.store(100_000, Ordering::SeqCst);
    let [critical, standard, batch] = passed(&shed);
    assert!((120..=180).contains(&critical), "{critical}");
    assert_eq!((standard, batch), (0, 0));
}

/// If everything is critical, its lowest levels go.
#[test]
fn d8_a_class_that_is_itself_too_much_loses_a_part() {
    let (shed, percent) = shed();
    percent.store(75, Ordering::SeqCst);
    let mut passed = [0; 100];
    for _ in 0..100 {
        for level in 0..100 {
            let admitted = shed.admit(&call(Priority::Critical, 0), Some(Level::new(level)));
            passed[usize::from(level)] += u32::from(admitted.is_ok());
        }
    }
    assert!(passed[60..].iter().all(|passed| *passed == 100), "{passed:?}");
    assert!(passed[..40].iter().sum::<u32>() < 200, "{passed:?}");
}

#[test]
fn r7_second_attempts_are_shed_first() {
    let (shed, percent) = shed();
    let passed = |attempt, priority| {
        (0..100).filter(|_| shed.admit(&call(priority, attempt), None).is_ok()).count()
    };
    passed(0, Priority::Batch);
    passed(1, Priority::Critical);
    percent.store(70, Ordering::SeqCst);
    for _ in 0..20 {
        passed(0, Priority::Batch);
        passed(1, Priority::Critical);
    }
    assert_eq!(passed(0, Priority::Batch), 100);
    assert!(passed(1, Priority::Critical) < 40);
    assert!(passed(2, Priority::Critical) < 40);
}

#[test]
fn r7_a_rejection_says_not_to_try_again() {
    let (shed, percent) = shed();
    shed.admit(&call(Priority::Critical, 0), None).unwrap();
    percent.store(100, Ordering::SeqCst);
    let rejected =
        (0..100).find_map(|_| shed.admit(&call(Priority::Batch, 1), None).err()).unwrap();
    assert_eq!((rejected.reason, rejected.retry_after), (Reason::Shed, None));
    assert_eq!(
        rejected.to_string(),
        "`tests` is overloaded; do not try again (pressure_percent 100, limit 50)"
    );
}

#[test]
fn a_cut_sheds_exactly_its_share_of_what_was_seen() {
    let mut ranks = Ranks::new();
    for level in 0..10 {
        (0..10).for_each(|_| ranks.saw(Rank::of(0, Priority::Standard, Level::new(level))));
    }
    let cut = ranks.cut(0.25);
    assert_eq!((cut.rank, cut.share), (Rank::of(0, Priority::Standard, Level::new(2)), 0.5));
    assert_eq!(ranks.cut(0.0).share, 0.0);
    assert!(ranks.cut(1.0).sheds(Rank::of(0, Priority::Critical, Level::new(99)), 0.99));
    // What was long ago counts less and less.
    (0..100_000).for_each(|_| ranks.saw(Rank::of(0, Priority::Batch, Level::new(0))));
    assert_eq!(ranks.cut(0.9).rank, Rank::of(0, Priority::Batch, Level::new(0)));
}

#[tokio::test(start_paused = true)]
async fn d8_the_queue_of_a_bulkhead_is_a_signal() {
    let options = bulkhead::Options::new(1).unwrap();
    let options = options.with_queue(4, Duration::from_secs(1)).unwrap();
    let bulkhead = Bulkhead::new("tests", options);
    let shed = Shed::new("tests", bulkhead.clone(), Rng::from_seed(1));
    let time = QueueTime::new(bulkhead.clone(), Duration::from_millis(100));
    passed(&shed);
    let _running = bulkhead.try_acquire().unwrap();
    assert_eq!(shed.share(), 0.0, "full is not too much");
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(bulkhead.acquire(&Call::new()))).collect();
    waiting.iter_mut().for_each(|waiter| assert!(poll_once(waiter.as_mut()).is_pending()));
    assert_eq!(shed.share(), 0.5);
    let [critical, _, batch] = passed(&shed);
    assert_eq!((critical, batch), (1_000, 0));
    advance(Duration::from_millis(50)).await;
    assert_eq!(time.pressure(), 0.5);
}

#[tokio::test(start_paused = true)]
async fn d8_an_adaptive_limit_is_a_signal() {
    let limit = AdaptiveLimit::new("tests", Options::aimd().with_limits(4, 4, 4).unwrap());
    let shed = Shed::new("tests", limit.clone(), Rng::from_seed(1));
    let _running: Vec<_> = (0..3).map(|_| limit.try_acquire(&Call::new()).unwrap()).collect();
    assert_eq!(shed.share(), 0.5);
}

/// D5, trap 17: whether the service inside is ready says nothing about load.
#[tokio::test(start_paused = true)]
async fn trap_17_nothing_is_shed_for_not_being_ready() {
    let (shed, _) = shed();
    let mut service = ShedLayer::new(shed).layer(Probe::default());
    for _ in 0..1_000 {
        service.ready().await.unwrap();
    }
    assert!(service.call(taking(1)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn d8_a_level_goes_on_to_the_next_server() {
    let (shed, percent) = shed();
    let inner = service_fn(|request: http::Request<()>| async move {
        Ok::<_, Rejected>(Level::read_from(request.headers()))
    });
    let mut service = ShedLayer::new(shed).with_levels(InHeaders).layer(inner);
    let mut send = async |header: Option<&str>| {
        let mut request = http::Request::new(());
        if let Some(level) = header {
            request.headers_mut().insert("x-priority-level", level.parse().unwrap());
        }
        service.ready().await?.call(request).await
    };
    assert_eq!(send(Some("42")).await.unwrap(), Some(Level::new(42)));
    assert!(send(None).await.unwrap().is_some(), "one was drawn");
    assert!(send(Some("100")).await.unwrap().is_some_and(|level| level.get() < 100));
    for level in 0..100_u8 {
        send(Some(level.to_string().as_str())).await.unwrap();
    }
    percent.store(75, Ordering::SeqCst);
    assert_eq!(send(Some("3")).await.unwrap_err().reason, Reason::Shed);
    assert!(send(Some("93")).await.is_ok());
}

#[test]
fn an_operator_switches_it() {
    let (shed, percent) = shed();
    percent.store(100_000, Ordering::SeqCst);
    shed.act(&Action::Disable).unwrap();
    assert_eq!(passed(&shed), [1_000; 3]);
    shed.act(&Action::Isolate).unwrap();
    assert_eq!(shed.admit(&Call::new(), None).unwrap_err().reason, Reason::Isolated);
    shed.act(&Action::Release).unwrap();
    assert_eq!(shed.view().state, "shedding");
    let change = |name: &str, value| {
        let settings = BTreeMap::from([(name.to_owned(), value)]);
        shed.act(&Action::Reconfigure { settings })
    };
    let error = change("from", 2.0).unwrap_err().to_string();
    assert_eq!(error, "`from`: it must be below `to`, 1");
    percent.store(100, Ordering::SeqCst);
    change("to", 2.5).unwrap();
    assert_eq!(shed.share(), 0.25);
}

#[test]
fn a_signal_that_is_not_a_number_sheds_nothing() {
    let shed = Shed::new("tests", || f64::NAN, Rng::from_seed(1));
    assert_eq!(passed(&shed), [1_000; 3]);
    assert!(Shed::new("tests", || 0.0, Rng::from_seed(1)).with_pressures(1.0, 1.0).is_err());
    assert!(Shed::new("tests", || 0.0, Rng::from_seed(1)).with_pressures(f64::NAN, 1.0).is_err());
}
