//! A broker that is killed and started again while records are published and read.

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard_core::{Envelope, Key};
use switchboard_message::{Broker, Incoming, Outcome, PublishError, Subscription, Topic, Topology};
use switchboard_testkit::message::envelope;
use tokio::sync::watch;

use crate::engine::Engine;
use crate::{connect, options};

const KEYS: usize = 8;
/// Records of each key in one batch.
const EACH: u64 = 4;

/// A publisher that repeats what was not acknowledged, as a relay does: everything of a key from its
/// first failure on, before anything newer of that key.
#[derive(Default)]
struct Publisher {
    /// The next number of each key.
    next: [u64; KEYS],
    acknowledged: u64,
    unavailable: u64,
}

impl Publisher {
    fn batch(&self) -> Vec<Envelope> {
        let numbers = (0..EACH).flat_map(|ahead| (0..KEYS).map(move |key| (key, ahead)));
        let record = |(key, ahead): (usize, u64)| {
            envelope("crash", Some(&format!("key-{key}")), self.next[key] + ahead)
        };
        numbers.map(record).collect()
    }

    async fn turn(&mut self, broker: &dyn Broker) {
        let answers = broker.publish(self.batch()).await;
        let mut failed = [false; KEYS];
        for (index, answer) in answers.into_iter().enumerate() {
            let key = index % KEYS;
            match answer {
                Ok(_) => {
                    assert!(!failed[key], "nothing of a key is taken behind what was not");
                    self.next[key] += 1;
                    self.acknowledged += 1;
                }
                Err(PublishError::Unavailable(_)) => {
                    failed[key] = true;
                    self.unavailable += 1;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

/// Nothing that was acknowledged is lost, and the first occurrences of each key are in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_under_load_loses_nothing() {
    let _alone = Engine::alone().await;
    let options = options().with_delivery_limit(Duration::from_millis(700));
    let broker = connect(&options).await;
    broker.declare(&Topology::of([Topic::new("crash").with_partitions(4)])).await.unwrap();

    let (stop, stopped) = watch::channel(false);
    let publishing = broker.clone();
    let publisher = tokio::spawn(async move {
        let mut publisher = Publisher::default();
        while !*stopped.borrow() {
            publisher.turn(&publishing).await;
        }
        // What failed last is published at last.
        let before = publisher.acknowledged;
        while publisher.acknowledged == before {
            publisher.turn(&publishing).await;
        }
        publisher
    });
    let reading = broker.clone();
    let (expect, expected) = watch::channel(None::<[u64; KEYS]>);
    let reader = tokio::spawn(read(reading, expected));

    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::task::spawn_blocking(|| {
            Engine::kill();
            Engine::start();
        })
        .await
        .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.send_replace(true);
    let publisher = publisher.await.unwrap();
    assert!(publisher.unavailable > 0, "the kills were felt");
    expect.send_replace(Some(publisher.next));
    let copies = reader.await.unwrap();
    assert!(copies >= publisher.acknowledged);
    broker.close().await;
}

/// Reads until everything expected was seen. Returns how many records that were, with copies.
async fn read(
    broker: impl Broker + 'static,
    mut expected: watch::Receiver<Option<[u64; KEYS]>>,
) -> u64 {
    let mut consumer =
        broker.subscribe(Subscription::new("readers", ["crash".into()])).await.unwrap();
    let mut seen: BTreeMap<Key, u64> = BTreeMap::new();
    let mut copies = 0;
    loop {
        let all = |wanted: &[u64; KEYS]| {
            let of = |(key, count): (usize, &u64)| {
                seen.get(&Key::from(format!("key-{key}"))).copied().unwrap_or(0) >= *count
            };
            wanted.iter().enumerate().all(of)
        };
        if expected.borrow().as_ref().is_some_and(all) {
            return copies;
        }
        let incoming = tokio::select! {
            incoming = consumer.next() => incoming.unwrap(),
            _ = expected.changed() => continue,
            () = tokio::time::sleep(Duration::from_secs(60)) => panic!("only {seen:?} was read"),
        };
        let Incoming::Deliveries(deliveries) = incoming else { continue };
        for delivery in deliveries {
            let message = delivery.message.unwrap();
            let number: u64 = std::str::from_utf8(&message.payload).unwrap().parse().unwrap();
            let next = seen.entry(message.key.unwrap()).or_default();
            assert!(number <= *next, "{number} overtook {next}");
            *next = (*next).max(number + 1);
            copies += 1;
            consumer.settle(&delivery.receipt, Outcome::Done);
        }
    }
}
