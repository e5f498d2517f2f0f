//! Topics that others write and read too, with whatever client and habits they have.

use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::{Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use switchboard_core::{Key, Position, Slot};
use switchboard_testkit::message::{body, envelope, envelopes};

use crate::{options, raw, subject};

/// A record without any of our headers is a message, in any compression.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_other_clients_are_read() {
    let options = options();
    let place = format!("{}foreign", options.prefix);
    let subject = subject(&options).await;
    subject.declare("foreign", 8).await;
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let producer =
            raw::producer(&[("compression.type", compression), ("partitioner", "murmur2_random")]);
        let text = compression.repeat(100);
        let headers = OwnedHeaders::new()
            .insert(Header { key: "codec", value: Some(compression) })
            .insert(Header { key: "number", value: Some(&[0_u8, 0xff][..]) })
            .insert(Header { key: "nothing", value: None::<&str> });
        let record = BaseRecord::to(&place).key(compression).payload(&text).headers(headers);
        producer.send(record).unwrap();
        raw::flush(&producer);
    }
    let mut reader = subject.reader("g", "foreign").await;
    for delivery in reader.take(5).await {
        let message = delivery.message.as_ref().unwrap();
        let key = message.key.clone().unwrap();
        assert_eq!(message.payload, key.to_string().repeat(100));
        assert_eq!(&*message.headers["codec"], key.to_string());
        assert_eq!((&*message.headers["number"], &*message.headers["nothing"]), ("0x00ff", ""));
        assert_eq!((message.kind.as_str(), message.topic.as_str()), ("foreign", "foreign"));
        assert_eq!(message.identity, None);
        // Bug 20: whoever hashes as Kafka's Java client does agrees with us.
        assert_eq!(delivery.receipt.partition, Slot::of(&key).partition(8));
        // The id is the same whoever reads it.
        let partition = delivery.receipt.partition;
        let after = Position(delivery.receipt.position.0 - 1);
        let asked = subject.broker().inspect().unwrap();
        let read = asked.read("foreign", partition, after, 1).await.unwrap().remove(0);
        assert_eq!(read.message.unwrap().id, message.id);
        assert!(reader.done(&delivery));
    }
}

/// What claims to be ours and is damaged keeps its bytes and key, and does not stop the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_record_keeps_its_bytes_and_key() {
    let options = options();
    let place = format!("{}damaged", options.prefix);
    let subject = subject(&options).await;
    subject.declare("damaged", 1).await;
    let producer = raw::producer(&[]);
    let damaged = OwnedHeaders::new().insert(Header { key: "ce_sequence", value: Some("many") });
    let record = BaseRecord::to(&place).key("k").payload("bytes").headers(damaged);
    producer.send(record).unwrap();
    producer.send(BaseRecord::<(), str>::to(&place).payload("plain")).unwrap();
    raw::flush(&producer);
    let deliveries = subject.reader("g", "damaged").await.take(2).await;
    let undecodable = deliveries[0].message.as_ref().unwrap_err();
    assert_eq!(&undecodable.bytes[..], b"bytes");
    assert_eq!(undecodable.key, Some(Key::from("k")));
    let plain = deliveries[1].message.as_ref().unwrap();
    assert_eq!((&plain.payload[..], &plain.key), (&b"plain"[..], &None));
}

/// Positions have gaps where transactions end; what was taken back is never seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_leave_gaps_that_progress_follows() {
    let options = options();
    let place = format!("{}gaps", options.prefix);
    let subject = subject(&options).await;
    subject.declare("gaps", 1).await;
    let id = place.clone();
    let producing = tokio::task::spawn_blocking(move || {
        let producer = raw::producer(&[("transactional.id", &id)]);
        producer.init_transactions(raw::ASK).unwrap();
        for (commit, numbers) in [(true, 0..3), (false, 90..95), (true, 3..5)] {
            producer.begin_transaction().unwrap();
            for number in numbers {
                let text = number.to_string();
                producer.send(BaseRecord::<(), _>::to(&id).payload(&text)).unwrap();
            }
            if commit {
                producer.commit_transaction(raw::ASK).unwrap();
            } else {
                producer.flush(raw::ASK).unwrap();
                producer.abort_transaction(raw::ASK).unwrap();
            }
        }
    });
    producing.await.unwrap();
    let mut reader = subject.reader("g", "gaps").await;
    let in_hand = reader.take(5).await;
    assert_eq!(in_hand.iter().map(body).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let positions: Vec<u64> = in_hand.iter().map(|one| one.receipt.position.0).collect();
    assert_eq!(positions, [1, 2, 3, 11, 12]);
    for delivery in [&in_hand[0], &in_hand[2], &in_hand[3]] {
        assert!(reader.done(delivery));
    }
    drop(reader);
    let mut reader = subject.reader("g", "gaps").await;
    assert_eq!(reader.work_off(2).await, [1, 4]);
    drop(reader);
    subject.publish(envelopes("gaps", "k", 5..6)).await;
    assert_eq!(subject.reader("g", "gaps").await.work_off(1).await, [5]);
}

/// Our records are ordinary ones: value, key, and headers that begin with `ce_`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_records_are_read_by_other_clients() {
    let options = options();
    let place = format!("{}ours", options.prefix);
    let subject = subject(&options).await;
    subject.declare("ours", 1).await;
    let sent = envelope("ours", Some("k"), 7).with_header("content-type", "text/plain");
    subject.publish(vec![sent.clone()]).await;
    let consumer = raw::consumer("stranger");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&place, 0, Offset::Offset(0)).unwrap();
    consumer.assign(&list).unwrap();
    let message = tokio::task::block_in_place(|| {
        loop {
            if let Some(message) = consumer.poll(raw::ASK) {
                break message.unwrap().detach();
            }
        }
    });
    assert_eq!((message.key(), message.payload()), (Some(&b"k"[..]), Some(&b"7"[..])));
    let headers = message.headers().unwrap();
    let of = |name: &str| {
        let found = headers.iter().find(|header| header.key == name).unwrap();
        std::str::from_utf8(found.value.unwrap()).unwrap().to_owned()
    };
    assert_eq!(of("ce_specversion"), "1.0");
    assert_eq!(of("ce_id"), sent.id.to_string());
    assert_eq!(of("ce_source"), "suite");
    assert_eq!(of("ce_type"), "test.counted");
    assert_eq!(of("ce_time"), sent.time.to_string());
    assert_eq!(of("content-type"), "text/plain");
}
