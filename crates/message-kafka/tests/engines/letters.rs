//! Rejected records: kept in the dialect that was chosen, before the group passes them.

use switchboard_core::Position;
use switchboard_message::{Broker, Outcome};
use switchboard_message_kafka::DeadLetters;
use switchboard_message_kafka::dead_letters::Dialect;
use switchboard_testkit::message::{Subject, envelopes};

use crate::engine::Engine;
use crate::{connect, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_record_is_a_dead_letter_in_every_dialect() {
    let _engine = Engine::shared().await;
    let options = options();
    for dialect in Dialect::ALL {
        let options = options.clone().with_dead_letters(DeadLetters::To(dialect));
        let broker = connect(&options).await;
        let subject = Subject::new(broker.clone());
        let topic = format!("{dialect:?}");
        subject.declare(&topic, 2).await;
        let mut sent = envelopes(&topic, "k", 0..3);
        sent[1] = sent[1].clone().with_header("color", "blue");
        let acks = subject.publish(sent.clone()).await;
        let mut reader = subject.reader("g", &topic).await;
        let in_hand = reader.take(3).await;
        assert!(reader.consumer().settle(&in_hand[1].receipt, Outcome::Reject));
        assert!(!reader.done(&in_hand[1]), "it is settled once");
        drop(reader);
        // Leaving waits for the dead letter, and then the group has passed it.
        assert_eq!(subject.reader("g", &topic).await.work_off(2).await, [0, 2]);
        let partition = acks[1].partition;
        let found = broker.dead_letters(&topic, partition, Position(0), 10).await.unwrap();
        let [buried] = &found[..] else { panic!("{found:?}") };
        let (spoken, letter) = buried.letter.as_ref().unwrap();
        assert_eq!(*spoken, dialect);
        assert_eq!(letter.topic, format!("{}{topic}", options.prefix));
        assert_eq!((letter.partition, letter.position), (Some(partition), Some(2)));
        assert_eq!(letter.group, Some(format!("{}g", options.prefix)));
        let message = buried.message.as_ref().unwrap();
        assert_eq!((message.id, &message.payload), (sent[1].id, &sent[1].payload));
        assert_eq!(buried.key(), sent[1].key.as_ref());
        assert_eq!(&*message.headers["color"], "blue");
        broker.close().await;
    }
}

/// Without dead letters a rejected record is passed, and nothing is created for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_created_when_dead_letters_are_off() {
    let _engine = Engine::shared().await;
    let broker = connect(&options().with_dead_letters(DeadLetters::Off)).await;
    let subject = Subject::new(broker.clone());
    subject.declare("off", 1).await;
    subject.publish(envelopes("off", "k", 0..2)).await;
    let mut reader = subject.reader("g", "off").await;
    let in_hand = reader.take(2).await;
    assert!(reader.consumer().settle(&in_hand[0].receipt, Outcome::Reject));
    drop(reader);
    assert_eq!(subject.reader("g", "off").await.work_off(1).await, [1]);
    assert!(broker.dead_letters("off", 0, Position(0), 1).await.unwrap().is_empty());
    let topics = broker.inspect().unwrap().topics().await.unwrap();
    assert_eq!(topics.len(), 1, "{topics:?}");
    broker.close().await;
}
