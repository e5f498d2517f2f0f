//! What is written is read again as the same or as less time, and nothing that strangers write harms.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use switchboard_core::{Context, Id, ManualClock, Priority, Rng, Timestamp};
use tokio::time::Instant;

use super::*;
use crate::Call;

const MARGIN: Duration = Duration::from_millis(10);

fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, text): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(text).unwrap())
    };
    list.iter().map(pair).collect()
}

/// What remains of the call in these headers.
fn remaining(list: &[(&'static str, &str)]) -> Result<Option<Duration>, String> {
    let now = Instant::now();
    decode(&Method::GET, &headers(list), now)
        .map(|call| call.remaining(now))
        .map_err(|invalid| invalid.to_string())
}

#[test]
fn d1_grpc_timeouts_of_every_unit() {
    for (text, expected) in [
        ("1H", Duration::from_secs(3_600)),
        ("2M", Duration::from_secs(120)),
        ("3S", Duration::from_secs(3)),
        ("4m", Duration::from_millis(4)),
        ("5u", Duration::from_micros(5)),
        ("6n", Duration::from_nanos(6)),
        ("99999999H", Duration::from_secs(99_999_999 * 3_600)),
        ("00000001S", Duration::from_secs(1)),
    ] {
        assert_eq!(decode_timeout(text), Some(expected), "{text}");
    }
    for text in
        ["", "S", "1", "1s", "1h", "123456789S", "-1S", "+1S", "1.5S", " 1S", "1 S", "١S", "1µ"]
    {
        assert_eq!(decode_timeout(text), None, "{text}");
    }
    assert_eq!(encode_timeout(Duration::ZERO), "0n");
    assert_eq!(encode_timeout(Duration::MAX), "99999999H");
}

#[test]
fn d1_the_earliest_of_three_headers_holds() {
    let three = |grpc, own, envoy| {
        remaining(&[
            ("grpc-timeout", grpc),
            ("x-request-timeout-ms", own),
            ("x-envoy-expected-rq-timeout-ms", envoy),
        ])
    };
    let second = Ok(Some(Duration::from_secs(1)));
    assert_eq!(three("1S", "2000", "3000"), second);
    assert_eq!(three("2S", "1000", "3000"), second);
    assert_eq!(three("3S", "2000", "1000"), second);
    assert_eq!(remaining(&[]), Ok(None));
    assert_eq!(remaining(&[("x-request-timeout-ms", "0")]), Ok(Some(Duration::ZERO)));
}

#[test]
fn d1_what_cannot_be_read_is_named_and_may_be_left_out() {
    assert_eq!(
        remaining(&[("grpc-timeout", "soon")]),
        Err("the header `grpc-timeout` is `soon`, which is not up to eight digits and one of \
             H, M, S, m, u, n"
            .to_owned())
    );
    for (name, text) in [
        ("x-request-timeout-ms", "+5"),
        ("x-request-timeout-ms", ""),
        ("x-retry-attempt", "-1"),
        ("x-retry-attempt", "4294967296"),
        ("x-priority", "urgent"),
    ] {
        let headers = headers(&[(name, text), ("x-envoy-expected-rq-timeout-ms", "7")]);
        let now = Instant::now();
        assert!(decode(&Method::GET, &headers, now).is_err(), "{name}: {text}");
        let (call, invalid) = decode_lenient(&Method::GET, &headers, now);
        assert_eq!(call.remaining(now), Some(Duration::from_millis(7)));
        assert_eq!(invalid.unwrap().name, name);
    }
    let long = "x".repeat(10_000);
    let (_, invalid) =
        decode_lenient(&Method::GET, &headers(&[("x-priority", &long)]), Instant::now());
    assert_eq!(invalid.unwrap().text.len(), 64);
}

#[test]
fn r6_repeatable_is_what_the_method_or_a_key_makes_it() {
    let repeatable =
        |method, list| decode(&method, &headers(list), Instant::now()).unwrap().is_repeatable;
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE] {
        assert!(repeatable(method, &[]));
    }
    for method in [Method::POST, Method::PATCH] {
        assert!(!repeatable(method.clone(), &[]));
        assert!(!repeatable(method.clone(), &[("idempotency-key", "")]));
        assert!(repeatable(method, &[("idempotency-key", "\"k\"")]));
    }
}

#[test]
fn d1_what_remains_is_written_less_the_margin_over_what_was_there() {
    let now = Instant::now();
    let call = Call { attempt: 2, ..Call::new() }
        .with_deadline(now + Duration::from_millis(1_500))
        .with_priority(Priority::Batch);
    let old = [
        ("x-request-timeout-ms", "9000"),
        ("grpc-timeout", "9S"),
        ("x-envoy-expected-rq-timeout-ms", "9000"),
        ("x-priority", "critical"),
        ("grpc-previous-rpc-attempts", "9"),
        ("idempotency-key", "k"),
    ];
    let mut http = headers(&old);
    encode(&call, now, MARGIN, &mut http).unwrap();
    let expected = [
        ("idempotency-key", "k"),
        ("x-request-timeout-ms", "1490"),
        ("x-retry-attempt", "2"),
        ("x-priority", "batch"),
    ];
    assert_eq!(http, headers(&expected));
    let mut grpc = headers(&[("content-type", "application/grpc+proto")]);
    encode(&call, now, MARGIN, &mut grpc).unwrap();
    let expected = [
        ("content-type", "application/grpc+proto"),
        ("grpc-timeout", "1490000u"),
        ("grpc-previous-rpc-attempts", "2"),
        ("x-priority", "batch"),
    ];
    assert_eq!(grpc, headers(&expected));
    let mut plain = headers(&old[..3]);
    encode(&Call::new(), now, MARGIN, &mut plain).unwrap();
    assert!(plain.is_empty(), "a first try of standard priority without a deadline says nothing");
}

#[test]
fn d1_a_call_whose_answer_cannot_come_in_time_is_not_written() {
    let now = Instant::now();
    for (left, is_written) in [(0, false), (10, false), (11, true)] {
        let call = Call::new().with_deadline(now + Duration::from_millis(left));
        let mut untouched = headers(&[("x-request-timeout-ms", "9000")]);
        assert_eq!(encode(&call, now, MARGIN, &mut untouched).is_ok(), is_written, "{left}");
        assert_eq!(untouched["x-request-timeout-ms"], if is_written { "1" } else { "9000" });
    }
}

fn context() -> Context {
    Context::of(Id::new(&ManualClock::at(Timestamp::from_micros(0)), &mut Rng::from_seed(1)))
}

/// A message may lie in a queue for hours: its deadline is a time of day.
#[tokio::test(start_paused = true)]
async fn d1_a_message_carries_a_time_of_day_and_a_call_what_remains() {
    let clock = ManualClock::at(Timestamp::from_micros(1_000_000));
    let (sent, mut context) = (Instant::now(), context());
    context.idempotency_key = Some(Arc::from("k"));
    let call = Call { attempt: 3, ..Call::new() }
        .with_deadline(sent + Duration::from_secs(9))
        .with_priority(Priority::Critical);
    carry(&call, &clock, sent, &mut context);
    assert_eq!(context.deadline, Some(Timestamp::from_micros(10_000_000)));
    clock.advance(Duration::from_secs(4));
    tokio::time::advance(Duration::from_secs(4)).await;
    let there = call_of(&context, &clock, Instant::now());
    assert_eq!(there, Call { is_repeatable: true, ..call });
    clock.advance(Duration::from_secs(60));
    let late = call_of(&context, &clock, Instant::now());
    assert_eq!(late.remaining(Instant::now()), Some(Duration::ZERO));
    carry(&Call::new(), &clock, Instant::now(), &mut context);
    let none = call_of(&context, &clock, Instant::now());
    assert_eq!((none.deadline, none.attempt, none.priority), (None, 0, Priority::Standard));
}

fn priorities() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::Critical), Just(Priority::Standard), Just(Priority::Batch)]
}

proptest! {
    /// Never longer than it was, and at most a unit shorter.
    #[test]
    fn d1_a_grpc_timeout_is_read_as_what_was_written_rounded_down(nanos: u64) {
        let timeout = Duration::from_nanos(nanos);
        let text = encode_timeout(timeout);
        prop_assert!(text.len() <= 9 && text.is_ascii());
        let there = decode_timeout(&text).unwrap();
        prop_assert!(there <= timeout);
        prop_assert!(timeout - there <= timeout / 1_000_000, "{} of {:?}", text, timeout);
    }

    #[test]
    fn d1_no_text_harms_the_reader(
        text in ".{0,12}",
        bytes in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        decode_timeout(&text);
        let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
        let mut headers = HeaderMap::new();
        for name in [GRPC_TIMEOUT, REQUEST_TIMEOUT_MS, RETRY_ATTEMPT, PRIORITY, PUSHBACK_MS] {
            headers.insert(name, value.clone());
        }
        headers.insert(http::header::RETRY_AFTER, value);
        decode_lenient(&Method::POST, &headers, Instant::now());
        hint(&headers, Timestamp::from_micros(0));
    }

    /// From one process to the next: the same call with a little less time.
    #[test]
    fn d1_a_call_survives_the_way(
        millis in prop::option::of(11_u64..10_000_000),
        attempt: u32,
        priority in priorities(),
        is_grpc: bool,
    ) {
        let now = Instant::now();
        let mut call = Call { attempt, ..Call::new().with_priority(priority) };
        call.deadline = millis.map(|millis| now + Duration::from_millis(millis));
        let content_type = [("content-type", "application/grpc")];
        let mut headers = headers(if is_grpc { &content_type } else { &[] });
        encode(&call, now, MARGIN, &mut headers).unwrap();
        let there = decode(&Method::POST, &headers, now).unwrap();
        prop_assert_eq!((there.attempt, there.priority), (attempt, priority));
        let expected = millis.map(|millis| Duration::from_millis(millis) - MARGIN);
        prop_assert_eq!(there.remaining(now), expected);
    }

    /// And through a message, whatever the two clocks show.
    #[test]
    fn d1_a_call_survives_a_message(
        seconds in prop::option::of(0_u64..1_000_000),
        attempt: u32,
        priority in priorities(),
        wall in 0_i64..4_000_000_000_000_000,
    ) {
        let (now, clock) = (Instant::now(), ManualClock::at(Timestamp::from_micros(wall)));
        let mut call = Call { attempt, ..Call::new().with_priority(priority) };
        call.deadline = seconds.map(|seconds| now + Duration::from_secs(seconds));
        let mut context = context();
        carry(&call, &clock, now, &mut context);
        prop_assert_eq!(call_of(&context, &clock, now), call);
    }
}
