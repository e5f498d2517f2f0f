//! Publishing and consuming beside a raw twin: the same client library and settings without us.
//!
//! Prints a line of JSON for each case: how many messages a second, ours and raw, and the median of
//! the ratios of interleaved pairs; `latency` sends one message and waits for its confirm before the
//! next, and the spread is that of the twin's rounds. If `SWITCHBOARD_BENCH_PERFTEST` is the class
//! path of RabbitMQ's PerfTest, its best second is shown too. The server is the one in
//! `SWITCHBOARD_TEST_RABBIT`.
//!
//! ```sh
//! cargo run --release -p switchboard-message-rabbit --example rabbit-bench -- [PAIRS] [MESSAGES]
//! ```

use std::collections::VecDeque;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use switchboard_core::{Envelope, Identity, Rng, Slot, SystemClock};
use switchboard_message::{Broker, Incoming, Outcome, Subscription, Topic, Topology};
use switchboard_message_rabbit::{Options, RabbitBroker};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The window of unconfirmed messages, and what a consumer is sent ahead.
const WINDOW: usize = 256;
const PREFETCH: u16 = 200;
/// What a relay hands over at once.
const BATCH: usize = 128;
/// Messages of a round that are sent one by one.
const SINGLE: usize = 400;
const TOPIC: &str = "bench";
const GROUP: &str = "g";

/// Both sides of the comparison, on connections of their own.
struct Bench {
    broker: RabbitBroker,
    raw: Connection,
    messages: usize,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let pairs = arguments.next().transpose()?.unwrap_or(7);
    let messages = arguments.next().transpose()?.unwrap_or(20_000);
    let url = std::env::var("SWITCHBOARD_TEST_RABBIT")
        .map_err(|_| "SWITCHBOARD_TEST_RABBIT is not set: run `cargo xtask engines up rabbit`")?;
    let options = Options::from_url(&url)?.with_prefetch(PREFETCH).with_confirm_window(WINDOW);
    let broker = RabbitBroker::connect(options).await?;
    let raw = Connection::connect(&url, ConnectionProperties::default()).await?;
    let bench = Bench { broker, raw, messages };
    for bytes in [100, 1024] {
        let (mut publish, mut consume) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            // Whoever is first in a pair takes turns, so that a warm cache favours nobody.
            let (ours, raw) = if pair % 2 == 0 {
                let ours = bench.ours(bytes).await?;
                (ours, bench.raw(bytes).await?)
            } else {
                let raw = bench.raw(bytes).await?;
                (bench.ours(bytes).await?, raw)
            };
            publish.push((ours.0, raw.0));
            consume.push((ours.1, raw.1));
        }
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        // The first round warms everything up.
        for round in 0..=pairs {
            let (own, other) = if round % 2 == 0 {
                let own = bench.ours_one_by_one(bytes).await?;
                (own, bench.raw_one_by_one(bytes).await?)
            } else {
                let other = bench.raw_one_by_one(bytes).await?;
                (bench.ours_one_by_one(bytes).await?, other)
            };
            if round > 0 {
                ours.push(own);
                raw.push(other);
            }
        }
        report_delays(bytes, &ours, &raw);
        let (sent, received) = match std::env::var("SWITCHBOARD_BENCH_PERFTEST") {
            Ok(class_path) => {
                let (sent, received) = bench.perf_test(&url, &class_path, bytes).await?;
                (Some(sent), Some(received))
            }
            Err(_) => (None, None),
        };
        report("publish", bytes, &publish, sent);
        report("consume", bytes, &consume, received);
    }
    bench.broker.close().await;
    Ok(())
}

fn report(case: &str, bytes: usize, pairs: &[(f64, f64)], perf_test: Option<f64>) {
    let ours = median(pairs.iter().map(|(ours, _)| *ours).collect());
    let raw = median(pairs.iter().map(|(_, raw)| *raw).collect());
    let ratio = median(pairs.iter().map(|(ours, raw)| ours / raw).collect());
    let line = serde_json::json!({
        "case": case,
        "bytes": bytes,
        "ours_per_s": ours.round(),
        "raw_per_s": raw.round(),
        "ratio": (ratio * 1000.0).round() / 1000.0,
        "perf_test_per_s": perf_test,
        "pairs": pairs.len(),
    });
    println!("{line}");
}

fn median(mut list: Vec<f64>) -> f64 {
    list.sort_by(f64::total_cmp);
    list[list.len() / 2]
}

fn report_delays(bytes: usize, ours: &[Vec<Duration>], raw: &[Vec<Duration>]) {
    // By round, the smallest first.
    let at = |rounds: &[Vec<Duration>], share: usize| {
        let of_round = |round: &Vec<Duration>| {
            let mut round = round.clone();
            round.sort_unstable();
            round[round.len() * share / 100].as_secs_f64() * 1e3
        };
        let mut all: Vec<f64> = rounds.iter().map(of_round).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let raw_p99s = at(raw, 99);
    let line = serde_json::json!({
        "case": "latency",
        "bytes": bytes,
        "p50_ms": median(at(ours, 50)),
        "p99_ms": median(at(ours, 99)),
        "raw_p50_ms": median(at(raw, 50)),
        "raw_p99_ms": median(raw_p99s.clone()),
        "raw_spread": format!("{:.2} to {:.2}", raw_p99s[0], raw_p99s[raw_p99s.len() - 1]),
    });
    println!("{line}");
}

fn envelope(bytes: usize, number: u64, rng: &mut Rng) -> Envelope {
    let mut envelope = Envelope::new(TOPIC, "bench.counted", "bench", &SystemClock, rng)
        .with_key("k".into())
        .with_payload(vec![b'x'; bytes]);
    let slot = Slot::of(&"k".into());
    envelope.identity =
        Some(Identity { source: "bench".into(), incarnation: 1, sequence: number, slot });
    envelope
}

fn queue_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    for (name, value) in [
        ("x-queue-type", "quorum"),
        ("x-dead-letter-exchange", "g:bench.dead"),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-overflow", "reject-publish"),
    ] {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert("x-delivery-limit".into(), 20u32.into());
    arguments
}

impl Bench {
    /// Messages a second: published, then consumed.
    async fn ours(&self, bytes: usize) -> Result<(f64, f64)> {
        self.erase().await?;
        let topology = Topology::of([Topic::new(TOPIC).with_partitions(1)]);
        self.broker.declare(&topology.with_group(GROUP, [TOPIC.into()])).await?;
        let mut rng = Rng::from_seed(1);
        let batches: Vec<Vec<Envelope>> = (0..self.messages.div_ceil(BATCH))
            .map(|_| (1..=BATCH as u64).map(|n| envelope(bytes, n, &mut rng)).collect())
            .collect();
        let total = (batches.len() * BATCH) as f64;
        let begun = Instant::now();
        // Two batches under way, as a relay reads ahead, keep the window full.
        let mut under_way = VecDeque::new();
        let mut batches = batches.into_iter();
        loop {
            while under_way.len() < 4
                && let Some(batch) = batches.next()
            {
                let mut publishing = self.broker.publish(batch);
                match (&mut publishing).now_or_never() {
                    Some(answers) => check(answers)?,
                    None => under_way.push_back(publishing),
                }
            }
            match under_way.pop_front() {
                Some(publishing) => check(publishing.await)?,
                None => break,
            }
        }
        let published = total / begun.elapsed().as_secs_f64();
        let mut wish = Subscription::new(GROUP, [TOPIC.into()]);
        wish.max_in_flight = PREFETCH.into();
        let begun = Instant::now();
        let mut consumer = self.broker.subscribe(wish).await?;
        let mut left = total as usize;
        while left > 0 {
            if let Incoming::Deliveries(deliveries) = consumer.next().await? {
                for delivery in deliveries {
                    delivery.message.map_err(|bad| bad.error)?;
                    consumer.settle(&delivery.receipt, Outcome::Done);
                    left -= 1;
                }
            }
        }
        drop(consumer);
        while self.ready().await? > 0 {
            tokio::task::yield_now().await;
        }
        Ok((published, total / begun.elapsed().as_secs_f64()))
    }

    /// Publishes one message at a time. The times to their confirms.
    async fn ours_one_by_one(&self, bytes: usize) -> Result<Vec<Duration>> {
        self.erase().await?;
        let topology = Topology::of([Topic::new(TOPIC).with_partitions(1)]);
        self.broker.declare(&topology.with_group(GROUP, [TOPIC.into()])).await?;
        let mut rng = Rng::from_seed(1);
        let mut delays = Vec::with_capacity(SINGLE);
        for number in 1..=SINGLE as u64 {
            let message = envelope(bytes, number, &mut rng);
            let begun = Instant::now();
            check(self.broker.publish(vec![message]).await)?;
            delays.push(begun.elapsed());
        }
        Ok(delays)
    }

    async fn raw_one_by_one(&self, bytes: usize) -> Result<Vec<Duration>> {
        let (channel, sample) = (self.raw_channel().await?, sample(bytes));
        let mut delays = Vec::with_capacity(SINGLE);
        for _ in 0..SINGLE {
            let begun = Instant::now();
            confirm(Some(publish(&channel, &sample).await))?;
            delays.push(begun.elapsed());
        }
        channel.close(200, "done".into()).await?;
        Ok(delays)
    }

    /// A channel with confirms, and a queue that is bound.
    async fn raw_channel(&self) -> Result<Channel> {
        self.erase().await?;
        let channel = self.raw.create_channel().await?;
        let options = QueueDeclareOptions::durable();
        channel.queue_declare("g:bench:0".into(), options, queue_arguments()).await?;
        let bind = Default::default();
        let none = FieldTable::default;
        channel
            .exchange_declare(
                "bench-raw".into(),
                lapin::ExchangeKind::Direct,
                lapin::options::ExchangeDeclareOptions { durable: true, ..Default::default() },
                none(),
            )
            .await?;
        channel
            .queue_bind("g:bench:0".into(), "bench-raw".into(), "0".into(), bind, none())
            .await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }

    async fn raw(&self, bytes: usize) -> Result<(f64, f64)> {
        let channel = self.raw_channel().await?;
        let total = (self.messages.div_ceil(BATCH) * BATCH) as f64;
        // The same headers and properties as ours: what a careful program would send.
        let sample = sample(bytes);
        let begun = Instant::now();
        let mut confirms = futures_util::stream::FuturesUnordered::new();
        for _ in 0..total as usize {
            if confirms.len() >= WINDOW {
                confirm(confirms.next().await)?;
            }
            confirms.push(publish(&channel, &sample));
        }
        while let Some(confirmed) = confirms.next().await {
            confirm(Some(confirmed))?;
        }
        let published = total / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let channel = self.raw.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let none = FieldTable::default();
        let mut consumer =
            channel.basic_consume("g:bench:0".into(), "".into(), options, none).await?;
        let mut left = total as usize;
        while left > 0 {
            let delivery = consumer.next().await.ok_or("cancelled")??;
            delivery.ack(BasicAckOptions::default()).await?;
            left -= 1;
        }
        channel.close(200, "done".into()).await?;
        while self.ready().await? > 0 {
            tokio::task::yield_now().await;
        }
        Ok((published, total / begun.elapsed().as_secs_f64()))
    }

    /// The best seconds of RabbitMQ's own bench, publishing and consuming; medians of three runs.
    async fn perf_test(&self, url: &str, class_path: &str, bytes: usize) -> Result<(f64, f64)> {
        let (size, window) = (bytes.to_string(), WINDOW.to_string());
        let (prefetch, properties) = (PREFETCH.to_string(), perf_test_properties(bytes));
        let common = ["-cp", class_path, "com.rabbitmq.perf.PerfTest", "-h", url];
        let place = ["-z", "5", "-p", "-e", "bench-raw", "-k", "0", "-u", "g:bench:0"];
        let publish = ["-x", "1", "-y", "0", "-s", &size, "-c", &window, "-mp", &properties];
        let flags = ["-f", "persistent", "-f", "mandatory"];
        let consume = ["-x", "0", "-y", "1", "-q", &prefetch];
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let channel = self.raw_channel().await?;
            channel.close(200, "declared".into()).await?;
            let run = |arguments: &[&[&str]], what: &str| {
                let mut java = std::process::Command::new(java());
                java.arg("-Xmx512m").args(common).args(place).args(arguments.concat());
                best_second(&java.output()?, what)
            };
            sent.push(run(&[&publish, &flags], "sent")?);
            if self.ready().await? == 0 {
                return Err("PerfTest has published nothing".into());
            }
            received.push(run(&[&consume], "received")?);
        }
        self.erase().await?;
        Ok((median(sent), median(received)))
    }

    async fn ready(&self) -> Result<u32> {
        let channel = self.raw.create_channel().await?;
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let seen =
            channel.queue_declare("g:bench:0".into(), passive, FieldTable::default()).await?;
        channel.close(200, "seen".into()).await?;
        Ok(seen.message_count())
    }

    async fn erase(&self) -> Result<()> {
        let channel = self.raw.create_channel().await?;
        channel.queue_delete("g:bench:0".into(), QueueDeleteOptions::default()).await?;
        Ok(())
    }
}

fn check<T, E: Error + 'static>(answers: Vec<std::result::Result<T, E>>) -> Result<()> {
    for answer in answers {
        answer?;
    }
    Ok(())
}

fn confirm(confirmed: Option<lapin::Result<lapin::Confirmation>>) -> Result<()> {
    match confirmed {
        Some(Ok(confirmation)) if confirmation.is_ack() => Ok(()),
        other => Err(format!("not confirmed: {other:?}").into()),
    }
}

/// The largest rate that PerfTest has printed for a second.
fn best_second(output: &std::process::Output, what: &str) -> Result<f64> {
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = |line: &str| -> Option<f64> {
        let (_, rest) = line.split_once(&format!("{what}: "))?;
        rest.split_once(" msg/s")?.0.parse().ok()
    };
    let rates = text.lines().filter(|line| line.contains(" s, ")).filter_map(rate);
    match rates.max_by(f64::total_cmp) {
        Some(best) if output.status.success() && best > 0.0 => Ok(best),
        _ => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(format!("PerfTest has failed with {}: {text}{errors}", output.status).into())
        }
    }
}

/// The same Java as the engines run on.
fn java() -> PathBuf {
    match std::env::var_os("JAVA_HOME") {
        Some(home) => PathBuf::from(home).join("bin/java"),
        None => PathBuf::from("java"),
    }
}

/// The properties and headers of our messages, as PerfTest takes them.
fn perf_test_properties(bytes: usize) -> String {
    let (properties, _) = sample(bytes);
    let id = properties.message_id().clone().unwrap_or_default();
    let mut text = format!(
        "contentType=application/json,messageId={id},correlationId={id},\
         timestamp=1970-01-01T00:00:01Z"
    );
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        if let AMQPValue::LongString(value) = value {
            let _ = write!(text, ",{name}={value}");
        }
    }
    text
}

/// A message with the attributes that ours have.
fn sample(bytes: usize) -> (BasicProperties, Vec<u8>) {
    let envelope = envelope(bytes, 1, &mut Rng::from_seed(1));
    let mut headers = FieldTable::default();
    for (name, text) in switchboard_message::cloudevents::attributes(&envelope) {
        let name = format!("cloudEvents:{name}");
        headers.insert(name.into(), AMQPValue::LongString(text.into_owned().into()));
    }
    headers.insert("cloudEvents:partitionkey".into(), AMQPValue::LongString("k".into()));
    let id = envelope.id.to_string();
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(id.clone().into())
        .with_correlation_id(id.into())
        .with_content_type("application/json".into())
        .with_timestamp(1)
        .with_headers(headers);
    (properties, envelope.payload.to_vec())
}

async fn publish(
    channel: &Channel,
    (properties, payload): &(BasicProperties, Vec<u8>),
) -> lapin::Result<lapin::Confirmation> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let (exchange, key, properties) = ("bench-raw".into(), "0".into(), properties.clone());
    channel.basic_publish(exchange, key, options, payload, properties).await?.await
}
