//! How Rust services talk to each other: calls, messages and workflows that survive crashes.
//!
//! One dependency line brings the toolkit; a feature brings each backend. The example `two_services` shows two services with a handler
//! and a saga in some sixty lines.
//!
//! # The parts, in the order in which data flows
//!
//! - [`store`] one unit of work: dedupe, events, messages, rows and timers commit at once
//! - [`relay`] carries committed messages to the broker
//! - [`message`] the seam of brokers
//! - [`handler`] a delivery becomes a unit
//! - [`saga`] workflows that can be undone, or say honestly that they cannot
//! - [`projection`] records become rows
//! - [`resilience`] timeouts and retries around calls
//! - `embedded` (feature, on by default): the embedded broker and the SQLite store
//! - `kafka`, `rabbit`, `postgres` (features): the same seams on real engines
//! - `telemetry` (feature): traces and metrics
//!
//! The words that all parts share ([`Envelope`], [`Key`], [`Position`], [`Verdict`], [`Clock`], …) are at the root.

pub use switchboard_core::*;

pub use switchboard_handler as handler;
pub use switchboard_message as message;
pub use switchboard_projection as projection;
pub use switchboard_relay as relay;
pub use switchboard_resilience as resilience;
pub use switchboard_saga as saga;
pub use switchboard_store as store;
#[cfg(feature = "telemetry")]
pub use switchboard_telemetry as telemetry;

/// The backends that need nothing installed.
#[cfg(feature = "embedded")]
pub mod embedded {
    pub use switchboard_message_log::{self as broker, LogBroker};
    pub use switchboard_store_sqlite::{self as sqlite, SqliteStore};
}

/// Topics and groups on Apache Kafka.
#[cfg(feature = "kafka")]
pub mod kafka {
    pub use switchboard_message_kafka::*;
}

/// Topics, groups, queues and exchanges on RabbitMQ.
#[cfg(feature = "rabbit")]
pub mod rabbit {
    pub use switchboard_message_rabbit::*;
}

/// A service's store on PostgreSQL.
#[cfg(feature = "postgres")]
pub mod postgres {
    pub use switchboard_store_postgres::*;
}
