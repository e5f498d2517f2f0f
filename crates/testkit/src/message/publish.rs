//! Promises about topics, acks and partitions.

use switchboard_core::{Identity, Key, Position, Slot};
use switchboard_message::{
    Capability, PublishError, SubscribeError, Subscription, Topic, Topology, TopologyError,
};

use super::{Subject, envelope, envelopes};

/// Nobody publishes to, or reads, what was not declared.
pub async fn undeclared_topics_are_refused(subject: &Subject) {
    let answers = subject.broker().publish(vec![envelope("nowhere", None, 1)]).await;
    assert!(matches!(&answers[..], [Err(PublishError::UnknownTopic(t))] if t == "nowhere"));
    let joined = subject.broker().subscribe(Subscription::new("g", ["nowhere".into()])).await;
    assert!(matches!(joined.err(), Some(SubscribeError::UnknownTopic(t)) if t == "nowhere"));
}

/// Positions begin at 1, have no gaps, and all belong to one epoch.
pub async fn an_ack_names_a_dense_position(subject: &Subject) {
    subject.declare("dense", 1).await;
    let mut acks = subject.publish(envelopes("dense", "k", 0..3)).await;
    acks.extend(subject.publish(envelopes("dense", "k", 3..5)).await);
    let positions: Vec<u64> = acks.iter().map(|ack| ack.position.0).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5]);
    assert!(acks.iter().all(|ack| ack.partition == 0 && ack.epoch == acks[0].epoch));
}

/// Bug 20: a key's partition is the one that Kafka's Java client would choose.
pub async fn bug_20_keys_go_where_murmur2_sends_them(subject: &Subject) {
    subject.declare("murmur", 16).await;
    for number in 0..64 {
        let key = format!("key-{number}");
        let acks = subject.publish(envelopes("murmur", &key, 0..1)).await;
        assert_eq!(acks[0].partition, Slot::of(&Key::from(&*key)).partition(16), "{key}");
    }
}

/// A message without a key lies in the slot that its store drew for it.
pub async fn a_keyless_message_keeps_the_slot_of_its_identity(subject: &Subject) {
    subject.declare("keyless", 16).await;
    for slot in [0, 5, 77, 255] {
        let mut message = envelope("keyless", None, 1);
        message.identity = Some(Identity {
            source: "suite".into(),
            incarnation: 1,
            sequence: 1,
            slot: Slot(slot),
        });
        let acks = subject.publish(vec![message]).await;
        assert_eq!(acks[0].partition, u32::from(slot) % 16);
    }
}

/// A record that is too large, or has no topic, is refused alone; its neighbours keep dense
/// positions.
pub async fn one_bad_record_does_not_fail_its_neighbours(subject: &Subject) {
    subject.declare("mixed", 1).await;
    let limit = subject.broker().capabilities().max_message_bytes;
    let huge = envelope("mixed", Some("k"), 2).with_payload(vec![b'x'; limit]);
    let batch = vec![
        envelope("mixed", Some("k"), 1),
        huge,
        envelope("nowhere", Some("k"), 3),
        envelope("mixed", Some("k"), 4),
    ];
    let answers = subject.broker().publish(batch).await;
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0].as_ref().map(|ack| ack.position).ok(), Some(Position(1)));
    assert!(matches!(&answers[1], Err(PublishError::TooLarge { bytes, limit: l })
        if *l == limit && *bytes > limit));
    assert!(matches!(&answers[2], Err(PublishError::UnknownTopic(_))));
    assert_eq!(answers[3].as_ref().map(|ack| ack.position).ok(), Some(Position(2)));
}

/// What exists is left alone when it is declared again, and its records with it.
pub async fn declaring_again_changes_nothing(subject: &Subject) {
    subject.declare("again", 4).await;
    subject.publish(envelopes("again", "k", 0..1)).await;
    subject.declare("again", 4).await;
    assert_eq!(subject.reader("g", "again").await.work_off(1).await, [0]);
}

/// Another number of partitions is reported, and nothing of that topology is created.
pub async fn another_partition_count_is_reported(subject: &Subject) {
    subject.declare("fixed", 4).await;
    let topology = Topology::of([Topic::new("innocent"), Topic::new("fixed").with_partitions(8)]);
    let error = subject.broker().declare(&topology).await.expect_err("a mismatch");
    let TopologyError::Mismatch { topic, existing: 4, declared: 8 } = error else {
        panic!("expected a mismatch of 4 and 8 partitions, got {error:?}");
    };
    assert_eq!(topic, "fixed");
    let answers = subject.broker().publish(vec![envelope("innocent", None, 1)]).await;
    assert!(matches!(&answers[..], [Err(PublishError::UnknownTopic(_))]));
}

/// Names and partition counts have rules.
pub async fn a_wrong_declaration_is_refused(subject: &Subject) {
    for topic in [
        Topic::new(""),
        Topic::new("a/b"),
        Topic::new("x".repeat(250)),
        Topic::new("three").with_partitions(3),
        Topic::new("none").with_partitions(0),
        Topic::new("many").with_partitions(512),
    ] {
        let declared = subject.broker().declare(&Topology::of([topic.clone()])).await;
        assert!(matches!(declared, Err(TopologyError::Invalid(_))), "{topic:?}");
    }
}

/// What a backend cannot do is refused before the first message, naming who can.
pub async fn a_missing_capability_is_refused_by_name(subject: &Subject) {
    let all = [
        Capability::Replay,
        Capability::KeyOrder,
        Capability::Groups,
        Capability::Delay,
        Capability::Exchanges,
    ];
    let has = subject.broker().capabilities().has;
    for capability in all {
        let topology = Topology { requires: vec![capability], ..Topology::default() };
        let declared = subject.broker().declare(&topology).await;
        match declared {
            Ok(()) => assert!(has.contains(&capability), "{capability} is promised"),
            Err(error) => {
                assert!(!has.contains(&capability), "{capability} is kept");
                assert!(error.to_string().contains(capability.available_on()), "{error}");
            }
        }
    }
}

/// Nothing of an envelope is lost or changed on its way.
pub async fn an_envelope_arrives_as_it_was_sent(subject: &Subject) {
    subject.declare("whole", 2).await;
    let mut sent = envelope("whole", Some("k"), 7)
        .with_header("content-type", "application/json")
        .with_header("empty", "");
    sent.version = 3;
    sent.identity = Some(Identity {
        source: "suite".into(),
        incarnation: 2,
        sequence: 9,
        slot: Slot::of(&Key::from("k")),
    });
    let acks = subject.publish(vec![sent.clone()]).await;
    let delivery = subject.reader("g", "whole").await.take(1).await.remove(0);
    assert_eq!(delivery.message.expect("an envelope"), sent);
    assert_eq!(delivery.redelivered, 0);
    assert_eq!(delivery.receipt.topic, "whole");
    assert_eq!(delivery.receipt.partition, acks[0].partition);
    // Positions that a broker only makes up are not those of its acks.
    if subject.has(Capability::Replay) {
        assert_eq!(delivery.receipt.position, acks[0].position);
        assert_eq!(delivery.receipt.epoch, acks[0].epoch);
    }
}
