//! Everything that knows rdkafka, so that the client can be exchanged without touching the rest.
//!
//! Its traps are dealt with here and nowhere else: callbacks run on the thread that polls; a
//! consumer that is dropped blocks until it has left its group; header names that are not UTF-8
//! panic; an admin client lets its log pile up.

mod config;
mod control;
mod member;
mod producer;
mod reader;
mod record;

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, config::RDKafkaLogLevel};

pub(crate) use config::OVERHEAD;
pub(crate) use control::{Control, Holder, NewTopic, Settings};
pub(crate) use member::{Committed, GroupConsumer, Polled, Rebalance};
pub(crate) use producer::{Outgoing, Producer, Refused};
pub(crate) use reader::{Reader, Span};
pub(crate) use record::{Arena, Headers, Raw};

/// A topic as Kafka names it, and a partition.
pub(crate) type TopicPartition = (String, u32);

/// Something that Kafka or its client did not do.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Fault {
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    #[source]
    source: KafkaError,
}

/// What a fault means for whoever meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may pass.
    Passing,
    /// The record is too large.
    TooLarge,
    /// There is no such topic or partition.
    Unknown,
    /// This record will never be taken.
    Refused,
    /// The client is broken for good; a new one may work.
    Fatal,
    /// The position that a consumer stands at is not kept.
    OutOfRange,
    /// It exists already.
    Exists,
    /// The group is being dealt anew, and takes no commit until that is done.
    Rebalancing,
    /// The partition's leader is changing, or the topic is so new that not every broker knows it.
    Moving,
}

/// How often a question is asked again whose partition is moving, and after how long.
const MOVING: (u32, Duration) = (40, Duration::from_millis(50));

/// Asks again while the partition is moving. Blocks.
fn settled<T>(mut ask: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    let mut tries = 1;
    loop {
        match ask() {
            Err(fault) if fault.kind == Kind::Moving && tries < MOVING.0 => {
                tries += 1;
                std::thread::park_timeout(MOVING.1);
            }
            answer => return answer,
        }
    }
}

/// Sends what librdkafka says to the traces.
#[derive(Debug, Default)]
pub(crate) struct Quiet;

// === impl Fault ===

impl Fault {
    fn of(what: &'static str) -> impl Fn(KafkaError) -> Self {
        move |source| Self { what, kind: kind(&source), source }
    }

    /// Something that this machine did not do.
    pub(crate) fn local(what: &'static str, error: &dyn std::error::Error) -> Self {
        Self { what, kind: Kind::Passing, source: KafkaError::ClientCreation(error.to_string()) }
    }
}

fn kind(error: &KafkaError) -> Kind {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Kind::Fatal,
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => Kind::TooLarge,
        Some(
            Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::InvalidTopic,
        ) => Kind::Unknown,
        // What an administrator can allow is not the message's fault: it waits for that.
        Some(
            Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::UnsupportedForMessageFormat
            | Code::PolicyViolation,
        ) => Kind::Refused,
        Some(Code::Fatal) => Kind::Fatal,
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => Kind::OutOfRange,
        Some(Code::TopicAlreadyExists) => Kind::Exists,
        Some(Code::RebalanceInProgress) => Kind::Rebalancing,
        Some(
            Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch,
        ) => Kind::Moving,
        _ => Kind::Passing,
    }
}

// === impl Quiet ===

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        trace(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the Kafka client met an error");
    }
}

fn trace(level: RDKafkaLogLevel, facility: &str, text: &str) {
    use RDKafkaLogLevel as Level;
    match level {
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(facility, text, "librdkafka");
        }
        // What the library tries again by itself is no news.
        Level::Warning if text.ends_with("retrying") => {
            tracing::debug!(facility, text, "librdkafka");
        }
        Level::Warning => tracing::warn!(facility, text, "librdkafka"),
        Level::Notice | Level::Info | Level::Debug => {
            tracing::debug!(facility, text, "librdkafka");
        }
    }
}
