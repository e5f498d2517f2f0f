//! Batches, acks, and what an operator can stop.

use std::time::Duration;

use switchboard_core::Position;
use switchboard_message::{Broker, ConsumeError, Durability, PublishError, Subscription};
use switchboard_testkit::message::{Subject, body, envelope, envelopes};

use crate::open;

#[tokio::test]
async fn an_ack_means_synced() {
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::new(open(dir.path()));
    subject.declare("t", 1).await;
    let acks = subject.publish(envelopes("t", "k", 0..2)).await;
    assert!(acks.iter().all(|ack| ack.durability == Durability::Synced && ack.epoch > 0));
}

#[tokio::test]
async fn a_large_batch_is_published_in_parts_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::new(open(dir.path()));
    subject.declare("t", 2).await;
    let acks = subject.publish(envelopes("t", "k", 0..3_000)).await;
    let positions: Vec<u64> = acks.iter().map(|ack| ack.position.0).collect();
    assert_eq!(positions, (1..=3_000).collect::<Vec<_>>());
    let mut reader = subject.reader("g", "t").await;
    assert_eq!(reader.work_off(3_000).await, (0..3_000).collect::<Vec<_>>());
    let large = |n| envelope("t", Some("k"), n).with_payload(vec![b'7'; 900 << 10]);
    let acks = subject.publish((0..5).map(large).collect()).await;
    assert_eq!(acks[4].position, Position(3_005));
}

#[tokio::test]
async fn a_publisher_that_goes_away_still_wakes_the_consumer() {
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::new(open(dir.path()));
    subject.declare("t", 1).await;
    let mut reader = subject.reader("g", "t").await;
    reader.assignment().await;
    for number in 0..20 {
        let publish = subject.broker().publish(envelopes("t", "k", number..number + 1));
        // One poll stages the record; as a rule the future is gone before the sync.
        let _too_early = tokio::time::timeout(Duration::ZERO, publish).await;
        assert_eq!(reader.work_off(1).await, [number]);
    }
}

#[tokio::test]
async fn a_stopped_broker_answers_unavailable_and_lets_consumers_wait() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    let subject = Subject::new(broker.clone());
    subject.declare("t", 1).await;
    let mut reader = subject.reader("g", "t").await;
    reader.assignment().await;
    broker.pause();
    let answers = broker.publish(envelopes("t", "k", 0..1)).await;
    assert!(matches!(&answers[..], [Err(PublishError::Unavailable(_))]));
    assert!(broker.is_paused());
    reader.stays_silent().await;
    broker.resume();
    subject.publish(envelopes("t", "k", 1..2)).await;
    assert_eq!(reader.work_off(1).await, [1]);
}

#[tokio::test]
async fn a_closed_broker_ends_consumers_and_publishers() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    let subject = Subject::new(broker.clone());
    subject.declare("t", 1).await;
    let mut consumer = broker.subscribe(Subscription::new("g", ["t".into()])).await.unwrap();
    broker.close().await;
    broker.close().await;
    assert!(matches!(consumer.next().await, Err(ConsumeError::Closed)));
    let answers = broker.publish(envelopes("t", "k", 0..1)).await;
    assert!(matches!(&answers[..], [Err(PublishError::Unavailable(_))]));
}

#[tokio::test]
async fn what_cannot_be_decoded_is_delivered_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    let subject = Subject::new(broker.clone());
    subject.declare("t", 1).await;
    broker.publish_raw("t", Some("k".into()), &b"\xffnonsense"[..]).await.unwrap();
    subject.publish(envelopes("t", "k", 1..2)).await;
    let in_hand = subject.reader("g", "t").await.take(2).await;
    let undecodable = in_hand[0].message.as_ref().unwrap_err();
    assert_eq!(undecodable.key, Some("k".into()));
    assert_eq!(&undecodable.bytes[..], b"\xffnonsense");
    assert_eq!(body(&in_hand[1]), 1);
}
