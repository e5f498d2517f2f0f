//! The server itself dies or is stopped, and comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use switchboard_message::{Broker, Incoming, Outcome, Subscription, Topic, Topology};
use switchboard_message_rabbit::{RabbitBroker, metrics as names};
use switchboard_testkit::message::{body, envelope};

use crate::{counted, server};

/// Under load for so long before anything happens.
const WRITTEN_DOWN: Duration = Duration::from_secs(2);
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Runs one of the commands that the environment gives for this server.
async fn run(what: &str) {
    let variable = format!("SWITCHBOARD_TEST_RABBIT_{what}");
    let command = std::env::var(&variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run `cargo xtask test`"));
    let status =
        tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &command]).status());
    let status = status.await.unwrap().unwrap();
    assert!(status.success() || what == "KILL", "{variable}: {status}");
}

async fn broker() -> RabbitBroker {
    let options =
        server::options().with_backoff(Duration::from_millis(50), Duration::from_millis(500));
    RabbitBroker::connect(options.with_publish_patience(Duration::from_secs(120))).await.unwrap()
}

/// Deletes what the test has made.
async fn erase(topic: &str) {
    let channel = server::channel().await;
    for end in [":0", ":1", ":2", ":3", ".dead"] {
        let queue = format!("g:{topic}{end}");
        let _ = channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
    }
    let dead = format!("g:{topic}.dead");
    let _ = channel.exchange_delete(dead.into(), ExchangeDeleteOptions::default()).await;
    let _ = channel.exchange_delete(topic.into(), ExchangeDeleteOptions::default()).await;
}

/// What a publisher and a consumer saw under load.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    acknowledged: AtomicU64,
    handled: AtomicU64,
}

/// Publishes numbers of each key in turn until told to stop. Returns how many of each key.
async fn publish(broker: Arc<RabbitBroker>, topic: &'static str, load: Arc<Load>) -> u64 {
    let mut round = 0;
    while !load.stop.load(Ordering::SeqCst) {
        let batch: Vec<_> = KEYS
            .iter()
            .zip(0..)
            .map(|(key, at): (_, u64)| envelope(topic, Some(key), round * 8 + at))
            .collect();
        for answer in broker.publish(batch).await {
            answer.unwrap();
            load.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        round += 1;
    }
    round
}

/// What has not come, and what the server still has.
async fn left(topic: &str, seen: &BTreeSet<u64>, total: u64) -> String {
    let missing: Vec<u64> = (0..total).filter(|number| !seen.contains(number)).collect();
    let mut ready = Vec::new();
    for partition in 0..4 {
        ready.push(server::ready(&format!("g:{topic}:{partition}")).await);
    }
    format!("of {total} numbers {missing:?} are missing, ready in the queues: {ready:?}")
}

/// Takes everything until each of `total` was settled. First occurrences are in order by key.
async fn consume(
    broker: Arc<RabbitBroker>,
    topic: &'static str,
    load: Arc<Load>,
    mut total: tokio::sync::watch::Receiver<u64>,
) -> BTreeSet<u64> {
    let mut consumer = broker.subscribe(Subscription::new("g", [topic.into()])).await.unwrap();
    let mut seen = BTreeSet::new();
    let mut newest: BTreeMap<u64, u64> = BTreeMap::new();
    while *total.borrow() == 0 || (seen.len() as u64) < *total.borrow() {
        // What is published may all have come before its number is known.
        let next = tokio::time::timeout(Duration::from_secs(60), async {
            tokio::select! {
                next = consumer.next() => Some(next),
                Ok(()) = total.changed() => None,
            }
        });
        let next = next.await;
        let Ok(next) = next else {
            let total = *total.borrow();
            panic!("silence: {}", left(topic, &seen, total).await);
        };
        let Some(Incoming::Deliveries(deliveries)) = next.transpose().unwrap() else { continue };
        for delivery in deliveries {
            let number = body(&delivery);
            if seen.insert(number) {
                let before = newest.insert(number % 8, number);
                assert!(before.is_none_or(|before| before + 8 == number), "{before:?} {number}");
                load.handled.fetch_add(1, Ordering::SeqCst);
            }
            consumer.settle(&delivery.receipt, Outcome::Done);
        }
    }
    seen
}

/// Publishes and consumes while the server goes away by this command and comes back.
async fn outage(topic: &'static str, ending: &str) {
    let _server = server::alone().await;
    erase(topic).await;
    let broker = Arc::new(broker().await);
    let topics = [Topic::new(topic).with_partitions(4)];
    broker.declare(&Topology::of(topics).with_group("g", [topic.into()])).await.unwrap();
    let load = Arc::<Load>::default();
    let (total, all) = tokio::sync::watch::channel(0);
    let consuming = tokio::spawn(consume(Arc::clone(&broker), topic, Arc::clone(&load), all));
    let publishing = tokio::spawn(publish(Arc::clone(&broker), topic, Arc::clone(&load)));
    let handled = |at_least: u64| {
        let load = Arc::clone(&load);
        async move {
            let waiting = server::until(async || load.handled.load(Ordering::SeqCst) >= at_least);
            waiting.await;
        }
    };
    // The server writes down every half second which queues it has: a node that is killed sooner
    // than that after a declaration comes back with a queue that never has a leader.
    let begun = Instant::now();
    server::until(async || begun.elapsed() > WRITTEN_DOWN).await;
    handled(500).await;
    run(ending).await;
    run("START").await;
    handled(load.handled.load(Ordering::SeqCst) + 500).await;
    load.stop.store(true, Ordering::SeqCst);
    let rounds = publishing.await.unwrap();
    assert_eq!(load.acknowledged.load(Ordering::SeqCst), rounds * 8);
    total.send_replace(rounds * 8);
    let seen = consuming.await.unwrap();
    assert_eq!(seen, (0..rounds * 8).collect::<BTreeSet<_>>(), "everything acknowledged came");
    broker.close().await;
    assert_eq!(server::ready(&format!("g:{topic}.dead")).await, 0);
    erase(topic).await;
}

/// The node is killed under load: nothing that was acknowledged is lost, order is kept, and the
/// consumers that are registered anew are no phantoms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_loses_nothing_acknowledged() {
    counted::begin();
    let phantoms = counted::sum(names::PHANTOMS);
    outage("killed", "KILL").await;
    assert_eq!(counted::sum(names::PHANTOMS), phantoms);
    assert!(counted::sum(names::RECONNECTS) >= 2, "both connections were made again");
}

/// The same for a node that is stopped in an orderly way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_node_loses_nothing_acknowledged() {
    outage("stopped", "STOP").await;
}
