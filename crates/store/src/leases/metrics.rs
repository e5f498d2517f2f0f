//! The numbers that leases show, by name; each with the labels `source` and `pool`.

use metrics::{Counter, Gauge, Unit};

/// Leases that this process holds.
pub const HELD: &str = "switchboard.leases.held.leases";
/// Leases taken from a holder that let them expire: a process has died, or was cut off.
pub const TAKEN_OVER: &str = "switchboard.leases.taken_over.leases";
/// Commits of this process that a newer holder's epoch refused: it had lost its lease without
/// noticing.
pub const REFUSED: &str = "switchboard.leases.refused.commits";

/// Describes every number to whatever recorder is installed.
pub fn describe() {
    metrics::describe_gauge!(HELD, Unit::Count, "Leases that this process holds");
    metrics::describe_counter!(TAKEN_OVER, Unit::Count, "Leases taken from a holder that is gone");
    metrics::describe_counter!(REFUSED, Unit::Count, "Commits refused because a lease was lost");
}

/// One keeper's numbers, looked up once.
pub(super) struct Numbers {
    pub(super) held: Gauge,
    pub(super) taken_over: Counter,
    pub(super) refused: Counter,
}

// === impl Numbers ===

impl Numbers {
    pub(super) fn of(source: &str, pool: &str) -> Self {
        let labels = [("source", source.to_owned()), ("pool", pool.to_owned())];
        Self {
            held: metrics::gauge!(HELD, &labels),
            taken_over: metrics::counter!(TAKEN_OVER, &labels),
            refused: metrics::counter!(REFUSED, &labels),
        }
    }
}
