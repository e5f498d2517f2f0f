//! The same calls through other breakers, as a user of them would write it.

use std::hint::black_box;
use std::time::Duration;

use failsafe::CircuitBreaker as _;
use tower::{Layer, Service, service_fn};
use tower_resilience_circuitbreaker::CircuitBreakerLayer;

use crate::ours::Driver;
use crate::{Case, Run};

/// A wait that no bench outlives.
const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("failsafe, closed", failsafe(Ok(()))),
        Case::new("failsafe, open", failsafe(Err(()))),
        Case::new("recloser, closed", recloser(Ok(()))),
        Case::new("recloser, open", recloser(Err(()))),
        Case::new("tower-resilience, closed", tower_resilience(Ok(()))).slower(40),
        Case::new("tower-resilience, open", tower_resilience(Err(()))).slower(10),
    ]
}

/// Opened by failures where the answer is one, as every row of this file.
fn failsafe(answer: Result<(), ()>) -> impl Fn() -> Run {
    let wait = failsafe::backoff::constant(HOUR);
    let policy = failsafe::failure_policy::consecutive_failures(5, wait);
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    move || {
        let breaker = breaker.clone();
        Box::new(move |calls| {
            for _ in 0..calls {
                let _ = black_box(breaker.call(|| black_box(answer)));
            }
        })
    }
}

fn recloser(answer: Result<(), ()>) -> impl Fn() -> Run {
    let breaker = recloser::Recloser::custom().open_wait(HOUR).build();
    let breaker = std::sync::Arc::new(breaker);
    move || {
        let breaker = breaker.clone();
        Box::new(move |calls| {
            for _ in 0..calls {
                let _ = black_box(breaker.call(|| black_box(answer)));
            }
        })
    }
}

fn tower_resilience(answer: Result<(), ()>) -> impl Fn() -> Run {
    let layer = CircuitBreakerLayer::builder().wait_duration_in_open(HOUR).build();
    let inner = service_fn(move |(): ()| async move { answer });
    let shared = layer.expect("a layer").layer(inner);
    move || {
        let mut service = shared.clone();
        Box::new(move |calls| {
            let driver = Driver::new();
            let _inside = driver.enter();
            for _ in 0..calls {
                let ready = driver.drive(std::future::poll_fn(|cx| service.poll_ready(cx)));
                black_box(ready.is_ok());
                black_box(driver.drive(service.call(())).is_ok());
            }
        })
    }
}
