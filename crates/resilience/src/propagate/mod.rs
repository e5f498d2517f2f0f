//! One deadline, one count of attempts and one priority, from process to process and through messages.
//!
//! A service that does not know how long its caller waits works for nobody; one that does not know that it is asked for the third time
//! sheds the wrong request. So a [`Call`](crate::Call) leaves a process as headers that others understand as well (gRPC's own, Envoy's),
//! or as the [`Context`](switchboard_core::Context) of a message, and is a `Call` again on the other side. What travels is the time that
//! *remains*, less a margin for the way, never the time that was given: clocks of two machines need not agree.
//!
//! ```
//! use std::time::Duration;
//! use http::{HeaderMap, Method};
//! use switchboard_resilience::{Call, propagate};
//! use tokio::time::Instant;
//!
//! let (now, margin) = (Instant::now(), Duration::from_millis(10));
//! let call = Call::new().with_deadline(now + Duration::from_secs(2));
//! let mut headers = HeaderMap::new();
//! propagate::encode(&call, now, margin, &mut headers)?;
//! assert_eq!(headers["x-request-timeout-ms"], "1990");
//!
//! let there = propagate::decode(&Method::GET, &headers, now)?;
//! assert_eq!(there.remaining(now), Some(Duration::from_millis(1_990)));
//! assert!(there.is_repeatable);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod answer;
#[cfg(test)]
mod answer_tests;
mod context;
mod headers;
mod layer;
#[cfg(test)]
mod layer_tests;
#[cfg(test)]
mod tests;
mod timeout;

pub use answer::{
    DEGRADED, OVERLOADED, PUSHBACK_MS, again, hint, judge, mark_degraded, refuse_retries,
};
pub use context::{call_of, carry};
pub use headers::{
    ENVOY_TIMEOUT_MS, Expired, GRPC_ATTEMPTS, GRPC_TIMEOUT, IDEMPOTENCY_KEY, InvalidHeader,
    PRIORITY, PRIORITY_LEVEL, REQUEST_TIMEOUT_MS, RETRY_ATTEMPT, decode, decode_lenient, encode,
};
pub use layer::{Client, ClientLayer, Server, ServerLayer};
pub use timeout::{decode_timeout, encode_timeout};

/// Headers that could not be read and were left out, by `header`.
pub const INVALID: &str = "switchboard.resilience.propagate.invalid_headers";
/// The counters of this module, each with what it counts.
pub const METRICS: &[(&str, &str)] =
    &[(INVALID, "Headers that could not be read and were left out")];
