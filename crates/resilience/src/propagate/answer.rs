//! What the head of an HTTP or gRPC answer says to "again?", and how to say it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::header::{AGE, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use switchboard_core::{Clock, Timestamp};

use super::headers::is_grpc;
use crate::fallback::{Degraded, Source};
use crate::retry::{Again, Class, Hint, Judge};

/// When a gRPC server wants to be asked again, in milliseconds; negative: not at all.
pub const PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
/// Somebody has too much to do and must not be asked again; Envoy writes and reads it as well.
pub const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");
/// Where an answer came from that is not the dependency's own.
pub const DEGRADED: HeaderName = HeaderName::from_static("x-degraded");

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// When the sender of these headers wants to be asked again.
///
/// `grpc-retry-pushback-ms` is exact, and negative or unreadable it means not to. `Retry-After`, as
/// seconds or as a date, means not before; 0, a date that has passed, and what cannot be read mean
/// nothing (R2).
pub fn hint(headers: &HeaderMap, now: Timestamp) -> Hint {
    if headers.contains_key(OVERLOADED) {
        return Hint::Never;
    }
    if let Some(pushback) = headers.get(PUSHBACK_MS) {
        let millis = pushback.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
        return millis.map_or(Hint::Never, |millis| Hint::Exactly(Duration::from_millis(millis)));
    }
    let wait = headers.get(RETRY_AFTER).and_then(|text| retry_after(text.to_str().ok()?, now));
    wait.filter(|wait| !wait.is_zero()).map_or(Hint::None, Hint::AtLeast)
}

/// Tells callers further out not to try again: who sends this has done what can be done (R7).
pub fn refuse_retries(headers: &mut HeaderMap) {
    headers.remove(RETRY_AFTER);
    headers.insert(PUSHBACK_MS, HeaderValue::from_static("-1"));
    headers.insert(OVERLOADED, HeaderValue::from_static("true"));
}

/// Tells readers that this answer is not the dependency's own.
pub fn mark_degraded(headers: &mut HeaderMap, degraded: Degraded) {
    headers.insert(DEGRADED, HeaderValue::from_static(degraded.source.as_str()));
    if let Source::Fresh { age } | Source::Stale { age } = degraded.source {
        headers.insert(AGE, age.as_secs().into());
    }
}

/// Judges answers by their heads ([`again`]), and errors by `errors`.
pub fn judge<B: 'static, E: 'static>(
    clock: Arc<dyn Clock>,
    errors: impl Fn(&E) -> Again + Send + Sync + 'static,
) -> Judge<Response<B>, E> {
    Judge::new(move |answer| match answer {
        Ok(response) => again(response, clock.now()),
        Err(error) => errors(error),
    })
}

/// What the head of an answer says to "again?".
///
/// HTTP: 425 was not processed; 429 is throttled; 408, 502, 503 and 504 may pass. gRPC:
/// `UNAVAILABLE` only, in an answer without a body; one whose status comes behind a body is
/// committed.
pub fn again<B>(response: &Response<B>, now: Timestamp) -> Again {
    let hint = || hint(response.headers(), now);
    class(response).map_or(Again::No, |class| Again::After { class, hint: hint() })
}

fn class<B>(response: &Response<B>) -> Option<Class> {
    const UNAVAILABLE: &[u8] = b"14";
    let headers = response.headers();
    if headers.get(CONTENT_TYPE).is_some_and(is_grpc) && response.status() == StatusCode::OK {
        let status = headers.get(GRPC_STATUS)?;
        return (status.as_bytes() == UNAVAILABLE).then_some(Class::Transient);
    }
    match response.status() {
        StatusCode::TOO_EARLY => Some(Class::NotSent),
        StatusCode::TOO_MANY_REQUESTS => Some(Class::Throttled),
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Some(Class::Transient),
        _ => None,
    }
}

fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    let date = Timestamp::default().plus(date.duration_since(UNIX_EPOCH).ok()?);
    Some(date.since(now))
}
