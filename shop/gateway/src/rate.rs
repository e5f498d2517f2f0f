//! How often one caller may call: a bucket of tokens for each, refilled all the time, and the headers that tell how full it is.
//!
//! A caller is whoever a token names, or else the address that a connection comes from. Buckets that are full again are nobody's: they
//! are forgotten first when there are too many, so that the memory is bounded and nothing is lost by it.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Callers that are watched at once. One entry takes some hundred bytes.
const WATCHED: usize = 16_384;
/// The name of the policy in headers.
const NAME: &str = "caller";

/// So many requests in so much time: in a burst at most, and on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests.
    pub requests: u32,
    /// In so many seconds.
    pub seconds: u32,
}

/// Which quotas hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// For callers of this machine so much that no program of it is ever slowed down
    /// ([`Quota::LOCAL`]); for everybody else [`Quota::PUBLIC`].
    Usual,
    /// The same for all.
    All(Quota),
    /// None.
    Off,
}

/// Decides for the callers of one door.
#[derive(Debug)]
pub struct RateLimit {
    quota: Quota,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// What a caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Requests in a burst, at most.
    pub limit: u32,
    /// Requests that would be allowed at once now.
    pub remaining: u32,
    /// When the caller can have the whole limit again.
    pub reset: Duration,
    /// When one more request will be allowed; zero while one is allowed now.
    pub retry_after: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

// === impl Quota ===

impl Quota {
    /// For callers of this machine: 20 000 requests a second on average.
    pub const LOCAL: Self = Self { requests: 1_200_000, seconds: 60 };
    /// For everybody else: 100 requests a second on average, 6 000 in a burst.
    pub const PUBLIC: Self = Self { requests: 6_000, seconds: 60 };

    fn per_second(self) -> f64 {
        f64::from(self.requests) / f64::from(self.seconds)
    }

    /// As `RateLimit-Policy` says it.
    fn policy(self) -> String {
        format!("\"{NAME}\";q={};w={}", self.requests, self.seconds)
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.seconds)
    }
}

// === impl Limits ===

/// `usual`, `off`, or requests and seconds: `600/60`.
impl FromStr for Limits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let quota = || {
            let (requests, seconds) = text.split_once('/')?;
            let quota = Quota { requests: requests.parse().ok()?, seconds: seconds.parse().ok()? };
            (quota.requests > 0 && quota.seconds > 0).then_some(Self::All(quota))
        };
        match text {
            "usual" => Ok(Self::Usual),
            "off" => Ok(Self::Off),
            _ => quota().ok_or_else(|| format!("`{text}` is not usual, off or REQUESTS/SECONDS")),
        }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => f.write_str("usual"),
            Self::All(quota) => quota.fmt(f),
            Self::Off => f.write_str("off"),
        }
    }
}

// === impl RateLimit ===

impl RateLimit {
    /// Everybody has their whole quota.
    pub fn new(quota: Quota) -> Self {
        Self { quota, buckets: Mutex::default() }
    }

    /// Counts one request of this caller, if it is allowed.
    pub fn check(&self, key: &str) -> Decision {
        let now = Instant::now();
        let (full, rate) = (f64::from(self.quota.requests), self.quota.per_second());
        let mut buckets = self.buckets.lock();
        if buckets.len() >= WATCHED && !buckets.contains_key(key) {
            self.make_room(&mut buckets, now);
        }
        let bucket = match buckets.get_mut(key) {
            Some(bucket) => bucket,
            None => buckets.entry(key.to_owned()).or_insert(Bucket { tokens: full, filled: now }),
        };
        bucket.tokens = bucket.after(now, rate, full);
        bucket.filled = now;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        let missing = (1.0 - bucket.tokens).max(0.0);
        // Tokens lie between none and the quota, which is a u32.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within u32")]
        let remaining = bucket.tokens as u32;
        Decision {
            allowed,
            limit: self.quota.requests,
            remaining,
            reset: Duration::from_secs_f64((full - bucket.tokens) / rate),
            retry_after: if allowed {
                Duration::ZERO
            } else {
                Duration::from_secs_f64(missing / rate)
            },
        }
    }

    /// Forgets the callers whose buckets are full again; if there are none, the one that has called
    /// least of late.
    fn make_room(&self, buckets: &mut HashMap<String, Bucket>, now: Instant) {
        let (full, rate) = (f64::from(self.quota.requests), self.quota.per_second());
        buckets.retain(|_, bucket| bucket.after(now, rate, full) < full);
        if buckets.len() < WATCHED {
            return;
        }
        let least = |bucket: &Bucket| bucket.after(now, rate, full);
        let fullest = buckets.iter().max_by(|(_, a), (_, b)| least(a).total_cmp(&least(b)));
        if let Some(key) = fullest.map(|(key, _)| key.clone()) {
            buckets.remove(&key);
        }
    }
}

// === impl Bucket ===

impl Bucket {
    /// The tokens in it by now.
    fn after(&self, now: Instant, rate: f64, full: f64) -> f64 {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        (self.tokens + passed * rate).min(full)
    }
}

// === impl Decision ===

impl Decision {
    /// Tells the caller: `RateLimit` and `RateLimit-Policy` as the IETF's draft 11 has them.
    pub fn tell(&self, quota: Quota, headers: &mut HeaderMap) {
        let state = format!("\"{NAME}\";r={};t={}", self.remaining, seconds(self.reset));
        for (name, value) in [("ratelimit", state), ("ratelimit-policy", quota.policy())] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                // A service may have limits of its own: both headers are lists.
                headers.append(HeaderName::from_static(name), value);
            }
        }
    }

    /// Whole seconds to wait, so that whoever waits for them has waited long enough.
    pub fn wait(&self) -> u64 {
        seconds(self.retry_after).max(1)
    }
}

fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(requests: u32, seconds: u32) -> RateLimit {
        RateLimit::new(Quota { requests, seconds })
    }

    #[tokio::test(start_paused = true)]
    async fn e10_a_caller_has_a_burst_then_the_rate_and_nobody_else_is_concerned() {
        let limit = limit(10, 5);
        for left in (0..10).rev() {
            let decision = limit.check("ann");
            assert_eq!((decision.allowed, decision.limit, decision.remaining), (true, 10, left));
        }
        let refused = limit.check("ann");
        assert_eq!((refused.allowed, refused.remaining, refused.wait()), (false, 0, 1));
        assert_eq!(refused.retry_after, Duration::from_millis(500));
        assert_eq!(refused.reset, Duration::from_secs(5));
        assert!(limit.check("bob").allowed);
        tokio::time::advance(refused.retry_after).await;
        assert!(limit.check("ann").allowed, "exactly when it was told");
        assert!(!limit.check("ann").allowed);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(limit.check("ann").remaining, 9, "never more than the quota");
    }

    #[tokio::test(start_paused = true)]
    async fn e10_those_who_are_watched_are_bounded_and_who_calls_most_stays() {
        let limit = limit(10, 10);
        for _ in 0..10 {
            limit.check("busy");
        }
        for number in 0..WATCHED + 50 {
            assert!(limit.check(&number.to_string()).allowed);
        }
        assert!(limit.buckets.lock().len() <= WATCHED);
        assert!(!limit.check("busy").allowed, "is not forgotten for calling so much");
        tokio::time::advance(Duration::from_secs(60)).await;
        limit.check("one more");
        assert_eq!(limit.buckets.lock().len(), 1, "full buckets are nobody's");
    }

    #[test]
    fn e10_headers_follow_the_draft() {
        let quota = Quota { requests: 10, seconds: 60 };
        let reset = Duration::from_millis(5_500);
        let (allowed, retry_after) = (true, Duration::ZERO);
        let decision = Decision { allowed, limit: 10, remaining: 3, reset, retry_after };
        let mut headers = HeaderMap::new();
        decision.tell(quota, &mut headers);
        assert_eq!(headers["ratelimit"], "\"caller\";r=3;t=6");
        assert_eq!(headers["ratelimit-policy"], "\"caller\";q=10;w=60");
    }

    #[test]
    fn limits_can_be_typed() {
        for text in ["usual", "off", "600/60"] {
            assert_eq!(text.parse::<Limits>().unwrap().to_string(), text);
        }
        for text in ["", "600", "0/60", "600/0", "-1/2", "a/b"] {
            assert!(text.parse::<Limits>().is_err(), "{text}");
        }
    }
}
