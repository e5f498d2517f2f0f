//! Which state follows which: the breaker's table, pure.
//!
//! ```text
//!              trip                     wait over
//!   CLOSED ───────────▶ OPEN ─────────────────────▶ HALF-OPEN
//!      ▲                 ▲   probes failed / overdue    │
//!      │                 └──────────────────────────────┤
//!      └────────────────────── probes passed ───────────┘
//! ```
//!
//! Beside these three stand what an operator sets: *isolated*, *disabled* and *observing*. They are sticky: no result and no time ends
//! them, only *release* does (B10).

use std::fmt;

use serde::Serialize;

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Calls pass and are judged.
    Closed,
    /// Calls are rejected until the dependency had its rest.
    Open,
    /// A few calls pass, to see whether the dependency works again.
    HalfOpen,
    /// Calls are rejected until an operator releases the breaker.
    Isolated,
    /// Calls pass and nothing is counted, until an operator releases the breaker.
    Disabled,
    /// Calls pass and are judged, but the breaker only says when it would have opened.
    Observing,
}

/// What moves a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// The results in the window are bad enough.
    Trip,
    /// A call came after the open time.
    WaitOver,
    /// Enough probes succeeded.
    ProbesPassed,
    /// So many probes failed that the others cannot help any more.
    ProbesFailed,
    /// The probes did not decide in time.
    ProbesOverdue,
    /// An operator: reject everything.
    Isolate,
    /// An operator: let everything pass.
    Disable,
    /// An operator: judge, but let everything pass.
    Observe,
    /// An operator: begin anew.
    Release,
    /// An operator changed settings: the same state, but no earlier result counts.
    Reconfigure,
}

/// This cause cannot move this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause:?} cannot happen to a breaker that is {state}")]
pub(crate) struct Illegal {
    state: State,
    cause: Cause,
}

// === impl State ===

impl State {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Closed, Self::Open, Self::HalfOpen, Self::Isolated, Self::Disabled, Self::Observing];

    /// The state after this.
    pub(crate) const fn next(self, cause: Cause) -> Result<Self, Illegal> {
        Ok(match (self, cause) {
            (Self::Closed, Cause::Trip) => Self::Open,
            (Self::Open, Cause::WaitOver) => Self::HalfOpen,
            (Self::HalfOpen, Cause::ProbesPassed) => Self::Closed,
            (Self::HalfOpen, Cause::ProbesFailed | Cause::ProbesOverdue) => Self::Open,
            (_, Cause::Isolate) => Self::Isolated,
            (_, Cause::Disable) => Self::Disabled,
            (_, Cause::Observe) => Self::Observing,
            (_, Cause::Release) => Self::Closed,
            (state, Cause::Reconfigure) => state,
            (state, cause) => return Err(Illegal { state, cause }),
        })
    }

    /// The name in metrics, views and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Isolated => "isolated",
            Self::Disabled => "disabled",
            Self::Observing => "observing",
        }
    }

    /// Whether results in this state are judged by the window.
    pub(crate) const fn is_judged(self) -> bool {
        matches!(self, Self::Closed | Self::Observing)
    }

    /// Whether the breaker by itself keeps calls away.
    pub(crate) const fn is_tripped(self) -> bool {
        matches!(self, Self::Open | Self::HalfOpen)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSES: [Cause; 10] = [
        Cause::Trip,
        Cause::WaitOver,
        Cause::ProbesPassed,
        Cause::ProbesFailed,
        Cause::ProbesOverdue,
        Cause::Isolate,
        Cause::Disable,
        Cause::Observe,
        Cause::Release,
        Cause::Reconfigure,
    ];

    /// The whole table: a row per state, a column per cause in the order above, `-` is illegal.
    #[test]
    fn every_state_and_every_cause() {
        let table = State::ALL.map(|state| {
            let next = CAUSES.map(|cause| state.next(cause).map_or("-", State::as_str));
            format!("{state}: {}", next.join(" "))
        });
        let operator = "isolated disabled observing closed";
        assert_eq!(
            table,
            [
                format!("closed: open - - - - {operator} closed"),
                format!("open: - half_open - - - {operator} open"),
                format!("half_open: - - closed open open {operator} half_open"),
                format!("isolated: - - - - - {operator} isolated"),
                format!("disabled: - - - - - {operator} disabled"),
                format!("observing: - - - - - {operator} observing"),
            ]
        );
    }

    /// B10: neither results nor time end what an operator set.
    #[test]
    fn b10_only_an_operator_ends_what_an_operator_set() {
        for state in [State::Isolated, State::Disabled, State::Observing] {
            for cause in &CAUSES[..5] {
                assert_eq!(state.next(*cause), Err(Illegal { state, cause: *cause }));
            }
        }
    }
}
