//! The numbers that policies show, by name.
//!
//! Policies count for themselves and are read by [`Registry::publish`](crate::Registry::publish) when somebody looks: a recorder would
//! cost a call more than the policy does.

use metrics::Unit;

/// Calls through a breaker, by `policy` and `outcome`: success, failure, ignored, cancelled.
pub const BREAKER_CALLS: &str = "switchboard.resilience.breaker.calls";
/// Calls that took at least the slow time, by `policy`.
pub const BREAKER_SLOW: &str = "switchboard.resilience.breaker.slow.calls";
/// Results that came after the state had changed and so changed nothing, by `policy` and `outcome`.
pub const BREAKER_LATE: &str = "switchboard.resilience.breaker.late.results";
/// Calls that were not let through, by `policy` and `reason`.
pub const BREAKER_REJECTED: &str = "switchboard.resilience.breaker.rejected.calls";
/// Changes of state, by `policy`.
pub const BREAKER_CHANGES: &str = "switchboard.resilience.breaker.changes";
/// 1 for the present `state` of a `policy`, 0 for the others.
pub const BREAKER_STATE: &str = "switchboard.resilience.breaker.state";
/// The share of failures in the window, from 0 to 1, by `policy`.
pub const BREAKER_FAILURE_RATE: &str = "switchboard.resilience.breaker.failure.rate";
/// The share of slow calls in the window, from 0 to 1, by `policy`.
pub const BREAKER_SLOW_RATE: &str = "switchboard.resilience.breaker.slow.rate";
/// Calls in the window, by `policy`.
pub const BREAKER_BUFFERED: &str = "switchboard.resilience.breaker.buffered.calls";
/// Keys that a keyed set of breakers holds, by `policy`.
pub const BREAKER_KEYS: &str = "switchboard.resilience.breaker.keys";
/// Keys of a keyed set whose breaker is open or probing, by `policy`.
pub const BREAKER_KEYS_OPEN: &str = "switchboard.resilience.breaker.open.keys";
/// Calls that a full keyed set let through unguarded, by `policy`.
pub const BREAKER_UNGUARDED: &str = "switchboard.resilience.breaker.unguarded.calls";
/// Events that a full queue dropped, by `policy`.
pub const EVENTS_DROPPED: &str = "switchboard.resilience.events.dropped";

/// Describes every number to whatever recorder is installed.
pub fn describe() {
    let counters = [
        (BREAKER_CALLS, "Calls through a breaker, by how they counted"),
        (BREAKER_SLOW, "Calls that took at least the slow time"),
        (BREAKER_LATE, "Results that came after a change of state and changed nothing"),
        (BREAKER_REJECTED, "Calls that a breaker did not let through"),
        (BREAKER_CHANGES, "Changes of state"),
        (BREAKER_UNGUARDED, "Calls that a full set of breakers let through unguarded"),
        (EVENTS_DROPPED, "Events that found their queue full"),
    ];
    for (name, text) in counters {
        metrics::describe_counter!(name, Unit::Count, text);
    }
    let gauges = [
        (BREAKER_STATE, "1 for the present state, 0 for the others"),
        (BREAKER_FAILURE_RATE, "The share of failures in the window"),
        (BREAKER_SLOW_RATE, "The share of slow calls in the window"),
        (BREAKER_BUFFERED, "Calls in the window"),
        (BREAKER_KEYS, "Keys that a set of breakers holds"),
        (BREAKER_KEYS_OPEN, "Keys whose breaker is open or probing"),
    ];
    for (name, text) in gauges {
        metrics::describe_gauge!(name, Unit::Count, text);
    }
    let repetitions = [
        crate::retry::METRICS,
        crate::budget::METRICS,
        crate::hedge::METRICS,
        crate::fallback::METRICS,
        crate::propagate::METRICS,
    ];
    for (name, text) in repetitions.into_iter().flatten() {
        metrics::describe_counter!(*name, Unit::Count, *text);
    }
    crate::numbers::describe();
}
