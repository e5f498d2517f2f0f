//! A [`Call`] as HTTP headers, which are gRPC metadata as well.
//!
//! | fact | read from | written as |
//! |---|---|---|
//! | deadline | the earliest of `grpc-timeout`, `x-request-timeout-ms`, `x-envoy-expected-rq-timeout-ms` | what *remains*, less a margin: `grpc-timeout` for gRPC, else `x-request-timeout-ms` |
//! | attempt | `x-retry-attempt`, `grpc-previous-rpc-attempts` | the same, unless 0 |
//! | priority | `x-priority`: `critical`, `standard`, `batch` | the same, unless standard |
//! | level of the priority | `x-priority-level`, by the shed alone | passed on as it came |
//! | repeatable | the method, or an `idempotency-key` | not written: it is the request's own |

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use switchboard_core::Priority;
use tokio::time::Instant;

use super::timeout::{decode_timeout, encode_timeout};
use crate::Call;

/// How long the sender waits, gRPC's way.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// How long the sender waits, in milliseconds.
pub const REQUEST_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-request-timeout-ms");
/// How long Envoy waits, in milliseconds; read, never written.
pub const ENVOY_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
/// 0 or absent on the first try.
pub const RETRY_ATTEMPT: HeaderName = HeaderName::from_static("x-retry-attempt");
/// The same, gRPC's way.
pub const GRPC_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// Which work is shed first.
pub const PRIORITY: HeaderName = HeaderName::from_static("x-priority");
/// Which work of the same priority is shed first, from 0 to 99; see
/// [`InHeaders`](crate::shed::InHeaders).
pub const PRIORITY_LEVEL: HeaderName = HeaderName::from_static("x-priority-level");
/// The caller's own name for the operation.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A header is there, and its text is not what it should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header `{name}` is `{text}`, which is not {expected}")]
pub struct InvalidHeader {
    /// The header's name.
    pub name: HeaderName,
    /// What it says; the first 64 characters.
    pub text: String,
    /// What it should be.
    pub expected: &'static str,
}

/// Nothing was written: nobody would wait for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passes before an answer could come")]
pub struct Expired;

/// Reads the call that these headers carry.
///
/// # Errors
/// [`InvalidHeader`] names the first header that cannot be read.
pub fn decode(method: &Method, headers: &HeaderMap, now: Instant) -> Result<Call, InvalidHeader> {
    let (call, invalid) = decode_lenient(method, headers, now);
    invalid.map_or(Ok(call), Err)
}

/// The same, without those headers that cannot be read; and the first of them.
pub fn decode_lenient(
    method: &Method,
    headers: &HeaderMap,
    now: Instant,
) -> (Call, Option<InvalidHeader>) {
    let (mut call, mut invalid) = (Call::new(), None);
    for name in [GRPC_TIMEOUT, REQUEST_TIMEOUT_MS, ENVOY_TIMEOUT_MS] {
        let (decode, expected): (fn(&str) -> Option<Duration>, _) = if name == GRPC_TIMEOUT {
            (decode_timeout, "up to eight digits and one of H, M, S, m, u, n")
        } else {
            (milliseconds, "a number of milliseconds")
        };
        if let Some(timeout) = read(headers, name, decode, expected, &mut invalid) {
            call = call.within(timeout, now);
        }
    }
    for name in [RETRY_ATTEMPT, GRPC_ATTEMPTS] {
        if let Some(attempt) = read(headers, name, number, "a number", &mut invalid) {
            call.attempt = call.attempt.max(attempt);
        }
    }
    let expected = "`critical`, `standard` or `batch`";
    if let Some(priority) = read(headers, PRIORITY, priority_of, expected, &mut invalid) {
        call.priority = priority;
    }
    let has_key = headers.get(IDEMPOTENCY_KEY).is_some_and(|key| !key.is_empty());
    call.is_repeatable = method.is_idempotent() || has_key;
    (call, invalid)
}

/// Writes the call over whatever these headers carried before: a proxy must not pass on the time
/// that it was itself given.
///
/// # Errors
/// [`Expired`] when less than `margin` (and a millisecond) remains; then nothing has changed.
pub fn encode(
    call: &Call,
    now: Instant,
    margin: Duration,
    headers: &mut HeaderMap,
) -> Result<(), Expired> {
    let is_grpc = headers.get(CONTENT_TYPE).is_some_and(is_grpc);
    let timeout = match call.remaining(now) {
        Some(remaining) => {
            let timeout = remaining.saturating_sub(margin);
            if timeout < Duration::from_millis(1) {
                return Err(Expired);
            }
            Some(timeout)
        }
        None => None,
    };
    for name in
        [GRPC_TIMEOUT, REQUEST_TIMEOUT_MS, ENVOY_TIMEOUT_MS, RETRY_ATTEMPT, GRPC_ATTEMPTS, PRIORITY]
    {
        headers.remove(name);
    }
    if let Some(timeout) = timeout {
        let (name, text) = if is_grpc {
            (GRPC_TIMEOUT, encode_timeout(timeout))
        } else {
            (REQUEST_TIMEOUT_MS, timeout.as_millis().to_string())
        };
        // Digits and a letter are always a header's text.
        headers.extend(HeaderValue::try_from(text).ok().map(|text| (name, text)));
    }
    if call.attempt > 0 {
        let name = if is_grpc { GRPC_ATTEMPTS } else { RETRY_ATTEMPT };
        headers.insert(name, call.attempt.into());
    }
    let priority = match call.priority {
        Priority::Critical => Some("critical"),
        Priority::Standard => None,
        Priority::Batch => Some("batch"),
    };
    if let Some(priority) = priority {
        headers.insert(PRIORITY, HeaderValue::from_static(priority));
    }
    Ok(())
}

/// Whether this content type is gRPC's, with whatever codec.
pub(super) fn is_grpc(content_type: &HeaderValue) -> bool {
    content_type.as_bytes().starts_with(b"application/grpc")
}

fn read<T>(
    headers: &HeaderMap,
    name: HeaderName,
    decode: impl Fn(&str) -> Option<T>,
    expected: &'static str,
    invalid: &mut Option<InvalidHeader>,
) -> Option<T> {
    let value = headers.get(&name)?;
    let decoded = value.to_str().ok().and_then(|text| decode(text.trim()));
    if decoded.is_none() && invalid.is_none() {
        let text = String::from_utf8_lossy(value.as_bytes()).chars().take(64).collect();
        *invalid = Some(InvalidHeader { name, text, expected });
    }
    decoded
}

fn milliseconds(text: &str) -> Option<Duration> {
    number(text).map(Duration::from_millis)
}

/// Digits only: `parse` alone would take a plus sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn priority_of(text: &str) -> Option<Priority> {
    [("critical", Priority::Critical), ("standard", Priority::Standard), ("batch", Priority::Batch)]
        .into_iter()
        .find_map(|(name, priority)| name.eq_ignore_ascii_case(text).then_some(priority))
}
