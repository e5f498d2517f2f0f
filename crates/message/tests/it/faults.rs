//! What the broker in memory can be made to do wrong, and that it does it.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, ManualClock, Rng};
use switchboard_message::{
    Broker, ConsumeError, MemoryBroker, Outcome, PublishError, Subscription,
};
use switchboard_testkit::message::{Subject, body, envelope, envelopes};

fn broker() -> (MemoryBroker, Subject) {
    let broker = MemoryBroker::new(Arc::new(ManualClock::default()));
    (broker.clone(), Subject::new(broker))
}

#[tokio::test(start_paused = true)]
async fn a_stopped_broker_answers_unavailable_and_lets_consumers_wait() {
    let (broker, subject) = broker();
    subject.declare("t", 2).await;
    subject.publish(envelopes("t", "k", 0..2)).await;
    let mut reader = subject.reader("g", "t").await;
    assert_eq!(reader.work_off(1).await[0], 0);
    broker.faults().pause();
    let answers = broker.publish(envelopes("t", "k", 9..10)).await;
    assert!(matches!(&answers[..], [Err(PublishError::Unavailable(_))]));
    let mut other = subject.reader("other", "t").await;
    other.stays_silent().await;
    reader.stays_silent().await;
    broker.faults().resume();
    subject.publish(envelopes("t", "k", 2..3)).await;
    assert_eq!(other.work_off(3).await, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_waits_wakes_when_the_broker_goes_on() {
    let (broker, subject) = broker();
    subject.declare("t", 1).await;
    let mut reader = subject.reader("g", "t").await;
    reader.assignment().await;
    broker.faults().pause();
    subject.broker().publish(envelopes("t", "k", 0..1)).await;
    let waiting = tokio::spawn(async move { reader.work_off(1).await });
    tokio::task::yield_now().await;
    broker.faults().resume();
    subject.publish(envelopes("t", "k", 1..2)).await;
    assert_eq!(waiting.await.unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_ack_leaves_the_record_and_a_refused_publish_does_not() {
    let (broker, subject) = broker();
    subject.declare("t", 1).await;
    broker.faults().lose_acks(1);
    let answers = broker.publish(envelopes("t", "k", 0..2)).await;
    assert!(answers[0].is_err() && answers[1].is_ok());
    broker.faults().refuse_publishes(1);
    let answers = broker.publish(envelopes("t", "k", 2..4)).await;
    assert!(answers[0].is_err() && answers[1].is_ok());
    assert_eq!(subject.reader("g", "t").await.work_off(3).await, [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_duplicated_publish_is_stored_twice() {
    let (broker, subject) = broker();
    subject.declare("t", 1).await;
    broker.faults().duplicate_publishes(1);
    subject.publish(envelopes("t", "k", 0..2)).await;
    assert_eq!(subject.reader("g", "t").await.work_off(3).await, [0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_duplicated_delivery_is_done_when_both_copies_are() {
    let (broker, subject) = broker();
    subject.declare("t", 1).await;
    subject.publish(envelopes("t", "k", 0..2)).await;
    broker.faults().duplicate_deliveries(1);
    let mut reader = subject.reader("g", "t").await;
    let in_hand = reader.take(3).await;
    let seen: Vec<_> = in_hand.iter().map(|d| (body(d), d.redelivered)).collect();
    assert_eq!(seen, [(0, 0), (0, 1), (1, 0)]);
    let progress = || async { broker.inspect().unwrap().groups().await.unwrap()[0].position.0 };
    assert!(reader.done(&in_hand[0]));
    assert_eq!(progress().await, 0);
    assert!(reader.done(&in_hand[1]));
    assert_eq!(progress().await, 1);
    assert!(!reader.done(&in_hand[1]));
}

#[tokio::test(start_paused = true)]
async fn shuffled_deliveries_keep_the_order_of_each_key() {
    let (broker, subject) = broker();
    subject.declare("t", 1).await;
    for number in 0..20 {
        for key in ["a", "b", "c"] {
            subject.publish(vec![envelope("t", Some(key), number)]).await;
        }
    }
    broker.faults().reorder(Some(Rng::from_seed(3)));
    let mut reader = subject.reader("g", "t").await;
    let in_hand = reader.take(60).await;
    let of = |key: &str| -> Vec<u64> {
        let has = |d: &&_| {
            matches!(d, switchboard_message::Delivery { message: Ok(m), .. }
            if m.key.as_ref().is_some_and(|k| k.as_bytes() == key.as_bytes()))
        };
        in_hand.iter().filter(has).map(body).collect()
    };
    for key in ["a", "b", "c"] {
        assert_eq!(of(key), (0..20).collect::<Vec<_>>());
    }
    let positions: Vec<u64> = in_hand.iter().map(|d| d.receipt.position.0).collect();
    assert!(!positions.is_sorted(), "nothing was shuffled");
    assert!(in_hand.iter().all(|delivery| reader.done(delivery)));
    assert_eq!(broker.inspect().unwrap().groups().await.unwrap()[0].position.0, 60);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_exactly_as_long_as_it_was_told() {
    let clock = Arc::new(ManualClock::default());
    let broker = MemoryBroker::new(clock.clone());
    let subject = Subject::new(broker);
    subject.declare("t", 1).await;
    subject.publish(envelopes("t", "k", 0..1)).await;
    let mut reader = subject.reader("g", "t").await;
    let delivery = reader.take(1).await.remove(0);
    let before = tokio::time::Instant::now();
    let due = clock.now().plus(Duration::from_secs(5));
    assert!(reader.consumer().settle(&delivery.receipt, Outcome::Retry(due)));
    assert_eq!(reader.work_off(1).await, [0]);
    let waited = before.elapsed();
    assert!((5_000..=5_001).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_is_delivered_with_its_key() {
    let (broker, subject) = broker();
    subject.declare("t", 1).await;
    broker.publish_raw("t", Some("k".into()), &b"\xffnonsense"[..]).unwrap();
    subject.publish(envelopes("t", "k", 1..2)).await;
    let mut reader = subject.reader("g", "t").await;
    let in_hand = reader.take(2).await;
    let undecodable = in_hand[0].message.as_ref().unwrap_err();
    assert_eq!(undecodable.key, Some("k".into()));
    assert_eq!(&undecodable.bytes[..], b"\xffnonsense");
    assert_eq!(body(&in_hand[1]), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_broker_ends_its_consumers() {
    let (broker, subject) = broker();
    subject.declare("t", 1).await;
    let mut waiting = broker.subscribe(Subscription::new("g", ["t".into()])).await.unwrap();
    waiting.next().await.unwrap();
    let ended = tokio::spawn(async move { waiting.next().await });
    tokio::task::yield_now().await;
    broker.close();
    assert!(matches!(ended.await.unwrap(), Err(ConsumeError::Closed)));
}
