//! The numbers that limits show, by name.
//!
//! What lets a call pass counts nothing here: how many calls there were is known by whoever traces them, and a counter that all threads
//! share costs more than the decision itself. Rejections, waits and the present limit are what an operator asks a limit about.

use metrics::{Counter, Histogram, Unit};

use crate::{PolicyName, Reason, Rejected};

/// Calls that a policy did not let through, by `kind`, `policy` and `reason`.
pub const REJECTED: &str = "switchboard.resilience.rejected.calls";
/// How long calls waited to be let through, by `kind` and `policy`; those that never waited are
/// not in it.
pub const WAIT: &str = "switchboard.resilience.wait.seconds";
/// Places that are taken now, by `kind` and `policy`.
pub const TAKEN: &str = "switchboard.resilience.taken.places";
/// Places that there are now, by `kind` and `policy`.
pub const LIMIT: &str = "switchboard.resilience.limit.places";
/// Calls that ended without an answer while they held a place, by `kind` and `policy`.
pub const CANCELLED: &str = "switchboard.resilience.cancelled.calls";

/// Describes every number to whatever recorder is installed.
pub fn describe() {
    metrics::describe_counter!(REJECTED, Unit::Count, "Calls that a policy did not let through");
    metrics::describe_histogram!(WAIT, Unit::Seconds, "How long calls waited to be let through");
    metrics::describe_gauge!(TAKEN, Unit::Count, "Places that are taken now");
    metrics::describe_gauge!(LIMIT, Unit::Count, "Places that there are now");
    metrics::describe_counter!(CANCELLED, Unit::Count, "Calls that ended without an answer");
}

/// One policy's numbers. Rejections are counted as they come, because they are rare and say why;
/// what a policy knows anyway is read from it when somebody looks.
pub(crate) struct Numbers {
    kind: &'static str,
    name: PolicyName,
    rejected: Vec<(Reason, Counter)>,
}

// === impl Numbers ===

impl Numbers {
    /// Those of a policy that rejects for these reasons.
    pub(crate) fn new(kind: &'static str, name: PolicyName, reasons: &[Reason]) -> Self {
        let policy = name.as_str();
        let rejected = reasons.iter().map(|reason| {
            let word = reason.as_str();
            (
                *reason,
                metrics::counter!(REJECTED, "kind" => kind, "policy" => policy, "reason" => word),
            )
        });
        Self { kind, name, rejected: rejected.collect() }
    }

    /// How long its calls wait, for a policy that lets them.
    pub(crate) fn waits(&self) -> Histogram {
        metrics::histogram!(WAIT, "kind" => self.kind, "policy" => self.name.as_str())
    }

    /// Its calls that ended without an answer, for a policy that counts them.
    pub(crate) fn cancelled(&self) -> Counter {
        metrics::counter!(CANCELLED, "kind" => self.kind, "policy" => self.name.as_str())
    }

    /// Hands over how many places are taken now, and how many there are.
    pub(crate) fn publish_places(&self, taken: usize, limit: usize) {
        let (kind, policy) = (self.kind, self.name.as_str());
        metrics::gauge!(TAKEN, "kind" => kind, "policy" => policy).set(taken as f64);
        metrics::gauge!(LIMIT, "kind" => kind, "policy" => policy).set(limit as f64);
    }

    /// Counts a rejection, and makes it.
    pub(crate) fn reject(&self, reason: Reason) -> Rejected {
        let counter = self.rejected.iter().find(|(known, _)| *known == reason);
        debug_assert!(counter.is_some(), "{reason:?} is not among the reasons of `{}`", self.name);
        if let Some((_, counter)) = counter {
            counter.increment(1);
        }
        Rejected::new(self.name, reason)
    }
}

impl std::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Numbers").field(&self.name).finish()
    }
}
