//! What is left of a rate, for operators and for the headers of answers.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::{PolicyName, Rejected};

/// How much of a rate is left now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// How many calls may pass at once when nothing was used.
    pub limit: u64,
    /// How many may pass at once now.
    pub remaining: u64,
    /// How long until everything is there again, if nobody calls.
    pub reset_after: Duration,
    /// How long it takes to earn `limit` calls.
    pub window: Duration,
}

// === impl Figures ===

impl Figures {
    /// The rejection of a call by this rate, with how much of it was used.
    pub(super) const fn explain(&self, rejected: Rejected) -> Rejected {
        let used = self.limit.saturating_sub(self.remaining);
        rejected.with_measured("used_calls", used, self.limit)
    }

    /// Tells a client what is left: `RateLimit-Policy` and `RateLimit`, as the HTTP API working
    /// group of the IETF has drafted them, with times in whole seconds, rounded up.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard_resilience::rate_limit::{Rate, RateLimit};
    ///
    /// let limit = RateLimit::new("api", Rate::bursty(60, Duration::from_secs(60)).unwrap());
    /// let mut headers = http::HeaderMap::new();
    /// limit.try_acquire().unwrap().write_to(&mut headers, limit.name());
    /// assert_eq!(headers["ratelimit-policy"], "\"api\";q=60;w=60");
    /// assert_eq!(headers["ratelimit"], "\"api\";r=59;t=1");
    /// ```
    pub fn write_to(&self, headers: &mut HeaderMap, policy: PolicyName) {
        let (limit, remaining) = (self.limit, self.remaining);
        let (window, reset) = (whole_seconds(self.window), whole_seconds(self.reset_after));
        let name: String = policy
            .as_str()
            .chars()
            .filter(|c| c.is_ascii_graphic() && !"\"\\".contains(*c))
            .collect();
        let lines = [
            ("ratelimit-policy", format!("\"{name}\";q={limit};w={window}")),
            ("ratelimit", format!("\"{name}\";r={remaining};t={reset}")),
        ];
        for (header, line) in lines {
            // Graphic ASCII is always a header's value.
            if let Ok(value) = HeaderValue::try_from(line) {
                headers.insert(header, value);
            }
        }
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
