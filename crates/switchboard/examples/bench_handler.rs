//! Messages per second through the whole consuming path: publish → deliver → decide → commit → settle, beside a bare SQLite loop.
//!
//! `cargo run --release --example bench_handler [seconds]` prints one line of JSON.

#[allow(dead_code, reason = "each bench compares itself with one of the floors")]
#[path = "support/floor.rs"]
mod floor;
#[path = "support/watched.rs"]
mod watched;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use switchboard::embedded::{LogBroker, SqliteStore, broker, sqlite};
use switchboard::handler::Group;
use switchboard::message::{Broker, Topic, Topology};
use switchboard::store::{Column, NewEvent, Store, Table, Unit, Value};
use switchboard::{Clock, Envelope, Identity, Key, Message, Name, Rng, Slot, SystemClock};
use tokio_util::sync::CancellationToken;

/// As the `switchboard` program has it; the floor of the same run has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const IN_FLIGHT: usize = 256;
const ROUNDS: usize = 3;

static STATE: Table = Table { name: "state", columns: &[Column::blob("value")], indexes: &[] };

#[derive(Debug, Serialize, Deserialize)]
struct Work {
    number: u64,
    padding: String,
}

impl Message for Work {
    const TOPIC: &'static str = "work";
    const KIND: &'static str = "work.do";
    fn key(&self) -> Option<Key> {
        Some(Key::from(self.number.to_string()))
    }
}

/// When each message was published, until it is committed.
type Pending = Arc<Mutex<HashMap<String, Instant>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let seconds: u64 = std::env::args().nth(1).map_or(Ok(4), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(handled(time).await?);
        let folder = tempfile::tempdir()?;
        let path = folder.path().to_owned();
        floors
            .push(tokio::task::spawn_blocking(move || floor::units(&path, IN_FLIGHT, time)).await?);
    }
    let (ours, floor) = (median(ours), median(floors));
    let (commits, bytes) = costs(time).await?;
    println!(
        "{}",
        serde_json::json!({
            "bench": "handler", "in_flight": IN_FLIGHT, "messages_per_s": ours.per_second.round(),
            "p50_ms": ours.p50.as_secs_f64() * 1e3, "p99_ms": ours.p99.as_secs_f64() * 1e3,
            "commits_per_message": commits, "bytes_per_message": bytes.round(),
            "floor_per_s": floor.per_second.round(), "ratio": ours.per_second / floor.per_second,
        })
    );
    Ok(())
}

/// Syncs and bytes written, log and store together, for one message. In a run of its own, because
/// counting costs time.
async fn costs(time: Duration) -> anyhow::Result<(f64, f64)> {
    let counted = switchboard_telemetry::metrics()?;
    let written = || -> anyhow::Result<f64> {
        let io = std::fs::read_to_string("/proc/self/io")?;
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        Ok(line.unwrap_or("0").parse()?)
    };
    let before = written()?;
    handled(time).await?;
    let bytes = written()? - before;
    let text = counted.render();
    let sum = |name: &str| -> f64 {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    };
    let messages = sum("switchboard_store_units").max(1.0);
    let commits = sum("switchboard_store_commits") + sum("switchboard_log_group_records_count");
    Ok((commits / messages, bytes / messages))
}

fn median(mut runs: Vec<floor::Run>) -> floor::Run {
    runs.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    runs.swap_remove(runs.len() / 2)
}

async fn handled(time: Duration) -> anyhow::Result<floor::Run> {
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let log = LogBroker::open(broker::Options::new(folder.path().join("log"), clock.clone()))?;
    let log: Arc<dyn Broker> = Arc::new(log);
    log.declare(&Topology::of([Topic::new(Work::TOPIC)])).await?;
    let options = sqlite::Options::new(
        folder.path().join("worker.db"),
        "worker",
        clock.clone(),
        Rng::from_entropy(),
    );
    let store = SqliteStore::open(options.with_tables(&[&STATE]))?;

    let pending = Pending::default();
    let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
    let seen = pending.clone();
    let store: Arc<dyn Store> =
        Arc::new(watched::Watched::new(Arc::new(store), "First", move |stream| {
            if let Some(since) = seen.lock().remove(stream) {
                let _ = done.send(since.elapsed());
            }
        }));

    let shutdown = CancellationToken::new();
    let group = Group::new("worker", store, log.clone(), clock.clone(), Rng::from_entropy())
        .on::<Work, _, _>(|work, _cause| async move {
            let stream = Name::from(work.number.to_string());
            let event = |kind: &str| NewEvent {
                stream: stream.clone(),
                kind: kind.into(),
                schema: 1,
                tags: Vec::new(),
                data: Bytes::from(vec![b'7'; 200]),
            };
            let mut unit =
                Unit::new().put(&STATE, &*stream, [("value", Value::from(vec![7; 200]))]);
            unit.events = vec![event("First"), event("Second")];
            Ok(unit)
        });
    let running = tokio::spawn(group.run(shutdown.clone()));

    let mut source =
        Source { clock, rng: Rng::from_entropy(), sequences: HashMap::new(), number: 0 };
    publish(&*log, source.next(IN_FLIGHT), &pending).await?;
    let begun = Instant::now();
    let mut latencies = Vec::new();
    while begun.elapsed() < time {
        let mut ended = Vec::new();
        finished.recv_many(&mut ended, IN_FLIGHT).await;
        publish(&*log, source.next(ended.len()), &pending).await?;
        latencies.append(&mut ended);
    }
    let run = floor::Run::of(latencies, begun.elapsed());
    shutdown.cancel();
    running.await??;
    Ok(run)
}

async fn publish(log: &dyn Broker, batch: Vec<Envelope>, pending: &Pending) -> anyhow::Result<()> {
    let now = Instant::now();
    for envelope in &batch {
        let key = envelope.key.as_ref().map(ToString::to_string).unwrap_or_default();
        pending.lock().insert(key, now);
    }
    for ack in log.publish(batch).await {
        ack?;
    }
    Ok(())
}

/// Makes messages with the identity that a store would have given them.
struct Source {
    clock: Arc<dyn Clock>,
    rng: Rng,
    sequences: HashMap<Slot, u64>,
    number: u64,
}

impl Source {
    fn next(&mut self, count: usize) -> Vec<Envelope> {
        (0..count).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> Envelope {
        self.number += 1;
        let work = Work { number: self.number, padding: "x".repeat(100) };
        let key = Key::from(work.number.to_string());
        let slot = Slot::of(&key);
        let sequence = self.sequences.entry(slot).or_insert(0);
        *sequence += 1;
        let identity =
            Identity { source: "source".into(), incarnation: 1, sequence: *sequence, slot };
        let payload = serde_json::to_vec(&work).unwrap_or_default();
        let mut envelope =
            Envelope::new(Work::TOPIC, Work::KIND, "source", &*self.clock, &mut self.rng)
                .with_key(key)
                .with_payload(payload);
        envelope.identity = Some(identity);
        envelope
    }
}
