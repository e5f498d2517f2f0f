//! Our own rows, each with its goal.

use std::hint::black_box;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use switchboard_core::BoxError;
use switchboard_resilience::breaker::{Breaker, Environment, Options, Window};
use switchboard_resilience::{Classifier, Outcome, Rejected, SeamError};
use tower::{Layer, Service, service_fn};

use crate::{Case, Run};

pub(crate) fn cases() -> Vec<Case> {
    let count = Options::recommended().with_window(Window::Count(100)).expect("in its limits");
    vec![
        Case::new("closed", plain(closed(Options::classic()))).with_goals(2.0, 1.0),
        Case::new("closed, slow calls, time window", plain(closed(Options::recommended())))
            .with_goals(3.0, 1.0),
        Case::new("closed, exact count window", plain(closed(count))),
        Case::new("no breaker, tower service", bare()),
        Case::new("closed, tower layer", layered::<BoxError>(closed(Options::recommended())))
            .with_goals(3.0, 1.0),
        Case::new("open", plain(open())).with_goals(0.3, 0.3),
        Case::new("open, tower layer", layered::<Rejected>(open())),
    ]
}

fn closed(options: Options) -> Breaker {
    Breaker::new("bench", options, Environment::process())
}

/// Open for an hour.
pub(crate) fn open() -> Breaker {
    let hour = Duration::from_secs(3_600);
    let options = Options::classic().with_open(hour, 1.0, hour).expect("in its limits");
    let breaker = closed(options);
    for _ in 0..5 {
        if let Ok(permit) = breaker.admit() {
            permit.record(Outcome::FAILURE);
        }
    }
    breaker
}

fn plain(breaker: Breaker) -> impl Fn() -> Run {
    move || {
        let breaker = breaker.clone();
        Box::new(move |calls| {
            for call in 0..calls {
                match breaker.admit() {
                    Ok(permit) => {
                        black_box(call);
                        permit.record(Outcome::Success);
                    }
                    Err(rejected) => {
                        black_box(&rejected);
                    }
                }
            }
        })
    }
}

/// What the rows with a layer cost without it.
fn bare() -> impl Fn() -> Run {
    || Box::new(move |calls| call_all(service_fn(Answer::<BoxError>::of), calls))
}

fn layered<E: SeamError + Send + 'static>(breaker: Breaker) -> impl Fn() -> Run {
    move || {
        let inner = service_fn(Answer::<E>::of);
        let service = breaker.layer(Classifier::of_errors()).layer(inner);
        Box::new(move |calls| call_all(service.clone(), calls))
    }
}

/// An answer that is there at once. Whole words only: an async block has a byte of state, and
/// moving it costs more than the layer that is measured.
struct Answer<E>(u64, PhantomData<fn() -> E>);

impl<E> Answer<E> {
    fn of(call: u64) -> Self {
        Self(call, PhantomData)
    }
}

impl<E> Future for Answer<E> {
    type Output = Result<u64, E>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(self.0))
    }
}

fn call_all<E>(mut service: impl Service<u64, Response = u64, Error = E>, calls: u64) {
    let driver = Driver::new();
    let _inside = driver.enter();
    for call in 0..calls {
        let ready = driver.drive(std::future::poll_fn(|cx| service.poll_ready(cx)));
        black_box(ready.is_ok());
        black_box(driver.drive(service.call(call)).is_ok());
    }
}

/// Polls a future where it is made, once; a peer that has to wait then can, in a runtime.
pub(crate) struct Driver(tokio::runtime::Runtime);

impl Driver {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Self(runtime.expect("a runtime"))
    }

    /// Timers of peers find this runtime while the guard lives.
    pub(crate) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.0.enter()
    }

    #[inline(always)]
    pub(crate) fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => self.0.block_on(future),
        }
    }
}
