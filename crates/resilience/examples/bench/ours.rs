//! Our own rows, each with its goal.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use switchboard_resilience::breaker::{Breaker, Environment, Options, Window};
use switchboard_resilience::{CallError, Classifier, Outcome};
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
        Case::new("closed, tower layer", layered(closed(Options::recommended())))
            .with_goals(3.0, 1.0),
        Case::new("open", plain(open())).with_goals(0.3, 0.3),
        Case::new("open, tower layer", layered(open())),
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

type Error = CallError<Infallible>;

/// What the rows with a layer cost without it.
fn bare() -> impl Fn() -> Run {
    || {
        let inner = service_fn(|call: u64| std::future::ready(Ok::<u64, Error>(call)));
        Box::new(move |calls| call_all(inner, calls))
    }
}

fn layered(breaker: Breaker) -> impl Fn() -> Run {
    move || {
        let inner = service_fn(|call: u64| std::future::ready(Ok::<u64, Error>(call)));
        let service = breaker.layer(Classifier::of_errors()).layer(inner);
        Box::new(move |calls| call_all(service.clone(), calls))
    }
}

fn call_all(mut service: impl Service<u64, Response = u64, Error = Error>, calls: u64) {
    block_on(async {
        for call in 0..calls {
            std::future::poll_fn(|cx| service.poll_ready(cx))
                .await
                .expect("it never fails to be ready");
            let _ = black_box(service.call(call).await);
        }
    });
}

/// A runtime per thread, so that a peer which waits can.
pub(crate) fn block_on(calls: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(calls);
}
