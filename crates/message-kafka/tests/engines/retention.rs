//! Records that are gone before a group has read them, and topics whose settings are others' affair.

use switchboard_core::Position;
use switchboard_message::{ConsumeError, Subscription};
use switchboard_testkit::message::envelopes;

use crate::{options, raw, subject};

fn lost(error: Option<ConsumeError>) -> (u64, u64) {
    match error {
        Some(ConsumeError::BelowRetention { position, oldest, .. }) => (position, oldest),
        other => panic!("{other:?}"),
    }
}

/// A group below the oldest record stops, however often it is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_below_the_oldest_record_is_not_reset() {
    let options = options();
    let place = format!("{}old", options.prefix);
    let subject = subject(&options).await;
    subject.declare("old", 1).await;
    subject.publish(envelopes("old", "k", 0..10)).await;
    let mut reader = subject.reader("g", "old").await;
    let in_hand = reader.take(10).await;
    assert!(reader.done(&in_hand[0]) && reader.done(&in_hand[1]));
    drop(reader);
    let asked = subject.broker().inspect().unwrap();
    asked.groups().await.unwrap();
    raw::delete_before(&place, 0, 6).await;
    let mut consumer =
        subject.broker().subscribe(Subscription::new("g", ["old".into()])).await.unwrap();
    for _ in 0..2 {
        assert_eq!(lost(consumer.next().await.err()), (2, 7));
    }
    drop(consumer);
    // A person decides to go on from what is there.
    assert!(asked.seek("g", "old", 0, Position(5)).await.is_err());
    asked.seek("g", "old", 0, Position(6)).await.unwrap();
    assert_eq!(subject.reader("g", "old").await.work_off(4).await, [6, 7, 8, 9]);
    let read = asked.read("old", 0, Position(0), 2).await.unwrap();
    assert_eq!(read.iter().map(|stored| stored.position.0).collect::<Vec<_>>(), [7, 8]);
}

/// A new group begins at the oldest record that is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_group_begins_at_the_oldest_record() {
    let options = options();
    let place = format!("{}new", options.prefix);
    let subject = subject(&options).await;
    subject.declare("new", 1).await;
    subject.publish(envelopes("new", "k", 0..5)).await;
    raw::delete_before(&place, 0, 3).await;
    let mut reader = subject.reader("g", "new").await;
    assert_eq!(reader.assignment().await[0].position, Position(3));
    assert_eq!(reader.work_off(2).await, [3, 4]);
}
