//! The names of what this crate counts.

/// Connections that were made again after a loss. Label: `side` (`publish` or `consume`).
pub const RECONNECTS: &str = "switchboard.message_rabbit.reconnects";
/// Messages confirmed by the server.
pub const PUBLISHED: &str = "switchboard.message_rabbit.published";
/// Messages sent again because their confirm was lost with the connection.
pub const RESENT: &str = "switchboard.message_rabbit.resent";
/// Messages that the server returned because no queue took them.
pub const RETURNED: &str = "switchboard.message_rabbit.returned";
/// Messages that the server refused to take.
pub const NACKED: &str = "switchboard.message_rabbit.nacked";
/// Consumers that were registered anew after a loss. Label: `group`.
pub const REBUILT: &str = "switchboard.message_rabbit.consumers_rebuilt";
/// Consumers that got nothing while messages were ready. Label: `group`.
pub const PHANTOMS: &str = "switchboard.message_rabbit.phantom_consumers";
/// Partitions handed on to another process. Label: `group`.
pub const YIELDED: &str = "switchboard.message_rabbit.partitions_yielded";
/// 1 while the server takes no publications: memory or disk alarm.
pub const BLOCKED: &str = "switchboard.message_rabbit.blocked";

/// Tells the recorder what the numbers mean; call it once after a recorder is installed.
pub fn describe() {
    metrics::describe_counter!(RECONNECTS, "connections made again");
    metrics::describe_counter!(PUBLISHED, "messages confirmed by the server");
    metrics::describe_counter!(RESENT, "messages sent again after a lost confirm");
    metrics::describe_counter!(RETURNED, "messages that no queue took");
    metrics::describe_counter!(NACKED, "messages that the server refused");
    metrics::describe_counter!(REBUILT, "consumers registered anew");
    metrics::describe_counter!(PHANTOMS, "consumers that got nothing while messages were ready");
    metrics::describe_counter!(YIELDED, "partitions handed on to another process");
    metrics::describe_gauge!(BLOCKED, "1 while the server takes no publications");
}
