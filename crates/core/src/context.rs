//! What travels with every call and message: deadline, attempt, priority, causality.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Clock, Envelope, Id, Rng, Timestamp};

/// Carried in HTTP headers, gRPC metadata and message headers alike, and read by every layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Work that is still unfinished at this moment should be dropped.
    pub deadline: Option<Timestamp>,
    /// 0 on the first try.
    pub attempt: u32,
    /// Which work is shed first.
    pub priority: Priority,
    /// The caller's own name for the operation.
    pub idempotency_key: Option<Arc<str>>,
    /// The same for everything that follows from one action at the edge.
    pub correlation: Id,
    /// The message or request that led directly to this one.
    pub causation: Option<Id>,
    /// W3C trace context.
    pub traceparent: Option<Arc<str>>,
}

/// How much it matters, most first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// A person waits and money moves.
    Critical,
    /// Everything else that a person waits for.
    #[default]
    Standard,
    /// Nobody waits.
    Batch,
}

impl Context {
    /// The context of an action that begins here.
    pub fn begin(clock: &dyn Clock, rng: &mut Rng) -> Self {
        Self::of(Id::new(clock, rng))
    }

    /// The context of an action that is already known by this id.
    pub fn of(correlation: Id) -> Self {
        Self {
            deadline: None,
            attempt: 0,
            priority: Priority::Standard,
            idempotency_key: None,
            correlation,
            causation: None,
            traceparent: None,
        }
    }

    /// The context of what this message leads to: same correlation, caused by it, first attempt.
    pub fn caused_by(cause: &Envelope) -> Self {
        Self { attempt: 0, causation: Some(cause.id), ..cause.context.clone() }
    }
}
