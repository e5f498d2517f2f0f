//! What is there again after the broker was closed, dropped or opened twice.

use switchboard_core::{Identity, Key, Position, Slot};
use switchboard_message::{Broker, Inspect, Subscription, Topic, Topology, TopologyError};
use switchboard_message_log::OpenError;
use switchboard_testkit::message::{Subject, envelope, envelopes};

use crate::{open, options};

#[tokio::test]
async fn records_topics_and_positions_survive() {
    let dir = tempfile::tempdir().unwrap();
    {
        let subject = Subject::new(open(dir.path()));
        subject.declare("t", 4).await;
        subject.publish(envelopes("t", "k", 0..5)).await;
        let mut reader = subject.reader("a/group", "t").await;
        let in_hand = reader.take(5).await;
        assert!(reader.done(&in_hand[0]) && reader.done(&in_hand[1]));
    }
    let broker = open(dir.path());
    let rows = broker.groups().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.lag).sum::<u64>(), 3, "known before a member comes");
    let subject = Subject::new(broker.clone());
    let acks = subject.publish(envelopes("t", "k", 5..6)).await;
    assert_eq!(acks[0].position, Position(6));
    let mut reader = subject.reader("a/group", "t").await;
    assert_eq!(reader.work_off(4).await, [2, 3, 4, 5]);
    let other = Topology::of([Topic::new("t").with_partitions(8)]);
    let declared = broker.declare(&other).await;
    assert!(matches!(declared, Err(TopologyError::Mismatch { existing: 4, declared: 8, .. })));
}

#[tokio::test]
async fn a_group_that_began_at_the_end_stays_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut wish = Subscription::new("g", ["t".into()]);
    wish.start = switchboard_message::Start::End;
    {
        let subject = Subject::new(open(dir.path()));
        subject.declare("t", 1).await;
        subject.publish(envelopes("t", "k", 0..3)).await;
        assert_eq!(subject.join(wish.clone()).await.assignment().await[0].position, Position(3));
        subject.publish(envelopes("t", "k", 3..4)).await;
    }
    let subject = Subject::new(open(dir.path()));
    assert_eq!(subject.join(wish).await.work_off(1).await, [3]);
}

#[tokio::test]
async fn the_highest_sequences_survive() {
    let dir = tempfile::tempdir().unwrap();
    let slot = Slot::of(&Key::from("k"));
    let numbered = |sequence| {
        let mut message = envelope("t", Some("k"), sequence);
        let source = "payments".into();
        message.identity = Some(Identity { source, incarnation: 3, sequence, slot });
        message
    };
    for round in 1..=3_u64 {
        let broker = open(dir.path());
        let subject = Subject::new(broker.clone());
        subject.declare("t", 4).await;
        subject.publish(vec![numbered(round)]).await;
        let rows = broker.published_by("payments").await.unwrap();
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!((row.incarnation, row.slot, row.sequence), (3, slot, round));
        if round == 1 {
            broker.close().await;
        }
    }
}

#[tokio::test]
async fn the_epoch_stays_while_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let epoch = first.log().epoch();
    drop(first);
    let second = open(dir.path());
    assert_eq!(second.log().epoch(), epoch);
    assert!(second.recovered().cut.is_none());
}

#[tokio::test]
async fn a_folder_has_one_broker() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let second = switchboard_message_log::LogBroker::open(options(dir.path()));
    assert!(matches!(second, Err(OpenError::Log(switchboard_log::OpenError::Locked { .. }))));
    drop(first);
    open(dir.path());
}
