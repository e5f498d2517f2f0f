//! The client library by itself: a stranger who writes and reads the same topics, and what Kafka keeps of groups.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::engine;

pub(crate) const ASK: Duration = Duration::from_secs(15);

/// A producer that is told these settings and nothing else.
pub(crate) fn producer(settings: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", engine::address());
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

pub(crate) fn flush(producer: &BaseProducer) {
    producer.flush(ASK).unwrap();
}

pub(crate) fn consumer(group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", engine::address())
        .set("group.id", group)
        .create()
        .unwrap()
}

/// What a group has committed in a partition: its offset, and the note beside it.
pub(crate) fn committed(group: &str, topic: &str, partition: i32) -> Option<(i64, String)> {
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition(topic, partition);
    let found = consumer(group).committed_offsets(wanted, ASK).unwrap();
    let element = found.find_partition(topic, partition).unwrap();
    match element.offset() {
        Offset::Offset(offset) => Some((offset, element.metadata().to_owned())),
        _ => None,
    }
}

/// Drops the records before this offset.
pub(crate) async fn delete_before(topic: &str, partition: i32, offset: i64) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", engine::address()).create().unwrap();
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
    let deleted = admin.delete_records(&before, &AdminOptions::new()).await.unwrap();
    deleted.find_partition(topic, partition).unwrap().error().unwrap();
}
