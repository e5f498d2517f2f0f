//! How long a caller waits: read from `grpc-timeout`, bounded by ours, and handed on with what is left of it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use switchboard_resilience::propagate::{decode_timeout, encode_timeout};
use tokio::time::Instant;

use crate::Problem;

/// The header.
pub const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// How long an answer in one message may take, also when the caller waits longer or says nothing.
pub const LONGEST_CALL: Duration = Duration::from_secs(30);
/// How long a stream may live; whoever wants more begins another.
pub const LONGEST_STREAM: Duration = Duration::from_secs(3_600);
/// What is taken off at every hop, so that the answer of the last one still reaches the first in
/// time.
pub const HOP: Duration = Duration::from_millis(5);

/// When a call has ended, answered or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

// === impl Deadline ===

impl Deadline {
    /// So far from now.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// As the headers say it, at most `longest` from now.
    ///
    /// # Errors
    /// 400 for a header that the protocol does not allow.
    pub fn of(headers: &HeaderMap, longest: Duration) -> Result<Self, Problem> {
        let asked = match headers.get(TIMEOUT) {
            None => longest,
            Some(value) => value.to_str().ok().and_then(decode_timeout).ok_or_else(|| {
                Problem::bad_request(
                    "`grpc-timeout` must be 1 to 8 digits and a unit of H, M, S, m, u, n.",
                )
            })?,
        };
        Ok(Self::after(asked.min(longest)))
    }

    /// The moment.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether nothing is left.
    pub fn is_over(self) -> bool {
        self.remaining().is_zero()
    }

    /// The header for whoever is asked next: what is left, less what the way there and back costs;
    /// `None` when that is nothing.
    pub fn onward(self) -> Option<HeaderValue> {
        let left = self.remaining().checked_sub(HOP).filter(|left| !left.is_zero())?;
        HeaderValue::from_str(&encode_timeout(left)).ok()
    }
}

/// A wait in whole seconds: whoever waits for them has waited long enough.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(timeout: &str) -> HeaderMap {
        HeaderMap::from_iter([(TIMEOUT, timeout.parse().unwrap())])
    }

    #[tokio::test(start_paused = true)]
    async fn p3_a_deadline_is_the_callers_and_never_later_than_ours() {
        let of = |timeout: &str| Deadline::of(&headers(timeout), LONGEST_CALL).unwrap().remaining();
        assert_eq!(of("250m"), Duration::from_millis(250));
        assert_eq!((of("2S"), of("1u")), (Duration::from_secs(2), Duration::from_micros(1)));
        assert_eq!((of("1H"), of("99999999M")), (LONGEST_CALL, LONGEST_CALL));
        let unsaid = Deadline::of(&HeaderMap::new(), LONGEST_CALL).unwrap();
        assert_eq!(unsaid.remaining(), LONGEST_CALL);
        assert!(Deadline::of(&headers("0m"), LONGEST_CALL).unwrap().is_over());
    }

    #[test]
    fn p3_what_the_protocol_does_not_allow_is_named() {
        for timeout in ["", "5", "m", "123456789S", "-5m", "+5m", "5 m", "1.5S", "5x", "5mm"] {
            assert!(decode_timeout(timeout).is_none(), "{timeout}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn p3_a_hop_hands_on_what_is_left_less_its_margin() {
        let deadline = Deadline::after(Duration::from_millis(100));
        tokio::time::advance(Duration::from_millis(40)).await;
        assert_eq!(deadline.onward().unwrap(), "55000000n");
        tokio::time::advance(Duration::from_millis(56)).await;
        assert_eq!((deadline.onward(), deadline.is_over()), (None, false));
    }

    proptest! {
        #[test]
        fn p3_what_is_written_is_read_again_and_never_as_more(nanos in 1_u64..u64::MAX / 4) {
            let duration = Duration::from_nanos(nanos);
            let again = decode_timeout(&encode_timeout(duration)).unwrap();
            prop_assert!(again <= duration);
            prop_assert!(duration - again <= duration / 1_000_000);
        }
    }
}
