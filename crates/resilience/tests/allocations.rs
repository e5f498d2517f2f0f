//! Trap 9, and the promise that calls allocate nothing. A binary of its own, because it replaces the allocator of its process.

#![allow(unsafe_code, reason = "a counting allocator is unsafe by its nature")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use switchboard_resilience::breaker::{Breaker, Environment, Options, State, Window};
use switchboard_resilience::{
    Call, Classifier, DeadlineLayer, Outcome, Rejected, Ticker, TimeoutLayer,
};
use tower::{Service, ServiceBuilder, service_fn};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static CALLS: AtomicI64 = AtomicI64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call goes on to the system's allocator unchanged, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::SeqCst);
        LIVE.fetch_add(layout.size() as i64, Ordering::SeqCst);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::SeqCst);
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// One test, so that no other one allocates beside it.
#[test]
fn trap_09_changes_of_state_leave_nothing_behind_and_calls_allocate_nothing() {
    let start = LIVE.load(Ordering::SeqCst);
    for window in [Window::Consecutive(5), Window::Count(100), Window::Time(SECOND * 10)] {
        let options = Options::recommended().with_window(window).expect("in its limits");
        check(options.with_jitter(0.0).expect("in its limits"));
    }
    // What the process itself keeps: the name, the slot of the thread, the runtime of the tests.
    let kept = LIVE.load(Ordering::SeqCst) - start;
    assert!(kept < 4_096, "{kept} bytes outlive their breakers");
}

const SECOND: Duration = Duration::from_secs(1);

fn check(options: Options) {
    let ticker = Ticker::manual();
    let environment = Environment::process().with_ticker(ticker.clone());
    let breaker = Breaker::new("allocations", options, environment);
    // The history of changes fills up first; it is bounded.
    (0..100).for_each(|_| cycle(&breaker, &ticker));
    let before = LIVE.load(Ordering::SeqCst);
    (0..1_000).for_each(|_| cycle(&breaker, &ticker));
    let left = LIVE.load(Ordering::SeqCst) - before;
    assert!(left.abs() < 1_024, "{left} bytes after a thousand cycles");

    let mut layered = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND * 5))
        .layer(breaker.layer(Classifier::of_errors()))
        .layer(TimeoutLayer::new(SECOND * 2))
        .service(service_fn(answer));
    let calls = CALLS.load(Ordering::SeqCst);
    for _ in 0..10_000 {
        breaker.admit().expect("closed").record(Outcome::Success);
        call(&mut layered).expect("closed");
    }
    assert_eq!(CALLS.load(Ordering::SeqCst), calls, "a call allocates nothing");
    trip(&breaker);
    let before_rejections = CALLS.load(Ordering::SeqCst);
    for _ in 0..10_000 {
        assert!(breaker.admit().is_err());
        call(&mut layered).expect_err("open");
    }
    assert_eq!(CALLS.load(Ordering::SeqCst), before_rejections, "a rejection allocates nothing");
    // The trip itself says why, in words.
    assert!(before_rejections - calls < 20, "{}", before_rejections - calls);
}

fn answer((_, number): (Call, u32)) -> Ready<Result<u32, Rejected>> {
    ready(Ok(number))
}

/// One call through the layers, to a service whose answer is there at once.
fn call(service: &mut impl Service<(Call, u32), Error = Rejected>) -> Result<(), Rejected> {
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    match pin!(service.call((Call::new(), 7))).poll(&mut context) {
        Poll::Ready(answer) => answer.map(drop),
        Poll::Pending => panic!("the answer is there"),
    }
}

fn cycle(breaker: &Breaker, ticker: &Ticker) {
    trip(breaker);
    ticker.advance(SECOND * 73);
    while breaker.state() != State::Closed {
        breaker.admit().expect("its time is over").record(Outcome::Success);
    }
    // Long enough for the open time to begin again, and so for the words to be as long.
    ticker.advance(SECOND * 11);
}

fn trip(breaker: &Breaker) {
    while breaker.state() == State::Closed {
        if let Ok(permit) = breaker.admit() {
            permit.record(Outcome::FAILURE);
        }
    }
}
