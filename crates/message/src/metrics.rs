//! The names of what this crate counts.

/// Receipts that were settled after their assignment had ended, or twice. Label: `group`.
pub const STALE_RECEIPTS: &str = "switchboard.message.stale_receipts";
/// Deliveries given up with [`Outcome::Reject`](crate::Outcome::Reject). Label: `group`.
pub const REJECTED: &str = "switchboard.message.rejected";
/// Assignments and revocations of partitions. Label: `group`.
pub const REBALANCES: &str = "switchboard.message.rebalances";
/// Jobs that were settled twice, or after their worker had lost them. Label: `queue`.
pub const STALE_TAGS: &str = "switchboard.message.stale_tags";
/// Messages that left a queue without being done. Labels: `queue`, `reason`.
pub const DEAD_LETTERED: &str = "switchboard.message.dead_lettered";
/// Replies that nobody waited for: late ones, second ones, and what cannot be decoded.
pub const STRAY_REPLIES: &str = "switchboard.message.stray_replies";
/// Requests that were not answered because nobody waits any more.
pub const EXPIRED_REQUESTS: &str = "switchboard.message.expired_requests";

/// Tells the recorder what the numbers mean; call it once after a recorder is installed.
pub fn describe() {
    metrics::describe_counter!(STALE_RECEIPTS, "receipts settled too late or twice");
    metrics::describe_counter!(REJECTED, "deliveries given up by their consumer");
    metrics::describe_counter!(STALE_TAGS, "jobs settled too late or twice");
    metrics::describe_counter!(DEAD_LETTERED, "messages that left a queue without being done");
    metrics::describe_counter!(STRAY_REPLIES, "replies that nobody waited for");
    metrics::describe_counter!(EXPIRED_REQUESTS, "requests that came too late to be answered");
    metrics::describe_counter!(REBALANCES, "changes of a group's members or topics");
}
