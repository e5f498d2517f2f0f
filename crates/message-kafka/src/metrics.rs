//! The names of what this crate counts.

/// Records acknowledged by Kafka. Label: `topic`.
pub const PUBLISHED: &str = "switchboard.message_kafka.published";
/// Acks that did not come in time; the records may be published later. Label: `topic`.
pub const UNANSWERED: &str = "switchboard.message_kafka.unanswered";
/// Producers that were replaced because they could not keep their order any more.
pub const REPLACED_PRODUCERS: &str = "switchboard.message_kafka.replaced_producers";
/// Records given up and kept as dead letters. Label: `topic`.
pub const DEAD_LETTERS: &str = "switchboard.message_kafka.dead_letters";
/// Records that a former member of the group had done already. Label: `group`.
pub const SKIPPED: &str = "switchboard.message_kafka.skipped";
/// Times that a member stopped fetching because what it has is not worked off. Label: `group`.
pub const PAUSES: &str = "switchboard.message_kafka.pauses";

/// Tells the recorder what the numbers mean; call it once after a recorder is installed.
pub fn describe() {
    metrics::describe_counter!(PUBLISHED, "records acknowledged by Kafka");
    metrics::describe_counter!(UNANSWERED, "records without an ack in time");
    metrics::describe_counter!(REPLACED_PRODUCERS, "producers replaced after a fatal error");
    metrics::describe_counter!(DEAD_LETTERS, "records given up and kept as dead letters");
    metrics::describe_counter!(SKIPPED, "records that a former member had done already");
    metrics::describe_counter!(PAUSES, "times that fetching was paused");
}
