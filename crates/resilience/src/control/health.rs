//! How well callers are served by what a policy guards: a degraded part is named together with what stands in for it.
//!
//! An open breaker protects a process; it is no reason to call the process unready, and never a reason to restart it. Readiness is for
//! whoever knows which dependencies are hard ones (D11).

use serde::Serialize;

use crate::PolicyName;

/// How well callers are served through one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The policy.
    pub policy: PolicyName,
    /// How well.
    pub status: Status,
    /// The policy's state in one word.
    pub state: &'static str,
    /// What callers get instead, where the policy was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// One sentence for a person.
    pub detail: String,
}

/// How well callers are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As usual.
    Ok,
    /// Without this dependency, or with what stands in for it. The process works.
    Degraded,
}

// === impl Health ===

impl Health {
    /// All is well.
    pub fn ok(policy: PolicyName) -> Self {
        let detail = "as usual".to_owned();
        Self { policy, status: Status::Ok, state: "ok", fallback: None, detail }
    }
}
