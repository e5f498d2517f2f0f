//! In which order something else is answered, for which causes, how it is marked, and within which bounds.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::{Rng, Verdict};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

use super::{Cause, Degraded, FallbackLayer, Source, StaleCache};
use crate::trial::{Error, Scripted, failed};
use crate::{
    Backoff, Call, CallError, Classifier, DeadlineLayer, Outcome, Reason, Rejected, RetryLayer,
};

type Request = (Call, &'static str);
type Layered = FallbackLayer<Request, u32, Error>;
type Marks = Arc<Mutex<Vec<Degraded>>>;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Fresh for a minute, stale for an hour.
fn cache() -> StaleCache<u32> {
    StaleCache::new(seconds(60), seconds(3_600))
}

fn cached(cache: &StaleCache<u32>) -> Layered {
    FallbackLayer::new(Classifier::of_errors()).with_cache(
        cache.clone(),
        |(_, key): &Request| Some((*key).to_owned()),
        |answer| Some(*answer),
    )
}

/// The answer of a failing service, and what was marked.
async fn check(layer: Layered) -> (Result<u32, Error>, Vec<Degraded>) {
    check_with(layer, failed).await
}

async fn check_with(
    layer: Layered,
    answer: impl Fn() -> Result<u32, Error> + Send + Sync + 'static,
) -> (Result<u32, Error>, Vec<Degraded>) {
    let marks = Marks::default();
    let noted = marks.clone();
    let layer = layer.marked_by(move |_, degraded| noted.lock().push(degraded));
    let service = layer.layer(Scripted::new(move |_, _| (Duration::ZERO, answer())));
    let answer = service.oneshot((Call::new(), "key")).await;
    let marks = std::mem::take(&mut *marks.lock());
    (answer, marks)
}

#[tokio::test(start_paused = true)]
async fn d10_fresh_then_stale_then_alternative_then_static_then_the_error() {
    let kept = cache();
    let all = || {
        cached(&kept)
            .with_alternative(|_, key| {
                let answer = (key == Some("key")).then_some(3);
                async move { answer }
            })
            .with_static(|_| Some(4))
    };
    kept.put("key", 1);
    let expect = |source| vec![Degraded { source, cause: Cause::Failed }];
    tokio::time::advance(seconds(60)).await;
    let (answer, marks) = check(all()).await;
    assert_eq!((answer.unwrap(), marks), (1, expect(Source::Fresh { age: seconds(60) })));
    tokio::time::advance(seconds(1)).await;
    let (answer, marks) = check(all()).await;
    assert_eq!((answer.unwrap(), marks), (1, expect(Source::Stale { age: seconds(61) })));
    tokio::time::advance(seconds(3_600)).await;
    let (answer, marks) = check(all()).await;
    assert_eq!((answer.unwrap(), marks), (3, expect(Source::Alternative)));
    let without = cached(&kept).with_static(|_| Some(4));
    let (answer, marks) = check(without).await;
    assert_eq!((answer.unwrap(), marks), (4, expect(Source::Static)));
    let (answer, marks) = check(cached(&kept)).await;
    assert!(matches!(answer, Err(CallError::Failed("no"))));
    assert_eq!(marks, []);
}

#[tokio::test(start_paused = true)]
async fn d10_a_good_answer_passes_unmarked_and_is_kept() {
    let kept = cache();
    let (answer, marks) = check_with(cached(&kept), || Ok(7)).await;
    assert_eq!((answer.unwrap(), marks), (7, vec![]));
    let (answer, _) = check(cached(&kept)).await;
    assert_eq!(answer.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn d10_the_cause_is_typed_and_chooses() {
    let reason = |reason| move || Err(Rejected::new("inner".into(), reason).into());
    let fixed = || {
        FallbackLayer::new(Classifier::of_errors()).with_static(|cause| match cause {
            Cause::Rejected(Reason::Open) => Some(1),
            Cause::Rejected(_) => Some(2),
            Cause::Failed => None,
        })
    };
    for (cause, answer) in [(Reason::Open, 1), (Reason::BulkheadFull, 2), (Reason::TimedOut, 2)] {
        let (answered, marks) = check_with(fixed(), reason(cause)).await;
        assert_eq!(answered.unwrap(), answer, "{cause:?}");
        assert_eq!(marks[0].cause, Cause::Rejected(cause));
    }
    assert!(check(fixed()).await.0.is_err());
    let (answer, _) = check_with(fixed(), reason(Reason::DeadlineExceeded)).await;
    assert!(answer.is_err(), "nobody reads it any more");
    let covering = fixed().covering(|cause| cause == Cause::Rejected(Reason::Open));
    assert!(check_with(covering, reason(Reason::Shed)).await.0.is_err());
}

#[tokio::test(start_paused = true)]
async fn d10_a_refusal_is_an_answer_and_needs_no_fallback() {
    let classifier = Classifier::new(|answer: &Result<u32, Error>| match answer {
        Err(CallError::Failed("not found")) => Outcome::Ignore,
        Err(_) => Outcome::FAILURE,
        Ok(_) => Outcome::Success,
    });
    let layer: Layered = FallbackLayer::new(classifier).with_static(|_| Some(1));
    let (answer, _) = check_with(layer, || Err(CallError::Failed("not found"))).await;
    assert!(matches!(answer, Err(CallError::Failed("not found"))));
}

/// The caller's own deadline is over: whatever was kept, nobody reads it.
#[tokio::test(start_paused = true)]
async fn d10_nothing_is_answered_after_the_callers_deadline() {
    let kept = cache();
    kept.put("key", 1);
    let within = async |limit: DeadlineLayer| {
        let slow = Scripted::new(|_, _| (seconds(9), Ok(2)));
        let call = Call::new().with_deadline(Instant::now() + seconds(3));
        cached(&kept).layer(limit.layer(slow)).oneshot((call, "key")).await
    };
    let late = within(DeadlineLayer::as_brought()).await;
    assert!(matches!(late, Err(CallError::Rejected(late)) if late.reason == Reason::TimedOut));
    let in_time = within(DeadlineLayer::new(seconds(2))).await;
    assert_eq!(in_time.unwrap(), 1, "the limit was the layer's own, and the caller still waits");
}

/// An answer may say "not found", and its like must not be shown in bad times.
#[tokio::test(start_paused = true)]
async fn d10_only_a_success_is_kept() {
    let kept = cache();
    let layer = |counts: Outcome| {
        FallbackLayer::new(Classifier::new(move |_: &Result<u32, Error>| counts)).with_cache(
            kept.clone(),
            |(_, key): &Request| Some((*key).to_owned()),
            |answer| Some(*answer),
        )
    };
    for (counts, len) in [(Outcome::Ignore, 0), (Outcome::Success, 1)] {
        let (answer, _) = check_with(layer(counts), || Ok(404)).await;
        assert_eq!((answer.unwrap(), kept.len()), (404, len), "{counts:?}");
    }
}

/// What is written seldom is not driven out by what is written often.
#[tokio::test(start_paused = true)]
async fn d10_repeated_answers_drive_no_other_out() {
    let kept = cache().with_room(4);
    kept.put("seldom", 1);
    (0..100).for_each(|answer| kept.put("often", answer));
    assert_eq!((kept.get("seldom").unwrap().answer, kept.get("often").unwrap().answer), (1, 99));
    for key in ["a", "b", "c"] {
        kept.put(key, 1);
    }
    assert!(kept.get("seldom").is_none() && kept.len() == 4, "the oldest goes when room ends");
}

/// It has its own few places: what fails with everything else must not become a queue.
#[tokio::test(start_paused = true)]
async fn d10_ten_alternatives_run_at_a_time_and_nobody_waits_for_a_place() {
    let layer: Layered = FallbackLayer::new(Classifier::of_errors())
        .with_alternative(|_, _| async {
            tokio::time::sleep(Duration::from_millis(900)).await;
            Some(1)
        })
        .with_static(|_| Some(2));
    let service = layer.layer(Scripted::failing(99));
    let begun = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..15 {
        calls.spawn(service.clone().oneshot((Call::new(), "key")));
    }
    let answers: Vec<_> = calls.join_all().await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == 1).count(), 10);
    assert_eq!(begun.elapsed(), Duration::from_millis(900));
    assert_eq!(service.oneshot((Call::new(), "key")).await.unwrap(), 1, "places come back");
}

#[tokio::test(start_paused = true)]
async fn d10_an_alternative_ends_within_its_limit_and_the_deadline() {
    let took = async |call: Call| {
        let layer: Layered = FallbackLayer::new(Classifier::of_errors())
            .with_alternative(|_, _| std::future::pending::<Option<u32>>());
        let begun = Instant::now();
        layer.layer(Scripted::failing(99)).oneshot((call, "key")).await.unwrap_err();
        begun.elapsed()
    };
    assert_eq!(took(Call::new()).await, seconds(1));
    let soon = Call::new().with_deadline(Instant::now() + Duration::from_millis(300));
    assert_eq!(took(soon).await, Duration::from_millis(300));
}

/// Outside the retry, the retry runs first; that is what the order is for.
#[tokio::test(start_paused = true)]
async fn d10_it_sits_outside_the_retry() {
    let service = Scripted::failing(2);
    let notes = service.notes.clone();
    let retry =
        RetryLayer::new(Backoff::recommended(), Rng::from_seed(1), |_: &Error| Verdict::Retry);
    let layer: FallbackLayer<(Call, ()), u32, Error> =
        FallbackLayer::new(Classifier::of_errors()).with_static(|_| Some(0));
    let answer = layer.layer(retry.layer(service)).oneshot((Call::new().repeatable(), ())).await;
    assert_eq!((answer.unwrap(), notes.count()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_bounded_and_forgets_what_was_written_longest_ago() {
    let kept = cache().with_room(2);
    let keys = ["a", "b", "a", "c"];
    for (nth, key) in (0..).zip(keys) {
        kept.put(key, nth);
    }
    let answer = |key| kept.get(key).map(|kept| kept.answer);
    assert_eq!((answer("a"), answer("b"), answer("c")), (Some(2), None, Some(3)));
    for nth in 0..1_000 {
        kept.put("a", nth);
        kept.put(&nth.to_string(), nth);
    }
    assert_eq!((kept.len(), answer("a"), answer("999")), (2, Some(999), Some(999)));
}

/// Answers that cannot be cloned are copied by a function, or not kept at all.
#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_copied_is_not_kept() {
    struct Streamed(Option<u32>);
    let kept = StaleCache::new(seconds(60), seconds(60));
    let layer = FallbackLayer::new(Classifier::<Streamed, Rejected>::of_errors()).with_cache(
        kept.clone(),
        |_: &Request| Some("key".to_owned()),
        |answer: &Streamed| answer.0.map(|kept| Streamed(Some(kept))),
    );
    for (answer, len) in [(None, 0), (Some(1), 1)] {
        let inner =
            service_fn(move |_: Request| async move { Ok::<_, Rejected>(Streamed(answer)) });
        layer.layer(inner).oneshot((Call::new(), "key")).await.unwrap();
        assert_eq!(kept.len(), len);
    }
}
