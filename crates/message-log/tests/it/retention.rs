//! What is dropped, what is spared, and whom the broker tells.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use switchboard_core::{BoxError, ManualClock, Name, Position};
use switchboard_message::{
    Assignment, Broker, ConsumeError, Inspect, Resume, Retention, Subscription, Topic, Topology,
};
use switchboard_message_log::{LogBroker, Options};
use switchboard_testkit::message::{Subject, envelope};

const KIB_64: u64 = 64 << 10;

async fn subject(dir: &Path, retention: Retention) -> (Arc<ManualClock>, LogBroker, Subject) {
    let clock = Arc::new(ManualClock::default());
    let options = Options::new(dir, clock.clone());
    let log = options.log.clone().with_segment_bytes(KIB_64);
    let broker = LogBroker::open(options.with_log(log)).unwrap();
    let topic = Topic::new("t").with_partitions(1).with_retention(retention);
    broker.declare(&Topology::of([topic])).await.unwrap();
    (clock, broker.clone(), Subject::new(broker))
}

/// Publishes until several segments are full.
async fn fill(subject: &Subject) -> u64 {
    let large = |number| envelope("t", Some("k"), number).with_payload(vec![b'1'; 1 << 10]);
    for round in 0..20 {
        subject.publish((round * 16..(round + 1) * 16).map(large).collect()).await;
    }
    320
}

async fn first(broker: &LogBroker) -> u64 {
    broker.topics().await.unwrap()[0].partitions[0].first.0
}

struct At(u64, Position);

#[async_trait]
impl Resume for At {
    async fn resume(&self, topic: &Name, partition: u32) -> Result<Option<Assignment>, BoxError> {
        let topic = topic.clone();
        Ok(Some(Assignment { topic, partition, epoch: self.0, position: self.1 }))
    }
}

#[tokio::test]
async fn old_records_go_and_their_space_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { age: Some(Duration::from_secs(60)), bytes: None };
    let (clock, broker, subject) = subject(dir.path(), retention).await;
    let count = fill(&subject).await;
    clock.advance(Duration::from_secs(61));
    let segments = broker.log().inspect().len();
    // This may come after the broker's own enforcement, so the return value says nothing.
    broker.enforce_retention().await.unwrap();
    assert!(first(&broker).await > 1);
    assert!(broker.log().inspect().len() < segments);
    let mut reader = subject.reader("g", "t").await;
    let begun = reader.assignment().await[0].position.0;
    assert!(begun > 0 && begun <= count, "a new group begins at the oldest record kept");
}

#[tokio::test]
async fn what_a_declared_group_has_not_passed_is_kept_before_its_first_member() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { age: None, bytes: Some(1) };
    let (_clock, broker, subject) = subject(dir.path(), retention).await;
    let topology = Topology::of([]).with_group("g", ["t".into()]);
    broker.declare(&topology).await.unwrap();
    let count = fill(&subject).await;
    broker.enforce_retention().await.unwrap();
    assert_eq!(first(&broker).await, 1);
    let mut reader = subject.reader("g", "t").await;
    let mut seen = 0;
    while seen < count {
        for delivery in reader.deliveries().await {
            seen += 1;
            assert!(reader.done(&delivery));
        }
    }
}

#[tokio::test]
async fn what_a_group_has_not_passed_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { age: None, bytes: Some(1) };
    let (_clock, broker, subject) = subject(dir.path(), retention).await;
    let mut reader = subject.reader("g", "t").await;
    reader.assignment().await;
    let count = fill(&subject).await;
    broker.enforce_retention().await.unwrap();
    assert_eq!(first(&broker).await, 1);
    let mut left = count;
    while left > 0 {
        for delivery in reader.deliveries().await {
            assert!(reader.done(&delivery));
            left -= 1;
        }
    }
    broker.enforce_retention().await.unwrap();
    assert!(first(&broker).await > 1);
}

#[tokio::test]
async fn a_position_below_the_oldest_is_an_error_and_never_a_reset() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { age: None, bytes: Some(KIB_64) };
    let (_clock, broker, subject) = subject(dir.path(), retention).await;
    fill(&subject).await;
    broker.enforce_retention().await.unwrap();
    let oldest = first(&broker).await;
    assert!(oldest > 2);
    let mut wish = Subscription::new("g", ["t".into()]);
    wish.resume = Some(Arc::new(At(broker.log().epoch(), Position(1))));
    let mut consumer = broker.subscribe(wish).await.unwrap();
    for _ in 0..2 {
        let error = consumer.next().await.unwrap_err();
        assert!(
            matches!(error, ConsumeError::BelowRetention { position: 1, oldest: o, .. } if o == oldest),
            "{error:?}"
        );
    }
}
