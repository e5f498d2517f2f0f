//! The layers that repeat and answer instead, together in the standard order (D13), and what they are for: getting well again.
//!
//! fallback > deadline > retry (budget) > hedge (same budget) > attempt timeout > chaos > transport

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use switchboard_core::{BoxError, ManualClock, Rng, Verdict};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::backoff::Jitter;
use crate::budget::{self, Budget};
use crate::chaos::{ChaosLayer, Faults, Switch};
use crate::fallback::{FallbackLayer, StaleCache};
use crate::hedge::{Delay, HedgeLayer};
use crate::propagate::{self, ClientLayer, ServerLayer};
use crate::retry::{Again, Judge, ReplayLayer};
use crate::timeout::IdleLayer;
use crate::trial::{Error, Scripted, dropped_at_every_poll, failed};
use crate::{
    Backoff, Call, CallError, Carries, Classifier, DeadlineLayer, RetryLayer, TimeoutLayer,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn plain() -> Backoff {
    let backoff = Backoff::new(3, millis(100), Duration::from_secs(1)).unwrap();
    backoff.with_jitter(Jitter::None).unwrap()
}

fn judge() -> Judge<u32, Error> {
    Judge::of_errors(|_: &Error| Verdict::Retry)
}

type Stacked<S> = tower::util::BoxCloneService<(Call, &'static str), u32, S>;

fn stacked(
    budget: &Budget,
    cache: &StaleCache<u32>,
    switch: &Switch,
    service: Scripted,
) -> Stacked<Error> {
    let hedge = HedgeLayer::new(Delay::Fixed(millis(150)), budget.clone(), judge()).unwrap();
    let retry = RetryLayer::judged_by(plain(), Rng::from_seed(1), judge());
    ServiceBuilder::new()
        .boxed_clone()
        .layer(FallbackLayer::new(Classifier::of_errors()).with_cache(
            cache.clone(),
            |(_, key): &(Call, &'static str)| Some((*key).to_owned()),
            |answer| Some(*answer),
        ))
        .layer(DeadlineLayer::new(Duration::from_secs(2)))
        .layer(retry.with_budget(budget.clone()))
        .layer(hedge)
        .layer(TimeoutLayer::new(millis(400)))
        .layer(ChaosLayer::new(switch.clone()))
        .service(service)
}

fn request() -> (Call, &'static str) {
    (Call::new().repeatable(), "lamp")
}

#[tokio::test(start_paused = true)]
async fn d13_in_the_standard_order_each_fault_finds_its_layer() {
    let (budget, switch) =
        (Budget::new("test", budget::Policy::aws()), Switch::new("chaos", Rng::from_seed(1)));
    let cache = StaleCache::new(Duration::from_secs(1), Duration::from_secs(60));
    let service = Scripted::new(|nth, _| match nth {
        0 => (millis(10), Ok(1)),             // passes
        1 => (millis(10), failed()),          // is repeated
        2 => (millis(10), Ok(2)),             //
        3 => (Duration::from_secs(9), Ok(3)), // is hedged
        _ => (millis(10), Ok(4)),
    });
    let notes = service.notes.clone();
    let stack = stacked(&budget, &cache, &switch, service);
    let call = async || {
        let begun = Instant::now();
        (stack.clone().oneshot(request()).await.unwrap(), begun.elapsed())
    };
    assert_eq!(call().await, (1, millis(10)));
    assert_eq!(call().await, (2, millis(10 + 100 + 10)));
    assert_eq!(call().await, (4, millis(150 + 10)));
    assert_eq!(notes.attempts(), [0, 0, 1, 0, 1]);
    // The dependency hangs: three attempts, each with a hedge, and two
    // waits; then what was kept.
    switch.set(Faults { hang_share: 1.0, ..Faults::default() });
    assert_eq!(call().await, (4, millis(3 * (150 + 400) + 100 + 200)));
    assert_eq!(notes.running(), 0);
}

/// Trap 7 for the whole: wherever the caller goes away, nothing runs on and no place or token is
/// lost.
#[tokio::test(start_paused = true)]
async fn trap_07_the_whole_stack_dropped_at_every_poll() {
    let polls = dropped_at_every_poll(millis(40), || {
        let budget = Budget::new("test", budget::Policy::aws());
        let switch = Switch::new("chaos", Rng::from_seed(1));
        let cache = StaleCache::new(Duration::from_secs(1), Duration::from_secs(60));
        let service = Scripted::new(|nth, _| match nth {
            0 | 1 => (millis(250), failed()),
            _ => (millis(100), Ok(nth)),
        });
        let notes = service.notes.clone();
        let stack = stacked(&budget, &cache, &switch, service);
        let check = move || {
            assert_eq!(notes.running(), 0);
            let extra = notes.count().saturating_sub(1) as f64;
            let spent = 500.0 - budget.tokens();
            assert!(spent == 14.0 * extra || spent == 14.0 * (extra - 1.0), "{spent} for {extra}");
        };
        (stack.oneshot(request()), check)
    })
    .await;
    assert!(polls > 10, "it was dropped {polls} times");
}

/// The same order around HTTP, with bodies that stream, from a client's request to a server's view
/// of it and back.
#[tokio::test(start_paused = true)]
async fn d13_http_from_end_to_end() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let server = ServerLayer::internal().layer(service_fn(move |request: Request<_>| {
        let nth = counted.fetch_add(1, Ordering::SeqCst);
        let call = request.call();
        async move {
            let body: Bytes = BodyExt::collect(request.into_body()).await?.to_bytes();
            let left = call.remaining(Instant::now()).unwrap();
            let (status, text) = match nth {
                0 => (StatusCode::SERVICE_UNAVAILABLE, "later".to_owned()),
                _ => (StatusCode::OK, format!("{} {} {left:?}", call.attempt, body.len())),
            };
            let mut response = Response::new(Full::<Bytes>::from(text));
            *response.status_mut() = status;
            response.headers_mut().insert("retry-after", 1.into());
            Ok::<_, BoxError>(response)
        }
    }));
    let clock = Arc::new(ManualClock::default());
    let judge = propagate::judge(clock, |_: &BoxError| Again::TRANSIENT);
    let mut client = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(5)))
        .layer(ReplayLayer::new())
        .layer(RetryLayer::judged_by(plain(), Rng::from_seed(1), judge))
        .layer(TimeoutLayer::new(millis(800)))
        .layer(IdleLayer::new(Duration::from_secs(3)))
        .layer(ClientLayer::new())
        .service(server);
    let request = Request::put("http://stock/lamp").body(Full::<Bytes>::from("body")).unwrap();
    let mut request = request;
    request.set_call(Call::new().repeatable());
    let response = client.ready().await.unwrap().call(request).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "1 4 790ms");
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
}

/// A server that does one thing at a time, each in 10 ms, in the order in which they came, whether
/// or not anybody still waits. `drops_expired`: unless nobody does.
fn slow_server(
    stalls: Duration,
    drops_expired: bool,
) -> mpsc::UnboundedSender<(Call, oneshot::Sender<()>)> {
    let (sender, mut queue) = mpsc::unbounded_channel::<(Call, oneshot::Sender<()>)>();
    tokio::spawn(async move {
        tokio::time::sleep(stalls).await;
        while let Some((call, answer)) = queue.recv().await {
            let is_expired = call.remaining(Instant::now()).is_some_and(|left| left.is_zero());
            if !(drops_expired && is_expired) {
                tokio::time::sleep(millis(10)).await;
                answer.send(()).ok();
            }
        }
    });
    sender
}

/// The share of calls that are answered in the last ten of sixty seconds, at four fifths of what
/// the server can do, after it stood still for the first five.
async fn recovers(retry: RetryLayer<(), Error>, drops_expired: bool) -> f64 {
    let server = slow_server(Duration::from_secs(5), drops_expired);
    let transport = service_fn(move |(call, ()): (Call, ())| {
        let (sender, answer) = oneshot::channel();
        server.send((call, sender)).ok();
        async move { answer.await.map_err(|_| -> Error { CallError::Failed("dropped") }) }
    });
    let service = retry.layer(TimeoutLayer::new(millis(500)).layer(transport));
    let service = tower::util::BoxCloneService::new(service);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..4_800 {
        let begun = Instant::now();
        let call = service.clone().oneshot((Call::new().repeatable(), ()));
        calls.spawn(async move { (begun, call.await.is_ok()) });
        tokio::time::sleep(Duration::from_micros(12_500)).await;
    }
    let end = Instant::now();
    let answers = calls.join_all().await;
    let last = answers.iter().filter(|(begun, _)| end - *begun < Duration::from_secs(10));
    let (good, all) =
        last.fold((0, 0), |(good, all), (_, is_ok)| (good + i32::from(*is_ok), all + 1));
    f64::from(good) / f64::from(all)
}

fn four_attempts() -> RetryLayer<(), Error> {
    let backoff = Backoff::new(4, millis(50), millis(500)).unwrap();
    RetryLayer::new(backoff, Rng::from_seed(1), |_: &Error| Verdict::Retry)
}

/// What retries alone make of a short stall: the trigger is gone after five seconds, and the load
/// that keeps the server busy is its own past. To leave out expired work helps little, because the
/// server then works on what is about to expire; to bound the repetitions ends it.
#[tokio::test(start_paused = true)]
async fn metastable_naive_retries_stay_down_and_a_budget_recovers() {
    let budgeted = || {
        let policy = budget::Policy::recommended().with_floor_per_second(1.0).unwrap();
        four_attempts().with_budget(Budget::new("test", policy.with_ratio(0.1).unwrap()))
    };
    let naive = recovers(four_attempts(), false).await;
    assert!(naive < 0.05, "without a remedy {naive} of the calls are answered");
    let expiring = recovers(four_attempts(), true).await;
    assert!(expiring < 0.5, "when expired work is left out, {expiring} are");
    let one = recovers(budgeted(), false).await;
    assert!(one > 0.99, "with a budget {one} are");
    let both = recovers(budgeted(), true).await;
    assert!(both > 0.99, "with both {both} are");
}
