//! What a commit remembers, and what happens to progress when a topic's life ends.

use std::time::Duration;

use switchboard_core::{Clock, Position, SystemClock};
use switchboard_message::{Broker, ConsumeError, PublishError};
use switchboard_testkit::message::{Subject, body, envelope, envelopes};

use crate::engine::Engine;
use crate::{connect, options, raw};

/// A process that dies leaves a note beside the offset: what was done beyond it is not redone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_noted_beside_a_commit_is_not_redone() {
    let options = options().with_commit_every(Duration::from_millis(20));
    let place = format!("{}noted", options.prefix);
    let group = format!("{}g", options.prefix);
    let _engine = Engine::shared().await;
    let first = Subject::new(connect(&options).await);
    first.declare("noted", 1).await;
    first.publish(envelopes("noted", "k", 0..10)).await;
    let mut reader = first.reader("g", "noted").await;
    let in_hand = reader.take(10).await;
    for index in [0, 2, 3, 4, 7] {
        assert!(reader.done(&in_hand[index]));
    }
    // The commits come by themselves; Kafka is asked until the last of them is there.
    let committed = loop {
        let committed = tokio::task::block_in_place(|| raw::committed(&group, &place, 0));
        match committed {
            Some((1, note)) if note.starts_with("sb1:") => break note,
            _ => tokio::task::yield_now().await,
        }
    };
    // Ten handed out, one passed, then from there: 3 to 5, and 8, are done.
    assert_eq!(committed, "sb1:CQICAwA");
    // Another process takes over; that the first one leaves now only hastens it.
    let second = Subject::new(connect(&options).await);
    let taking = async {
        let mut reader = second.reader("g", "noted").await;
        let again = reader.take(5).await;
        assert!(again.iter().all(|delivery| delivery.redelivered == 1));
        again.iter().map(body).collect::<Vec<_>>()
    };
    drop(reader);
    assert_eq!(taking.await, [1, 5, 6, 8, 9]);
}

/// The position after which the records since a moment lie.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_read_again_from_a_time() {
    let _engine = Engine::shared().await;
    let options = options();
    let broker = connect(&options).await;
    let subject = Subject::new(broker.clone());
    subject.declare("since", 1).await;
    subject.publish(envelopes("since", "k", 0..3)).await;
    let before = SystemClock.now().plus(Duration::from_millis(5));
    while SystemClock.now() <= before {
        tokio::task::yield_now().await;
    }
    subject.publish(envelopes("since", "k", 3..5)).await;
    assert_eq!(broker.positions_at("since", before).await.unwrap(), [Position(3)]);
    let later = SystemClock.now().plus(Duration::from_secs(3600));
    assert_eq!(broker.positions_at("since", later).await.unwrap(), [Position(5)]);
    let asked = broker.inspect().unwrap();
    let read = asked.read("since", 0, Position(3), 10).await.unwrap();
    assert_eq!(read.iter().map(|stored| stored.position.0).collect::<Vec<_>>(), [4, 5]);
    broker.close().await;
}

/// A topic that is created again begins at 1, and Kafka has forgotten its groups.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_created_again_begins_anew() {
    let _engine = Engine::shared().await;
    let broker = connect(&options()).await;
    let subject = Subject::new(broker.clone());
    subject.declare("lives", 1).await;
    subject.publish(envelopes("lives", "k", 0..5)).await;
    subject.reader("g", "lives").await.work_off(5).await;
    // Asking waits for the member that leaves.
    broker.inspect().unwrap().groups().await.unwrap();
    broker.delete_topic("lives").await.unwrap();
    subject.declare("lives", 1).await;
    let acks = subject.publish(vec![envelope("lives", Some("k"), 7)]).await;
    assert_eq!(acks[0].position, Position(1));
    assert_eq!(subject.reader("g", "lives").await.work_off(1).await, [7]);
    broker.close().await;
}

/// A broker that was closed says so to whoever still holds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_broker_says_so() {
    let _engine = Engine::shared().await;
    let broker = connect(&options()).await;
    let subject = Subject::new(broker.clone());
    subject.declare("closed", 1).await;
    subject.publish(envelopes("closed", "k", 0..2)).await;
    let mut reader = subject.reader("g", "closed").await;
    let in_hand = reader.take(2).await;
    assert!(reader.done(&in_hand[0]));
    broker.close().await;
    assert!(!reader.done(&in_hand[1]), "its progress is committed for good");
    let ended = reader.consumer().next().await;
    assert!(matches!(ended, Err(ConsumeError::Closed)));
    let answers = broker.publish(envelopes("closed", "k", 2..3)).await;
    assert!(matches!(&answers[..], [Err(PublishError::Unavailable(_))]));
}
