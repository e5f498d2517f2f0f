//! The brokers beside each other, through the same seam: publish and consume, with what each ack promises.
//!
//! `cargo run --release --features kafka,rabbit --example bench_brokers [seconds]` prints one line of JSON per case. The servers are
//! named by `SWITCHBOARD_TEST_KAFKA` and `SWITCHBOARD_TEST_RABBIT`; the embedded broker needs none. `SWITCHBOARD_BENCH_NATS` and
//! `SWITCHBOARD_BENCH_REDIS` may name two more, which bare clients publish to.

#[path = "support/peers.rs"]
mod peers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use switchboard::embedded::{LogBroker, broker};
use switchboard::kafka::KafkaBroker;
use switchboard::message::{Broker, Incoming, Outcome, Subscription, Topic, Topology};
use switchboard::rabbit::RabbitBroker;
use switchboard::{Clock, Envelope, Key, Name, Rng, SystemClock};

/// As the `switchboard` program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records of one call to `publish`, and how many such calls are in flight.
const BATCH: usize = 500;
const CALLS: usize = 4;
/// A broker that hands out nothing for so long has lost something.
const PATIENCE: Duration = Duration::from_secs(30);
/// One at a time, for the latency.
const SINGLE: usize = 400;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let seconds: u64 = std::env::args().nth(1).map_or(Ok(4), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    let variable = |name| std::env::var(name).with_context(|| format!("{name} is not set"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for bytes in [100, 1024] {
        let folder = tempfile::tempdir()?;
        let log = LogBroker::open(broker::Options::new(folder.path(), clock.clone()))?;
        measure("embedded", "synced", Arc::new(log), &clock, bytes, time).await?;

        let url = format!("kafka://{}", variable("SWITCHBOARD_TEST_KAFKA")?);
        let options = switchboard::kafka::Options::from_url(&url)?.with_clock(clock.clone());
        let kafka = KafkaBroker::connect(options).await?;
        let promise = "in the page cache of one node";
        measure("Kafka", promise, Arc::new(kafka), &clock, bytes, time).await?;

        let options =
            switchboard::rabbit::Options::from_url(&variable("SWITCHBOARD_TEST_RABBIT")?)?;
        let rabbit = RabbitBroker::connect(options.with_clock(clock.clone())).await?;
        let promise = "synced by a quorum of one";
        measure("RabbitMQ", promise, Arc::new(rabbit), &clock, bytes, time).await?;

        let peers: [(_, _, _, Peer); 2] = [
            ("NATS JetStream", "written, synced every two minutes", "NATS", peers::nats),
            ("Redis streams", "synced", "REDIS", peers::redis),
        ];
        for (name, promise, variable, peer) in peers {
            let Ok(address) = std::env::var(format!("SWITCHBOARD_BENCH_{variable}")) else {
                eprintln!("SWITCHBOARD_BENCH_{variable} is not set: no figures of {name}");
                continue;
            };
            let run = move || peer(&address, bytes, SINGLE, BATCH * CALLS, time);
            let figures = tokio::task::spawn_blocking(run).await??;
            line(name, promise, bytes, figures.published_per_s, None, &figures.latencies);
        }
    }
    Ok(())
}

/// A bare client: address, bytes, records one by one, window, time.
type Peer = fn(&str, usize, usize, usize, Duration) -> std::io::Result<peers::Figures>;

fn line(
    name: &str,
    promise: &str,
    bytes: usize,
    published_per_s: f64,
    consumed_per_s: Option<f64>,
    latencies: &[Duration],
) {
    let at = |share: usize| latencies[latencies.len() * share / 100].as_secs_f64() * 1e3;
    println!(
        "{}",
        serde_json::json!({
            "broker": name, "ack": promise, "bytes": bytes,
            "published_per_s": published_per_s.round(),
            "consumed_per_s": consumed_per_s.map(f64::round),
            "p50_ms": at(50), "p99_ms": at(99),
        })
    );
}

async fn measure(
    name: &str,
    promise: &str,
    broker: Arc<dyn Broker>,
    clock: &Arc<dyn Clock>,
    bytes: usize,
    time: Duration,
) -> anyhow::Result<()> {
    let mut rng = Rng::from_entropy();
    let topic = Name::from(format!("bench-{:08x}", rng.u64() >> 32));
    let topology = Topology::of([Topic::new(topic.clone()).with_partitions(4)]);
    broker.declare(&topology.with_group("bench", [topic.clone()])).await?;
    let mut number = 0_u64;
    let mut batch = |count: usize| -> Vec<Envelope> {
        let one = |_| {
            number += 1;
            Envelope::new(topic.clone(), "bench.record", "bench", &**clock, &mut rng)
                .with_key(Key::from(number.to_string()))
                .with_payload(vec![b'x'; bytes])
        };
        (0..count).map(one).collect()
    };

    let mut latencies = Vec::with_capacity(SINGLE);
    for _ in 0..SINGLE {
        let single = batch(1);
        let since = Instant::now();
        for ack in broker.publish(single).await {
            ack?;
        }
        latencies.push(since.elapsed());
    }
    latencies.sort_unstable();

    let begun = Instant::now();
    let mut published = SINGLE;
    let mut calls = tokio::task::JoinSet::new();
    while begun.elapsed() < time || !calls.is_empty() {
        while calls.len() < CALLS && begun.elapsed() < time {
            let (broker, records) = (broker.clone(), batch(BATCH));
            calls.spawn(async move { broker.publish(records).await });
        }
        if let Some(answers) = calls.join_next().await {
            for answer in answers? {
                answer?;
                published += 1;
            }
        }
    }
    let published_per_s = (published - SINGLE) as f64 / begun.elapsed().as_secs_f64();

    let subscription = Subscription { max_in_flight: 4_096, ..Subscription::new("bench", [topic]) };
    let mut consumer = broker.subscribe(subscription).await?;
    let (mut consumed, mut begun) = (0, Instant::now());
    while consumed < published {
        let incoming = tokio::time::timeout(PATIENCE, consumer.next()).await;
        let incoming = incoming.with_context(|| format!("{name}: {consumed} of {published}"))?;
        if let Incoming::Deliveries(deliveries) = incoming? {
            if consumed == 0 {
                // Joining a group takes its time, and is not what is measured.
                begun = Instant::now();
            }
            consumed += deliveries.len();
            for delivery in deliveries {
                consumer.settle(&delivery.receipt, Outcome::Done);
            }
        }
    }
    let consumed_per_s = consumed as f64 / begun.elapsed().as_secs_f64();
    line(name, promise, bytes, published_per_s, Some(consumed_per_s), &latencies);
    Ok(())
}
