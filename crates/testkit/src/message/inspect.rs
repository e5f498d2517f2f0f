//! Promises about what operators ask, for backends that can answer.

use switchboard_core::{Identity, Key, Position, Slot};
use switchboard_message::{Capability, Incoming, Inspect};

use super::{Subject, envelope, envelopes};

fn asked(subject: &Subject) -> &dyn Inspect {
    subject.broker().inspect().expect("a broker that can be asked")
}

/// Every topic with what its partitions keep.
pub async fn topics_show_their_bounds(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("shown", 2).await;
    let acks = subject.publish(envelopes("shown", "k", 0..3)).await;
    let topics = asked(subject).topics().await.expect("topics");
    let topic = topics.iter().find(|topic| topic.name == "shown").expect("the topic");
    assert_eq!(topic.partitions.len(), 2);
    for (number, partition) in (0..).zip(&topic.partitions) {
        let last = if number == acks[0].partition { 3 } else { 0 };
        assert_eq!((partition.first, partition.last), (Position(1), Position(last)));
        assert_eq!(partition.bytes > 0, last > 0);
    }
}

/// Every group with how far it is, how far behind, and since when.
pub async fn groups_show_their_lag(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("lag", 1).await;
    subject.publish(envelopes("lag", "k", 0..5)).await;
    let mut reader = subject.reader("g", "lag").await;
    let in_hand = reader.take(5).await;
    assert!(reader.done(&in_hand[0]));
    assert!(reader.done(&in_hand[1]));
    let rows = asked(subject).groups().await.expect("groups");
    let [row] = &rows[..] else { panic!("expected one row, got {rows:?}") };
    assert_eq!((&*row.group, &*row.topic, row.partition), ("g", "lag", 0));
    assert_eq!((row.position, row.lag, row.members), (Position(2), 3, 1));
    assert!(row.oldest.is_some());
    for delivery in &in_hand[2..] {
        assert!(reader.done(delivery));
    }
    drop(reader);
    let row = asked(subject).groups().await.expect("groups").remove(0);
    assert_eq!((row.position, row.lag, row.members, row.oldest), (Position(5), 0, 0, None));
}

/// Records can be read from anywhere, without a group.
pub async fn records_can_be_read(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("read", 1).await;
    subject.publish(envelopes("read", "k", 0..5)).await;
    let read = asked(subject).read("read", 0, Position(1), 2).await.expect("records");
    let positions: Vec<u64> = read.iter().map(|stored| stored.position.0).collect();
    assert_eq!(positions, [2, 3]);
    let message = read[0].message.as_ref().expect("an envelope");
    assert_eq!(&message.payload[..], b"1");
    assert!(asked(subject).read("read", 0, Position(5), 2).await.expect("records").is_empty());
    assert!(asked(subject).read("read", 1, Position(0), 1).await.is_err());
    assert!(asked(subject).read("nowhere", 0, Position(0), 1).await.is_err());
}

/// The highest sequence of a source is known by incarnation, topic and slot.
pub async fn the_highest_sequences_are_known(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("source", 4).await;
    let slot = Slot::of(&Key::from("k"));
    let numbered = |incarnation, sequence| {
        let mut message = envelope("source", Some("k"), sequence);
        message.identity =
            Some(Identity { source: "payments".into(), incarnation, sequence, slot });
        message
    };
    let batch = vec![numbered(1, 1), numbered(1, 2), numbered(2, 1), numbered(1, 1)];
    subject.publish(batch).await;
    let mut published = asked(subject).published_by("payments").await.expect("an answer");
    published.sort_by_key(|row| row.incarnation);
    let rows: Vec<_> = published
        .iter()
        .map(|row| (row.incarnation, &*row.topic, row.slot, row.sequence))
        .collect();
    assert_eq!(rows, [(1, "source", slot, 2), (2, "source", slot, 1)]);
    assert!(asked(subject).published_by("orders").await.expect("an answer").is_empty());
}

/// A group can be moved back, and reads again from there under a new assignment.
pub async fn a_group_can_be_moved_back(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("back", 1).await;
    subject.publish(envelopes("back", "k", 0..5)).await;
    let mut reader = subject.reader("g", "back").await;
    let in_hand = reader.take(5).await;
    assert!(reader.done(&in_hand[0]));
    asked(subject).seek("g", "back", 0, Position(2)).await.expect("a move");
    assert!(matches!(reader.next().await, Incoming::Revoked(_)));
    assert!(!reader.done(&in_hand[1]), "the old assignment is over");
    assert_eq!(reader.assignment().await[0].position, Position(2));
    assert_eq!(reader.work_off(3).await, [2, 3, 4]);
    drop(reader);
    asked(subject).seek("g", "back", 0, Position(0)).await.expect("a move");
    assert_eq!(subject.reader("g", "back").await.work_off(5).await, [0, 1, 2, 3, 4]);
}

/// A position that is not kept, and a group that nobody knows, are refused.
pub async fn a_group_cannot_be_moved_out_of_the_log(subject: &Subject) {
    if subject.lacks(Capability::Replay) {
        return;
    }
    subject.declare("out", 1).await;
    subject.publish(envelopes("out", "k", 0..2)).await;
    subject.reader("g", "out").await.work_off(1).await;
    let asked = asked(subject);
    assert!(asked.seek("g", "out", 0, Position(3)).await.is_err());
    assert!(asked.seek("g", "out", 1, Position(0)).await.is_err());
    assert!(asked.seek("nobody", "out", 0, Position(0)).await.is_err());
    assert!(asked.seek("g", "nowhere", 0, Position(0)).await.is_err());
}
