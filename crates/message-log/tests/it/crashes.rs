//! The power goes, syncs fail, the disk fills up: what was acknowledged is there, what a group has
//! passed was done, and nobody is told of a record that is not in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchboard_core::{Identity, Key, Position, Rng, Slot, SystemClock};
use switchboard_message::{
    Broker, Incoming, Inspect, Outcome, PublishError, Retention, Subscription, Topic, Topology,
};
use switchboard_message_log::{LogBroker, OpenError, Options};
use switchboard_testkit::file::FaultyFiles;
use switchboard_testkit::message::{Subject, envelope, envelopes};

const PARTITIONS: u32 = 4;

fn open(files: &FaultyFiles) -> Result<LogBroker, OpenError> {
    let options = Options::new("broker", Arc::new(SystemClock));
    let log = options.log.clone().with_segment_bytes(64 << 10).with_files(Arc::new(files.clone()));
    LogBroker::open(options.with_log(log))
}

/// What must be true of the broker, whatever happened to it.
#[derive(Default)]
struct Model {
    published: u64,
    /// By slot.
    sequences: BTreeMap<u8, u64>,
    acknowledged: BTreeMap<(u32, u64), u64>,
    /// By slot.
    acknowledged_sequences: BTreeMap<u8, u64>,
    done: BTreeSet<(u32, u64)>,
}

impl Model {
    async fn compare(&self, broker: &LogBroker) {
        let topics = broker.topics().await.unwrap();
        let Some(topic) = topics.first() else {
            assert!(self.acknowledged.is_empty(), "the topic is gone");
            return;
        };
        for ((partition, position), number) in &self.acknowledged {
            let bounds = &topic.partitions[*partition as usize];
            assert!(bounds.last.0 >= *position, "{partition}/{position} is lost");
            if bounds.first.0 <= *position {
                let after = Position(position - 1);
                let read = broker.read("t", *partition, after, 1).await.unwrap();
                let message = read[0].message.as_ref().unwrap();
                assert_eq!(message.payload, number.to_string(), "{partition}/{position}");
            }
        }
        for row in broker.groups().await.unwrap() {
            let passed = (1..=row.position.0).map(|position| (row.partition, position));
            let undone: Vec<_> = passed.filter(|place| !self.done.contains(place)).collect();
            assert!(undone.is_empty(), "passed and not done: {undone:?}");
        }
        let known = broker.published_by("suite").await.unwrap();
        for (slot, sequence) in &self.acknowledged_sequences {
            let row = known.iter().find(|row| row.slot == Slot(*slot)).unwrap();
            assert!(row.sequence >= *sequence, "slot {slot} is known up to {}", row.sequence);
        }
    }

    /// Publishes a batch; false when the broker gave up.
    async fn publish(&mut self, broker: &LogBroker, rng: &mut Rng) -> bool {
        let mut batch = Vec::new();
        for _ in 0..=rng.below(8) {
            let key = format!("k{}", rng.below(12));
            let slot = Slot::of(&Key::from(&*key));
            let sequence = self.sequences.entry(slot.0).or_default();
            *sequence += 1;
            self.published += 1;
            let mut message = envelope("t", Some(&key), self.published);
            message.identity = Some(Identity {
                source: "suite".into(),
                incarnation: 1,
                sequence: *sequence,
                slot,
            });
            batch.push((self.published, message));
        }
        let answers = broker.publish(batch.iter().map(|(_, m)| m.clone()).collect()).await;
        let mut healthy = true;
        for ((number, message), answer) in batch.into_iter().zip(answers) {
            match answer {
                Ok(ack) => {
                    self.acknowledged.insert((ack.partition, ack.position.0), number);
                    let identity = message.identity.unwrap();
                    self.acknowledged_sequences.insert(identity.slot.0, identity.sequence);
                }
                Err(error) => {
                    assert!(matches!(error, PublishError::Unavailable(_)), "{error}");
                    healthy = false;
                }
            }
        }
        healthy
    }

    async fn work(&mut self, broker: &LogBroker, rng: &mut Rng) {
        let retention = Retention { age: None, bytes: Some(32 << 10) };
        let topic = Topic::new("t").with_partitions(PARTITIONS).with_retention(retention);
        if broker.declare(&Topology::of([topic])).await.is_err() {
            return;
        }
        let wish = Subscription::new("g", ["t".into()]);
        let mut consumer = broker.subscribe(wish).await.unwrap();
        for round in 0..60 {
            if !self.publish(broker, rng).await {
                return;
            }
            while let Ok(next) =
                tokio::time::timeout(std::time::Duration::ZERO, consumer.next()).await
            {
                let Ok(next) = next else { break };
                let Incoming::Deliveries(deliveries) = next else { continue };
                for delivery in deliveries.into_iter().take(12) {
                    self.done.insert((delivery.receipt.partition, delivery.receipt.position.0));
                    assert!(consumer.settle(&delivery.receipt, Outcome::Done));
                }
            }
            if round % 20 == 19 {
                // Writes the group's position, and drops what it has passed.
                let _may_fail = broker.enforce_retention().await;
            }
        }
    }
}

fn plan(files: &FaultyFiles, rng: &mut Rng) {
    match rng.below(4) {
        0 => files.fail_sync_at(1 + rng.below(120)),
        1 => files.fail_write_at(1 + rng.below(120)),
        _ => files.cut_power_at(1 + rng.below(300)),
    }
}

/// Fifty lives of brokers that end badly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bug_10_what_was_acknowledged_survives_every_crash() {
    for seed in 0..10 {
        let mut rng = Rng::from_seed(seed);
        let files = FaultyFiles::new(seed);
        let mut model = Model::default();
        for life in 0..5 {
            let broker = open(&files).unwrap_or_else(|error| {
                panic!("seed {seed}, life {life}: {}", switchboard_core::chain(&error))
            });
            model.compare(&broker).await;
            plan(&files, &mut rng);
            model.work(&broker, &mut rng).await;
            files.crash();
            drop(broker);
        }
        model.compare(&open(&files).unwrap()).await;
        assert!(!model.acknowledged.is_empty());
    }
}

#[tokio::test]
async fn a_full_disk_refuses_records_and_takes_them_again_when_there_is_room() {
    let files = FaultyFiles::new(1);
    let subject = Subject::new(open(&files).unwrap());
    subject.declare("t", 1).await;
    subject.publish(envelopes("t", "k", 0..1)).await;
    files.set_room(Some(0));
    let mut refused = 0;
    // The segments that are prepared already are filled first.
    while refused == 0 {
        let large = envelope("t", Some("k"), 7).with_payload(vec![b'7'; 8 << 10]);
        let answers = subject.broker().publish(vec![large]).await;
        refused += answers.iter().filter(|answer| answer.is_err()).count();
    }
    files.set_room(None);
    let acks = subject.publish(envelopes("t", "k", 1..2)).await;
    let read = subject.broker().inspect().unwrap();
    let last = Position(acks[0].position.0 - 1);
    assert_eq!(read.read("t", 0, last, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn bug_6_a_failed_sync_stops_the_broker_until_it_is_opened_again() {
    let files = FaultyFiles::new(2);
    {
        let broker = open(&files).unwrap();
        let subject = Subject::new(broker.clone());
        subject.declare("t", 1).await;
        subject.publish(envelopes("t", "k", 0..2)).await;
        files.fail_sync_at(1);
        for number in 2..4 {
            let answers = broker.publish(envelopes("t", "k", number..number + 1)).await;
            assert!(matches!(&answers[..], [Err(PublishError::Unavailable(_))]));
        }
        assert!(broker.log().stopped().is_some());
        files.crash();
    }
    let subject = Subject::new(open(&files).unwrap());
    let acks = subject.publish(envelopes("t", "k", 9..10)).await;
    let mut reader = subject.reader("g", "t").await;
    let seen = reader.work_off(usize::try_from(acks[0].position.0).unwrap()).await;
    assert_eq!((&seen[..2], seen.last()), (&[0, 1][..], Some(&9)));
}

/// A batch of several parts: after the first that fails, nothing later may be in the log, or a
/// key's records would lie there in the wrong order once they are repeated.
#[tokio::test]
async fn no_record_overtakes_one_that_was_not_written() {
    let files = FaultyFiles::new(3);
    let subject = Subject::new(open(&files).unwrap());
    subject.declare("t", 1).await;
    files.fail_write_at(2);
    let answers = subject.broker().publish(envelopes("t", "k", 0..4_000)).await;
    let acknowledged = answers.iter().take_while(|answer| answer.is_ok()).count();
    assert!(acknowledged < 4_000, "the fault came too late");
    assert!(answers[acknowledged..].iter().all(Result::is_err));
    let left = subject.broker().publish(envelopes("t", "k", acknowledged as u64..4_000)).await;
    assert!(left.iter().all(Result::is_ok));
    let seen = subject.reader("g", "t").await.work_off(4_000).await;
    assert_eq!(seen, (0..4_000).collect::<Vec<_>>());
}
