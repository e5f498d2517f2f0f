//! What answers say to "again?", and that what one side says the other understands.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};
use switchboard_core::{ManualClock, Rng, Timestamp};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

use super::*;
use crate::fallback::{Cause, Degraded, Source};
use crate::retry::{Again, Class, Hint};
use crate::{Backoff, Call, CallError, Carries, RetryLayer};

/// 2026-11-27T09:00:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_795_770_000_000_000);

type Answer = Result<Response<()>, CallError<&'static str>>;

fn response(status: u16, headers: &[(&'static str, &'static str)]) -> Response<()> {
    let builder = Response::builder().status(status);
    let builder =
        headers.iter().fold(builder, |builder, (name, text)| builder.header(*name, *text));
    builder.body(()).unwrap()
}

fn hinted(headers: &[(&'static str, &'static str)]) -> Hint {
    hint(response(503, headers).headers(), NOW)
}

fn judged(response: Response<()>) -> Again {
    let clock = Arc::new(ManualClock::at(NOW));
    let answer: Answer = Ok(response);
    judge(clock, |_: &CallError<&'static str>| Again::TRANSIENT).judge(&answer)
}

#[test]
fn r2_retry_after_is_seconds_or_a_date_and_nothing_when_it_has_passed() {
    let seconds = |seconds| Hint::AtLeast(Duration::from_secs(seconds));
    for (text, expected) in [
        ("7", seconds(7)),
        ("86400", seconds(86_400)),
        ("0", Hint::None),
        ("-1", Hint::None),
        ("soon", Hint::None),
        ("1.5", Hint::None),
        ("Fri, 27 Nov 2026 09:00:30 GMT", seconds(30)),
        ("Friday, 27-Nov-26 09:00:30 GMT", seconds(30)),
        ("Fri Nov 27 09:00:30 2026", seconds(30)),
        ("Fri, 27 Nov 2026 09:00:00 GMT", Hint::None),
        ("Fri, 27 Nov 2020 09:00:00 GMT", Hint::None),
        ("Sun, 06 Nov 1901 08:49:37 GMT", Hint::None),
    ] {
        assert_eq!(hinted(&[("retry-after", text)]), expected, "{text}");
    }
    assert_eq!(hinted(&[]), Hint::None);
}

#[test]
fn r2_pushback_is_exact_and_negative_or_unreadable_means_no() {
    let pushback = |text| hinted(&[("grpc-retry-pushback-ms", text), ("retry-after", "9")]);
    assert_eq!(pushback("250"), Hint::Exactly(Duration::from_millis(250)));
    assert_eq!(pushback("0"), Hint::Exactly(Duration::ZERO));
    for text in ["-1", "", "soon", "1.5", "99999999999999999999999"] {
        assert_eq!(pushback(text), Hint::Never, "{text}");
    }
    assert_eq!(hinted(&[("x-envoy-overloaded", "true"), ("retry-after", "9")]), Hint::Never);
}

#[test]
fn r2_every_status_that_is_repeated_carries_its_hint() {
    let after = |class| Again::After { class, hint: Hint::AtLeast(Duration::from_secs(9)) };
    for (status, again) in [
        (200, Again::No),
        (400, Again::No),
        (404, Again::No),
        (408, after(Class::Transient)),
        (409, Again::No),
        (425, after(Class::NotSent)),
        (429, after(Class::Throttled)),
        (500, Again::No),
        (501, Again::No),
        (502, after(Class::Transient)),
        (503, after(Class::Transient)),
        (504, after(Class::Transient)),
    ] {
        assert_eq!(judged(response(status, &[("retry-after", "9")])), again, "{status}");
    }
}

/// R6: of gRPC, `UNAVAILABLE` only, and only while no body has begun.
#[test]
fn r6_of_grpc_only_unavailable_is_repeated() {
    let grpc = |status| {
        judged(response(200, &[("content-type", "application/grpc"), ("grpc-status", status)]))
    };
    let codes = ["0", "1", "2", "4", "8", "10", "13", "15"];
    assert!(codes.iter().all(|code| grpc(code) == Again::No));
    assert_eq!(grpc("14"), Again::TRANSIENT);
    assert_eq!(judged(response(200, &[("content-type", "application/grpc")])), Again::No);
    let proxy = response(503, &[("content-type", "application/grpc")]);
    assert_eq!(judged(proxy), Again::TRANSIENT, "a proxy's answer, not the server's");
}

#[test]
fn d10_a_degraded_answer_says_from_where_and_how_old_it_is() {
    let mut headers = HeaderMap::new();
    let source = Source::Stale { age: Duration::from_millis(90_500) };
    mark_degraded(&mut headers, Degraded { source, cause: Cause::Failed });
    assert_eq!((&headers["x-degraded"], &headers["age"]), (&"stale".parse().unwrap(), &90.into()));
    let mut headers = HeaderMap::new();
    mark_degraded(&mut headers, Degraded { source: Source::Static, cause: Cause::Failed });
    assert_eq!((headers.len(), &headers["x-degraded"]), (1, &"static".parse().unwrap()));
}

/// R7 over the wire: three services above a dependency that is down, each with three attempts. The
/// innermost gives up and says so, and the others pass it on.
#[tokio::test(start_paused = true)]
async fn r7_an_answer_that_refuses_retries_is_not_repeated_further_out() {
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = calls.clone();
    let down = service_fn(move |_: Request<()>| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async { Ok::<_, CallError<&'static str>>(response(503, &[("retry-after", "1")])) }
    });
    let retry = |seed| {
        let judge = judge(Arc::new(ManualClock::at(NOW)), |_: &CallError<&str>| Again::No);
        RetryLayer::judged_by(Backoff::recommended(), Rng::from_seed(seed), judge).when_giving_up(
            |answer: &mut Answer, _| {
                if let Ok(response) = answer {
                    refuse_retries(response.headers_mut());
                }
            },
        )
    };
    let three = retry(1).layer(retry(2).layer(retry(3).layer(down)));
    let mut request = Request::new(());
    request.set_call(Call::new().repeatable());
    let begun = Instant::now();
    let response = three.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(hint(response.headers(), NOW), Hint::Never);
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 3, "instead of 27");
    assert!(begun.elapsed() >= Duration::from_secs(2), "each wait was as long as it was asked for");
}
