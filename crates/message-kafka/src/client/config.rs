//! What librdkafka is told, and why: its defaults favour speed over order, and its own partitioner over everybody else's.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::options::{Compression, Mechanism, Options};

/// What batches and protocol add to a message, rounded up.
pub(crate) const OVERHEAD: usize = 64 << 10;
/// The most that a consumer fetches ahead of what is handed out, in KiB.
const PREFETCH_KIB: usize = 16 << 10;

/// What every client has in common.
fn common(options: &Options) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.bootstrap)
        .set("client.id", &options.client_id)
        // A connection that a firewall dropped would not be noticed for minutes.
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.max.ms", "1000")
        // A misspelt topic is an error, not a new topic.
        .set("allow.auto.create.topics", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
    security(&mut config, options);
    config
}

fn security(config: &mut ClientConfig, options: &Options) {
    let protocol = match (&options.tls, &options.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(tls) = &options.tls {
        if let Some(ca) = &tls.ca {
            config.set("ssl.ca.location", ca.to_string_lossy());
        }
        if let Some((certificate, key)) = &tls.identity {
            config.set("ssl.certificate.location", certificate.to_string_lossy());
            config.set("ssl.key.location", key.to_string_lossy());
        }
    }
    if let Some(sasl) = &options.sasl {
        let mechanism = match sasl.mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        config
            .set("sasl.mechanisms", mechanism)
            .set("sasl.username", &sasl.user)
            .set("sasl.password", &sasl.password);
    }
}

/// A producer that keeps the order of every partition and writes nothing twice.
pub(super) fn producer(options: &Options) -> ClientConfig {
    let mut config = common(options);
    let compression = match options.compression {
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
        Compression::None => "none",
    };
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "5")
        // We choose partitions ourselves, in the same way; this is for whoever does not.
        .set("partitioner", "murmur2_random")
        // A record that librdkafka gives up leaves a gap, and those behind it would overtake it
        // when it is published again. So it never gives up; it is we who stop waiting.
        .set("message.timeout.ms", "0")
        .set("compression.type", compression)
        .set("linger.ms", millis(options.linger))
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", (options.buffer_bytes / 1024).max(1).to_string())
        .set("message.max.bytes", (options.max_message_bytes + OVERHEAD).to_string());
    config
}

/// A member of a group that fetches ahead within bounds and commits only what we tell it to.
pub(super) fn member(options: &Options, group: &str) -> ClientConfig {
    let mut config = reading(options, group);
    config
        // The newer protocol loses a member that polls late, with this version of librdkafka.
        .set("group.protocol", "classic")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", millis(options.session))
        .set("heartbeat.interval.ms", millis(options.heartbeat));
    config
}

/// A reader that joins no group. Its name for one is needed all the same, and never used.
pub(super) fn reader(options: &Options) -> ClientConfig {
    let mut config = reading(options, &format!("{}switchboard-reader", options.prefix));
    config.set("enable.partition.eof", "true");
    config
}

/// Reads and writes the committed offsets of a group without being a member.
pub(super) fn observer(options: &Options, group: &str) -> ClientConfig {
    reading(options, group)
}

fn reading(options: &Options, group: &str) -> ClientConfig {
    let mut config = common(options);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        // A position that is gone is an error for a person, never a quiet reset.
        .set("auto.offset.reset", "error")
        .set("queued.max.messages.kbytes", PREFETCH_KIB.to_string())
        // How long fetching rests when enough was fetched: the default of a second starves a
        // consumer that works that off in less.
        .set("fetch.queue.backoff.ms", "5");
    config
}

/// Questions and orders for the cluster.
pub(super) fn control(options: &Options) -> ClientConfig {
    let mut config = common(options);
    // Nobody reads the log of this client, so that its lines would pile up in memory.
    config.set_log_level(RDKafkaLogLevel::Emerg);
    config
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
