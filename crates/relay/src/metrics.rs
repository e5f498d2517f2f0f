//! The numbers that a relay shows, by name.

use metrics::{Counter, Gauge, Unit};

/// Messages that the broker has taken.
pub const PUBLISHED: &str = "switchboard.relay.published.messages";
/// Messages that the broker did not take and that are published again.
pub const RETRIED: &str = "switchboard.relay.retried.messages";
/// Messages that can never be published: their keys are parked.
pub const PARKED: &str = "switchboard.relay.parked.messages";
/// Messages that joined a parked key.
pub const JOINED: &str = "switchboard.relay.joined.messages";
/// Slots that wait because a message of theirs failed.
pub const BLOCKED: &str = "switchboard.relay.blocked.slots";
/// Positions of the store's log that the relay has not read yet.
pub const LAG: &str = "switchboard.relay.lag.positions";
/// Messages deleted because they are done with.
pub const SWEPT: &str = "switchboard.relay.swept.messages";
/// Timers that fired.
pub const FIRED: &str = "switchboard.relay.fired.timers";

/// Describes every number to whatever recorder is installed.
pub fn describe() {
    let counters = [
        (PUBLISHED, "Messages that the broker has taken"),
        (RETRIED, "Messages that the broker did not take and that are published again"),
        (PARKED, "Messages that can never be published"),
        (JOINED, "Messages that joined a parked key"),
        (SWEPT, "Messages deleted because they are done with"),
        (FIRED, "Timers that fired"),
    ];
    for (name, text) in counters {
        metrics::describe_counter!(name, Unit::Count, text);
    }
    metrics::describe_gauge!(BLOCKED, Unit::Count, "Slots that wait behind a failed message");
    metrics::describe_gauge!(LAG, Unit::Count, "Positions that the relay has not read yet");
}

/// One relay's numbers, looked up once.
pub(crate) struct Numbers {
    pub(crate) published: Counter,
    pub(crate) retried: Counter,
    pub(crate) parked: Counter,
    pub(crate) joined: Counter,
    pub(crate) blocked: Gauge,
    pub(crate) lag: Gauge,
    pub(crate) swept: Counter,
    pub(crate) fired: Counter,
}

// === impl Numbers ===

impl Numbers {
    pub(crate) fn of(source: &str) -> Self {
        let counter = |name: &'static str| metrics::counter!(name, "source" => source.to_owned());
        let gauge = |name: &'static str| metrics::gauge!(name, "source" => source.to_owned());
        Self {
            published: counter(PUBLISHED),
            retried: counter(RETRIED),
            parked: counter(PARKED),
            joined: counter(JOINED),
            blocked: gauge(BLOCKED),
            lag: gauge(LAG),
            swept: counter(SWEPT),
            fired: counter(FIRED),
        }
    }
}
