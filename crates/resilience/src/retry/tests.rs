//! How often, how long apart, and when not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use switchboard_core::{Rng, Verdict};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::RetryLayer;
use crate::Backoff;
use crate::backoff::Jitter;

/// Fails `failures` times, then answers; returns the result, the attempts and the time it took.
async fn check(
    failures: u32,
    verdict: Verdict,
    total: Option<Duration>,
) -> (Result<u32, &'static str>, u32, Duration) {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = attempts.clone();
    let inner = service_fn(move |(): ()| {
        let attempt = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move { if attempt > failures { Ok(attempt) } else { Err("no") } }
    });
    let backoff = Backoff::classic().with_jitter(Jitter::None).unwrap();
    let mut layer = RetryLayer::new(backoff, Rng::from_seed(1), move |_: &&str| verdict);
    if let Some(total) = total {
        layer = layer.with_total(total);
    }
    let begun = Instant::now();
    let mut service = layer.layer(inner);
    let answer = service.ready().await.unwrap().call(()).await;
    (answer, attempts.load(Ordering::SeqCst), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn repeats_until_it_passes_with_the_waits_of_the_policy() {
    let (answer, attempts, took) = check(2, Verdict::Retry, None).await;
    assert_eq!((answer, attempts, took), (Ok(3), 3, Duration::from_secs(1 + 2)));
}

#[tokio::test(start_paused = true)]
async fn gives_up_after_the_last_attempt_without_a_further_wait() {
    let (answer, attempts, took) = check(99, Verdict::Retry, None).await;
    assert_eq!((answer, attempts, took), (Err("no"), 5, Duration::from_secs(1 + 2 + 4 + 8)));
}

#[tokio::test(start_paused = true)]
async fn what_will_fail_again_is_not_repeated() {
    for verdict in [Verdict::Terminal, Verdict::Stuck] {
        assert_eq!(check(99, verdict, None).await, (Err("no"), 1, Duration::ZERO));
    }
}

/// R3: a wait that would end past the deadline is not begun.
#[tokio::test(start_paused = true)]
async fn r3_never_waits_past_the_deadline() {
    let (answer, attempts, took) = check(99, Verdict::Retry, Some(Duration::from_secs(5))).await;
    assert_eq!((answer, attempts, took), (Err("no"), 3, Duration::from_secs(3)));
}
