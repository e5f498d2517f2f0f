//! The names of what this crate counts.

/// Records published and synced. Label: `topic`.
pub const PUBLISHED: &str = "switchboard.message_log.published";
/// Bytes that retention gave back.
pub const RECLAIMED: &str = "switchboard.message_log.reclaimed_bytes";

/// Tells the recorder what the numbers mean; call it once after a recorder is installed.
pub fn describe() {
    metrics::describe_counter!(PUBLISHED, "records published and synced");
    metrics::describe_counter!(RECLAIMED, metrics::Unit::Bytes, "bytes that retention gave back");
}
