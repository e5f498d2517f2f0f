//! The settings that calls read, as words that can change while calls run.
//!
//! Whoever changes them moves the generation before and after ([`Core::set`](super::core::Core::set)). A call that sees a new setting under
//! an old generation judges a result that will not count; one that sees the new generation sees the new settings.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::policy::{OnCancel, Options, Window};
use super::probes::Rule;
use super::window::Figures;
use super::window::buckets::{BUCKETS, Place};
use crate::ticker::ticks;

/// Settings, ready for use.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    slow_ms: AtomicU64,
    /// Below this a success may take the shortest way: the slow time, or 0 while calls are
    /// recorded.
    quick_ms: AtomicU64,
    is_recording: AtomicBool,
    /// 2^64 over the length of a bucket: a multiplication instead of a division.
    bucket_inverse: AtomicU64,
    length: AtomicU64,
    min_calls: AtomicU64,
    failure_rate: AtomicU64,
    slow_rate: AtomicU64,
    failures_min: AtomicU64,
    slow_min: AtomicU64,
    cancel_ms: AtomicU64,
    open_ms: AtomicU64,
    cap_ms: AtomicU64,
    permits: AtomicU64,
    probe_failures: AtomicU64,
    probe_slow: AtomicU64,
}

// === impl Dials ===

impl Dials {
    pub(crate) fn new(options: &Options) -> Self {
        let dials = Self::default();
        dials.set(options);
        dials
    }

    pub(crate) fn set(&self, options: &Options) {
        let put = |dial: &AtomicU64, value: u64| dial.store(value, Ordering::Relaxed);
        let (length, inverse) = match options.window {
            Window::Time(time) => (1, inverse_of(ticks(time).div_ceil(BUCKETS as u64))),
            Window::Count(calls) | Window::Consecutive(calls) => (u64::from(calls), 0),
        };
        let min_calls = match options.window {
            Window::Count(calls) => options.min_calls.min(calls),
            _ => options.min_calls,
        };
        // A share above 1 is never reached.
        let slow_rate = if options.slow.is_some() { options.slow_rate } else { 2.0 };
        let least = |rate: f64| ((rate * f64::from(min_calls)) as u64).max(1);
        put(&self.slow_ms, options.slow.map_or(u64::MAX, ticks));
        self.record(self.is_recording());
        put(&self.bucket_inverse, inverse);
        put(&self.length, length);
        put(&self.min_calls, u64::from(min_calls));
        put(&self.failure_rate, options.failure_rate.to_bits());
        put(&self.slow_rate, slow_rate.to_bits());
        put(&self.failures_min, least(options.failure_rate));
        put(&self.slow_min, least(slow_rate));
        put(
            &self.cancel_ms,
            match options.on_cancel {
                OnCancel::Ignore => u64::MAX,
                OnCancel::FailureIfElapsed(time) => ticks(time),
                OnCancel::Failure => 0,
            },
        );
        put(&self.open_ms, ticks(options.open));
        put(&self.cap_ms, ticks(options.cap));
        let rule = options.rule();
        put(&self.permits, rule.permits);
        put(&self.probe_failures, rule.failures);
        put(&self.probe_slow, rule.slow);
    }

    /// Whether a call that took so long was slow.
    #[inline]
    pub(crate) fn is_slow(&self, elapsed_ms: u64) -> bool {
        elapsed_ms >= self.slow_ms.load(Ordering::Relaxed)
    }

    /// Whether a success after so long may take the shortest way.
    #[inline]
    pub(crate) fn is_quick(&self, elapsed_ms: u64) -> bool {
        elapsed_ms < self.quick_ms.load(Ordering::Relaxed)
    }

    /// Sends all results by the way on which they are recorded, or no longer.
    pub(crate) fn record(&self, is_recording: bool) {
        self.is_recording.store(is_recording, Ordering::Relaxed);
        let quick_ms = if is_recording { 0 } else { self.slow_ms.load(Ordering::Relaxed) };
        self.quick_ms.store(quick_ms, Ordering::Relaxed);
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.is_recording.load(Ordering::Relaxed)
    }

    /// Whether a call that was given up after so long counts as a failure.
    pub(crate) fn is_hung(&self, elapsed_ms: u64) -> bool {
        elapsed_ms >= self.cancel_ms.load(Ordering::Relaxed)
    }

    /// The bucket of this moment.
    #[inline]
    pub(crate) fn place(&self, generation: u64, now: u64) -> Place {
        let inverse = self.bucket_inverse.load(Ordering::Relaxed);
        Place::new(generation, ((u128::from(now) * u128::from(inverse)) >> 64) as u64)
    }

    /// The length of a count window, or the failures in a row.
    #[inline]
    pub(crate) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    pub(crate) fn min_calls(&self) -> u64 {
        self.min_calls.load(Ordering::Relaxed)
    }

    /// The first open time, in milliseconds.
    pub(crate) fn open_ms(&self) -> u64 {
        self.open_ms.load(Ordering::Relaxed)
    }

    /// The longest open time, in milliseconds.
    pub(crate) fn cap_ms(&self) -> u64 {
        self.cap_ms.load(Ordering::Relaxed)
    }

    /// How probes are judged.
    pub(crate) fn rule(&self) -> Rule {
        Rule {
            permits: self.permits.load(Ordering::Relaxed),
            failures: self.probe_failures.load(Ordering::Relaxed),
            slow: self.probe_slow.load(Ordering::Relaxed),
        }
    }

    /// Whether so many failures or slow calls could open the breaker, whatever else was counted.
    pub(crate) fn can_be_bad(&self, failures: u64, slow: u64) -> bool {
        failures >= self.failures_min.load(Ordering::Relaxed)
            || slow >= self.slow_min.load(Ordering::Relaxed)
    }

    /// B6: a share that is reached opens the breaker.
    #[inline]
    pub(crate) fn is_bad(&self, figures: Figures) -> bool {
        if figures.calls < self.min_calls() || figures.failures + figures.slow == 0 {
            return false;
        }
        let rate = |dial: &AtomicU64| f64::from_bits(dial.load(Ordering::Relaxed));
        figures.failure_rate() >= rate(&self.failure_rate)
            || figures.slow_rate() >= rate(&self.slow_rate)
    }
}

// === impl Figures ===

impl Figures {
    pub(crate) fn failure_rate(self) -> f64 {
        share(self.failures, self.calls)
    }

    pub(crate) fn slow_rate(self) -> f64 {
        share(self.slow, self.calls)
    }
}

/// Never above 1, even when counts are read while they move.
fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part.min(of) as f64 / of as f64 }
}

/// Exact for all moments below 2^44 ms and lengths up to 2^20 ms.
fn inverse_of(length: u64) -> u64 {
    u64::MAX / length.max(2) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_divides_exactly() {
        for length in [10, 11, 999, 1_000, 1_001, 60_000] {
            let inverse = u128::from(inverse_of(length));
            for now in [0, 1, length - 1, length, 7 * length - 1, 7 * length, (1 << 44) - 1] {
                assert_eq!(
                    ((u128::from(now) * inverse) >> 64) as u64,
                    now / length,
                    "{now}/{length}"
                );
            }
        }
    }

    #[test]
    fn b6_a_count_window_that_is_shorter_than_the_least_number_needs_only_to_be_full() {
        let options = Options::recommended().with_window(Window::Count(10)).unwrap();
        let dials = Dials::new(&options.with_min_calls(100).unwrap());
        assert_eq!(dials.min_calls(), 10);
        let figures = Figures { calls: 10, failures: 5, slow: 0 };
        assert!(dials.is_bad(figures), "reached is enough");
        assert!(!dials.is_bad(Figures { failures: 4, ..figures }));
        assert!(!dials.is_bad(Figures { calls: 9, failures: 9, slow: 0 }));
    }
}
