//! What the broker in memory drops, what it spares, and whom it tells.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use switchboard_core::{BoxError, ManualClock, Name, Position, SystemClock};
use switchboard_message::{
    Assignment, Broker, ConsumeError, MemoryBroker, Resume, Retention, Subscription, Topic,
    Topology,
};
use switchboard_testkit::message::{PATIENCE, Subject, envelope, envelopes};

async fn subject(retention: Retention) -> (Arc<ManualClock>, Subject) {
    let clock = Arc::new(ManualClock::default());
    let broker = MemoryBroker::new(clock.clone());
    let topic = Topic::new("t").with_partitions(1).with_retention(retention);
    broker.declare(&Topology::of([topic])).await.unwrap();
    (clock, Subject::new(broker))
}

async fn first(subject: &Subject) -> u64 {
    let topics = subject.broker().inspect().unwrap().topics().await.unwrap();
    topics[0].partitions[0].first.0
}

struct At(u64, Position);

#[async_trait]
impl Resume for At {
    async fn resume(&self, topic: &Name, partition: u32) -> Result<Option<Assignment>, BoxError> {
        let topic = topic.clone();
        Ok(Some(Assignment { topic, partition, epoch: self.0, position: self.1 }))
    }
}

#[tokio::test(start_paused = true)]
async fn old_records_go_and_positions_stay() {
    let (clock, subject) =
        subject(Retention { age: Some(Duration::from_secs(60)), bytes: None }).await;
    subject.publish(envelopes("t", "k", 0..3)).await;
    clock.advance(Duration::from_secs(61));
    let acks = subject.publish(envelopes("t", "k", 3..5)).await;
    assert_eq!(acks[1].position, Position(5));
    assert_eq!(first(&subject).await, 4);
    assert_eq!(subject.reader("g", "t").await.work_off(2).await, [3, 4]);
}

#[tokio::test(start_paused = true)]
async fn what_a_group_has_not_passed_is_kept() {
    let (_clock, subject) = subject(Retention { age: None, bytes: Some(1) }).await;
    let mut reader = subject.reader("g", "t").await;
    reader.assignment().await;
    subject.publish(envelopes("t", "k", 0..4)).await;
    assert_eq!(first(&subject).await, 1);
    assert_eq!(reader.work_off(2).await.len(), 4);
    subject.publish(envelopes("t", "k", 4..5)).await;
    assert_eq!(first(&subject).await, 5);
}

#[tokio::test(start_paused = true)]
async fn what_a_declared_group_has_not_passed_is_kept_before_its_first_member() {
    let (_clock, subject) = subject(Retention { age: None, bytes: Some(1) }).await;
    let topology = Topology::of([]).with_group("g", ["t".into()]);
    subject.broker().declare(&topology).await.unwrap();
    subject.publish(envelopes("t", "k", 0..4)).await;
    assert_eq!(first(&subject).await, 1);
    assert_eq!(subject.reader("g", "t").await.work_off(4).await, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_position_below_the_oldest_is_an_error_and_never_a_reset() {
    let (_clock, subject) = subject(Retention { age: None, bytes: Some(1) }).await;
    let epoch = subject.publish(envelopes("t", "k", 0..4)).await[0].epoch;
    assert_eq!(first(&subject).await, 5);
    let mut wish = Subscription::new("g", ["t".into()]);
    wish.resume = Some(Arc::new(At(epoch, Position(2))));
    let mut consumer = subject.broker().subscribe(wish).await.unwrap();
    for _ in 0..2 {
        let error = consumer.next().await.unwrap_err();
        let ConsumeError::BelowRetention { position: 2, oldest: 5, .. } = error else {
            panic!("expected to be told of the loss, got {error:?}");
        };
    }
}

/// Whoever publishes asks groups how far they are, and whoever joins asks topics: in no order of
/// the two may they wait for each other.
#[test]
fn publishing_and_joining_do_not_wait_for_each_other() {
    let broker = MemoryBroker::new(Arc::new(SystemClock));
    let run = |work: fn(MemoryBroker) -> Pin<Box<dyn Future<Output = ()>>>| {
        let (broker, (done, ended)) = (broker.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(work(broker));
            let _nobody_waits = done.send(());
        });
        ended
    };
    let declaring = run(|broker| {
        Box::pin(async move { broker.declare(&Topology::of([Topic::new("t")])).await.unwrap() })
    });
    declaring.recv_timeout(PATIENCE).unwrap();
    let publishing = run(|broker| {
        Box::pin(async move {
            for number in 0..20_000 {
                broker.publish(vec![envelope("t", None, number)]).await.remove(0).unwrap();
            }
        })
    });
    let joining = run(|broker| {
        Box::pin(async move {
            for _ in 0..2_000 {
                let mut member =
                    broker.subscribe(Subscription::new("g", ["t".into()])).await.unwrap();
                member.next().await.unwrap();
            }
        })
    });
    publishing.recv_timeout(PATIENCE).expect("publishing ends");
    joining.recv_timeout(PATIENCE).expect("joining ends");
}
