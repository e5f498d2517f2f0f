//! What the log counts.

use std::time::Duration;

/// Records appended and synced.
pub const RECORDS: &str = "switchboard.log.records";
/// Bytes written, with frames.
pub const BYTES: &str = "switchboard.log.bytes";
/// Records that one sync carried.
pub const GROUP: &str = "switchboard.log.group.records";
/// Seconds that a sync took.
pub const SYNC: &str = "switchboard.log.sync.seconds";

/// Describes the metrics to whatever recorder is installed.
pub fn describe() {
    metrics::describe_counter!(RECORDS, "Records appended and synced");
    metrics::describe_counter!(BYTES, metrics::Unit::Bytes, "Bytes written, with frames");
    metrics::describe_histogram!(GROUP, "Records that one sync carried");
    metrics::describe_histogram!(SYNC, metrics::Unit::Seconds, "How long a sync took");
}

pub(crate) fn committed(records: usize, bytes: usize) {
    metrics::counter!(RECORDS).increment(records as u64);
    metrics::counter!(BYTES).increment(bytes as u64);
    metrics::histogram!(GROUP).record(records as f64);
}

pub(crate) fn synced(took: Duration) {
    metrics::histogram!(SYNC).record(took.as_secs_f64());
}
