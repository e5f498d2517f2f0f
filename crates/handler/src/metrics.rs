//! The numbers that a group shows, by name.

use metrics::{Counter, Gauge, Histogram, Unit};
use switchboard_core::Name;

/// Messages whose effect was committed.
pub const HANDLED: &str = "switchboard.handler.handled.messages";
/// Messages that were recognised as duplicates.
pub const DUPLICATES: &str = "switchboard.handler.duplicates.messages";
/// Messages of a type that nobody registered.
pub const FILTERED: &str = "switchboard.handler.filtered.messages";
/// Messages that were dropped because their deadline had passed.
pub const EXPIRED: &str = "switchboard.handler.expired.messages";
/// Tries that failed and are followed by another one.
pub const RETRIED: &str = "switchboard.handler.retried.tries";
/// Times that a message waited because what its handler asks does not work.
pub const PAUSED: &str = "switchboard.handler.paused.waits";
/// Commits that ran again because a condition did not hold.
pub const CONFLICTS: &str = "switchboard.handler.conflicts.commits";
/// Messages that joined a blocked key.
pub const JOINED: &str = "switchboard.handler.joined.messages";
/// Messages that were parked.
pub const PARKED: &str = "switchboard.handler.parked.messages";
/// Failures that only a person can resolve: alert on any.
pub const STUCK: &str = "switchboard.handler.stuck.failures";
/// Messages taken from the broker and not settled.
pub const IN_FLIGHT: &str = "switchboard.handler.in_flight.messages";
/// From the start of a handler to its commit.
pub const HANDLE: &str = "switchboard.handler.handle.seconds";

/// Describes every number to whatever recorder is installed.
pub fn describe() {
    let counters = [
        (HANDLED, "Messages whose effect was committed"),
        (DUPLICATES, "Messages recognised as duplicates"),
        (FILTERED, "Messages of a type that nobody registered"),
        (EXPIRED, "Messages dropped because their deadline had passed"),
        (RETRIED, "Failed tries that are followed by another one"),
        (PAUSED, "Times that a message waited for a breaker"),
        (CONFLICTS, "Commits that ran again because a condition did not hold"),
        (JOINED, "Messages that joined a blocked key"),
        (PARKED, "Messages that were parked"),
        (STUCK, "Failures that only a person can resolve"),
    ];
    for (name, text) in counters {
        metrics::describe_counter!(name, Unit::Count, text);
    }
    metrics::describe_gauge!(IN_FLIGHT, Unit::Count, "Messages taken and not settled");
    metrics::describe_histogram!(HANDLE, Unit::Seconds, "From a handler's start to its commit");
}

/// One group's numbers, looked up once.
pub(crate) struct Numbers {
    pub(crate) handled: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) filtered: Counter,
    pub(crate) expired: Counter,
    pub(crate) retried: Counter,
    pub(crate) paused: Counter,
    pub(crate) conflicts: Counter,
    pub(crate) joined: Counter,
    pub(crate) parked: Counter,
    pub(crate) stuck: Counter,
    pub(crate) in_flight: Gauge,
    pub(crate) handle: Histogram,
}

// === impl Numbers ===

impl Numbers {
    pub(crate) fn of(group: &Name) -> Self {
        let counter = |name: &'static str| metrics::counter!(name, "group" => group.to_string());
        Self {
            handled: counter(HANDLED),
            duplicates: counter(DUPLICATES),
            filtered: counter(FILTERED),
            expired: counter(EXPIRED),
            retried: counter(RETRIED),
            paused: counter(PAUSED),
            conflicts: counter(CONFLICTS),
            joined: counter(JOINED),
            parked: counter(PARKED),
            stuck: counter(STUCK),
            in_flight: metrics::gauge!(IN_FLIGHT, "group" => group.to_string()),
            handle: metrics::histogram!(HANDLE, "group" => group.to_string()),
        }
    }
}
