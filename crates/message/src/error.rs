//! What can go wrong between a service and its broker, and whether to try again.

use switchboard_core::{BoxError, Name, Retryable, Verdict};

use crate::Capability;

/// A record was not published, or its publication is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The record is larger than the broker takes. It never will be taken: make it smaller.
    #[error("the message of {bytes} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Size of the encoded envelope.
        bytes: usize,
        /// The broker's limit.
        limit: usize,
    },
    /// The topic was not declared. Declare it in the topology.
    #[error("the topic `{0}` is not declared")]
    UnknownTopic(Name),
    /// The exchange was not declared. Declare it in the layout.
    #[error("the exchange `{0}` is not declared")]
    UnknownExchange(Name),
    /// The broker refused the record for good.
    #[error("the broker refused the message")]
    Refused(#[source] BoxError),
    /// The broker cannot be reached or cannot write now. Publish again: consumers recognise
    /// duplicates.
    #[error("the broker is unavailable")]
    Unavailable(#[source] BoxError),
}

/// The consumer cannot go on; subscribe again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The broker was closed in an orderly way.
    #[error("the broker is closed")]
    Closed,
    /// The group's position lies below the oldest record that is kept: records are lost to it.
    /// A person decides whether to go on from there.
    #[error(
        "group `{group}` is at {position} of {topic}/{partition}, and the oldest record kept is {oldest}"
    )]
    BelowRetention {
        /// The group.
        group: Name,
        /// The topic.
        topic: Name,
        /// The partition.
        partition: u32,
        /// Where the group stands.
        position: u64,
        /// The oldest position there is.
        oldest: u64,
    },
    /// The connection or the disk failed. Subscribe again.
    #[error("the broker is unavailable")]
    Unavailable(#[source] BoxError),
}

/// The group could not be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The topic was not declared.
    #[error("the topic `{0}` is not declared")]
    UnknownTopic(Name),
    /// The queue was not declared.
    #[error("the queue `{0}` is not declared")]
    UnknownQueue(Name),
    /// A setting is out of its limits.
    #[error("{0}")]
    Invalid(String),
    /// The broker cannot be reached.
    #[error("the broker is unavailable")]
    Unavailable(#[source] BoxError),
}

/// The topology cannot be had as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// The backend cannot do this. The text names the backends that can.
    #[error("{backend} has no {capability}; it is available on {available_on}")]
    Missing {
        /// The backend that was asked.
        backend: &'static str,
        /// What it lacks.
        capability: Capability,
        /// The backends that have it.
        available_on: &'static str,
    },
    /// It exists with another setting, which is left as it is.
    #[error("topic `{topic}` exists with {existing} partitions and was declared with {declared}")]
    Mismatch {
        /// The topic.
        topic: Name,
        /// Partitions that it has.
        existing: u32,
        /// Partitions that were asked for.
        declared: u32,
    },
    /// An exchange or a queue exists with other settings, which are left as they are.
    #[error("the {what} `{name}` exists with other settings: {detail}")]
    Differs {
        /// `exchange` or `queue`.
        what: &'static str,
        /// Its name.
        name: Name,
        /// Which settings, as far as the broker says.
        detail: String,
    },
    /// The declaration itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The broker cannot be reached or cannot write.
    #[error("the broker is unavailable")]
    Unavailable(#[source] BoxError),
}

impl Retryable for PublishError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::TooLarge { .. }
            | Self::UnknownTopic(_)
            | Self::UnknownExchange(_)
            | Self::Refused(_) => Verdict::Terminal,
            Self::Unavailable(_) => Verdict::Retry,
        }
    }
}

impl Retryable for ConsumeError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Closed => Verdict::Terminal,
            Self::BelowRetention { .. } => Verdict::Stuck,
            Self::Unavailable(_) => Verdict::Retry,
        }
    }
}
