//! From a commit in PostgreSQL to the ack of Kafka: rows per second when much waits, and the delay at a steady rate.
//!
//! `cargo run --release --features kafka,postgres --example bench_relay [rows]` prints one line of JSON per case. The servers are
//! named by `SWITCHBOARD_TEST_POSTGRES` and `SWITCHBOARD_TEST_KAFKA`.

#[path = "support/acked.rs"]
mod acked;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use parking_lot::Mutex;
use switchboard::kafka::KafkaBroker;
use switchboard::message::{Broker, Topic, Topology};
use switchboard::postgres::PostgresStore;
use switchboard::relay::Relay;
use switchboard::store::{NewMessage, Store, Unit};
use switchboard::{Clock, Id, Key, Rng, SystemClock};
use tokio_util::sync::CancellationToken;

/// As the `switchboard` program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages of one unit while the store is filled.
const PER_UNIT: usize = 50;
/// The steady rate, and how often a unit is committed at it.
const RATE: usize = 5_000;
const BEAT: Duration = Duration::from_millis(10);
const STEADY: Duration = Duration::from_secs(8);
const PAYLOAD: usize = 200;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rows: usize = std::env::args().nth(1).map_or(Ok(200_000), |text| text.parse())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let bench = Bench::prepare(clock).await?;
    bench.drain(rows).await?;
    bench.steady().await
}

struct Bench {
    store: Arc<dyn Store>,
    broker: Arc<acked::Acked>,
    clock: Arc<dyn Clock>,
    topic: String,
}

impl Bench {
    async fn prepare(clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let variable = |name| std::env::var(name).with_context(|| format!("{name} is not set"));
        let mut rng = Rng::from_entropy();
        // Names of its own, so that a run finds nothing of another.
        let topic = format!("relay-bench-{:08x}", rng.u64() >> 32);
        let options = switchboard::postgres::Options::new(
            variable("SWITCHBOARD_TEST_POSTGRES")?,
            "bench",
            &[],
            clock.clone(),
            rng.fork(),
        );
        let schema = topic.replace('-', "_");
        let store = PostgresStore::open(options.with_schema(schema)).await?;
        let url = format!("kafka://{}", variable("SWITCHBOARD_TEST_KAFKA")?);
        let options = switchboard::kafka::Options::from_url(&url)?.with_clock(clock.clone());
        let broker = KafkaBroker::connect(options).await?;
        broker.declare(&Topology::of([Topic::new(topic.as_str())])).await?;
        let broker = Arc::new(acked::Acked::new(Arc::new(broker)));
        Ok(Self { store: Arc::new(store), broker, clock, topic })
    }

    fn unit(&self, count: usize, from: usize) -> Unit {
        let mut unit = Unit::new();
        unit.messages = (from..from + count).map(|number| self.message(number)).collect();
        unit
    }

    fn message(&self, number: usize) -> NewMessage {
        NewMessage {
            topic: self.topic.as_str().into(),
            kind: "bench.row".into(),
            version: 1,
            key: Some(Key::from(format!("key-{}", number % 1_000))),
            payload: vec![b'x'; PAYLOAD].into(),
            context: None,
            headers: BTreeMap::new(),
        }
    }

    fn relay(&self, stop: &CancellationToken) -> tokio::task::JoinHandle<anyhow::Result<()>> {
        let relay = Relay::new(self.store.clone(), self.broker.clone(), self.clock.clone());
        let stop = stop.clone();
        tokio::spawn(async move { Ok(relay.run(stop).await?) })
    }

    /// Much waits before the relay begins.
    async fn drain(&self, rows: usize) -> anyhow::Result<()> {
        let mut from = 0;
        while from < rows {
            let wave = (0..32).map(|part| self.unit(PER_UNIT, from + part * PER_UNIT));
            let commits = wave.map(|unit| self.store.commit(unit));
            for committed in futures_util::future::join_all(commits).await {
                committed?;
            }
            from += 32 * PER_UNIT;
        }
        let stop = CancellationToken::new();
        let begun = Instant::now();
        let running = self.relay(&stop);
        self.broker.reach(from).await;
        let per_second = from as f64 / begun.elapsed().as_secs_f64();
        stop.cancel();
        running.await??;
        println!(
            "{}",
            serde_json::json!({ "case": "drain", "rows": from, "rows_per_s": per_second.round() })
        );
        Ok(())
    }

    /// Commits at a steady rate; the delay runs from the answer of the commit to the ack.
    async fn steady(&self) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let running = self.relay(&stop);
        // A relay that has just begun asks the broker what it knows: no part of a steady state.
        let first = self.store.commit(self.unit(1, 0)).await?.messages;
        let begun = Instant::now();
        self.broker.delays(first.into_iter().map(|id| (id, begun)).collect()).await;
        let committed = Arc::new(Mutex::new(Vec::<(Id, Instant)>::new()));
        let mut beat = tokio::time::interval(BEAT);
        let (begun, mut count) = (Instant::now(), 0);
        let mut commits = tokio::task::JoinSet::new();
        while begun.elapsed() < STEADY {
            beat.tick().await;
            let due = (begun.elapsed().as_secs_f64() * RATE as f64) as usize;
            let unit = self.unit(due.saturating_sub(count), count);
            count = due.max(count);
            let (store, committed) = (self.store.clone(), committed.clone());
            commits.spawn(async move {
                let answer = store.commit(unit).await?;
                let now = Instant::now();
                committed.lock().extend(answer.messages.into_iter().map(|id| (id, now)));
                anyhow::Ok(())
            });
        }
        while let Some(ended) = commits.join_next().await {
            ended??;
        }
        let committed = std::mem::take(&mut *committed.lock());
        let mut delays = self.broker.delays(committed).await;
        stop.cancel();
        running.await??;
        delays.sort_unstable();
        let at = |share: f64| {
            let index = ((delays.len() as f64 * share) as usize).min(delays.len() - 1);
            delays[index].as_secs_f64() * 1e3
        };
        println!(
            "{}",
            serde_json::json!({
                "case": "steady", "rows": delays.len(),
                "rows_per_s": (delays.len() as f64 / STEADY.as_secs_f64()).round(),
                "p50_ms": at(0.5), "p99_ms": at(0.99),
            })
        );
        Ok(())
    }
}
