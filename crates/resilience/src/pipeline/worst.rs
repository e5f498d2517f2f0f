//! What a pipeline can do at worst, from its description alone.
//!
//! From the inside out, each layer changes two numbers: how often the dependency is called for one call of the pipeline, and how long that
//! takes. Attempts multiply both, waits add to the time, limits cut it.

use std::fmt;
use std::time::Duration;

use super::Step;

/// The worst that one call of a pipeline can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worst {
    /// How often the dependency is called.
    pub calls: u64,
    /// How often in the long run, when every call fails and budgets pay for the rest; `None`
    /// without a budget.
    pub calls_by_budget: Option<f64>,
    /// How long it takes without jitter; `None` when nothing ends it.
    pub time: Option<Duration>,
    /// How long it takes at most with jitter.
    pub time_with_jitter: Option<Duration>,
}

/// A duration as people write it: `2 s`, `9.4 s`, `50 ms`.
pub(super) struct Short(pub(super) Duration);

// === impl Worst ===

impl Worst {
    /// Of these layers, outermost first, around a dependency that takes as long as it is let.
    pub fn of(steps: &[Step]) -> Self {
        let mut worst =
            Self { calls: 1, calls_by_budget: None, time: None, time_with_jitter: None };
        let mut on_average = 1.0;
        let mut budgets: Vec<&str> = Vec::new();
        for step in steps.iter().rev() {
            let facts = &step.facts;
            worst.calls = worst.calls.saturating_mul(facts.calls.into());
            on_average *= match &facts.budget {
                // What a budget pays for is shared by all layers that spend from it.
                Some(spending) if budgets.contains(&&*spending.budget) => 1.0,
                Some(spending) => {
                    budgets.push(&spending.budget);
                    (1.0 + spending.share).min(facts.calls.into())
                }
                None => facts.calls.into(),
            };
            worst.time = after(step, worst.time, facts.waits);
            worst.time_with_jitter = after(step, worst.time_with_jitter, facts.waits_with_jitter);
        }
        worst.calls_by_budget = (!budgets.is_empty()).then_some(on_average);
        worst
    }
}

/// The time of a layer around something that takes `inside`.
fn after(step: &Step, inside: Option<Duration>, waits: Duration) -> Option<Duration> {
    let facts = &step.facts;
    let rounds = if facts.in_turn { facts.calls } else { 1 };
    let whole = inside.map(|inside| {
        let all = inside.saturating_mul(rounds).saturating_add(waits);
        facts.last_start.map_or(all, |last| all.min(last.saturating_add(inside)))
    });
    match (whole, facts.limit) {
        (Some(whole), Some(limit)) => Some(whole.min(limit)),
        (whole, limit) => whole.or(limit),
    }
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.calls == 1 { "" } else { "s" };
        write!(f, "at most {} call{plural}", self.calls)?;
        if let Some(calls) = self.calls_by_budget {
            write!(f, " ({calls:.1} by budget)")?;
        }
        let (Some(time), Some(jittered)) = (self.time, self.time_with_jitter) else {
            return f.write_str(", without an end: add a timeout");
        };
        write!(f, ", {}", Short(time))?;
        if Short(jittered).to_string() != Short(time).to_string() {
            write!(f, ", {} with jitter", Short(jittered))?;
        }
        Ok(())
    }
}

// === impl Short ===

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (value, unit) = match seconds {
            s if s >= 1.0 => (s, "s"),
            s if s >= 0.001 => (s * 1e3, "ms"),
            s if s > 0.0 => (s * 1e6, "µs"),
            _ => (0.0, "s"),
        };
        let rounded = (value * 10.0).round() / 10.0;
        write!(f, "{rounded} {unit}")
    }
}
