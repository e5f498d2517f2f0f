//! A bare three-step saga over four stores and one log, everything synced in the path, beside bare SQLite and a bare log that make the
//! same hops.
//!
//! `cargo run --release --example bench_saga [seconds]` prints one line of JSON per case.

#[allow(dead_code, reason = "each bench compares itself with one of the floors")]
#[path = "support/floor.rs"]
mod floor;
#[path = "support/watched.rs"]
mod watched;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use switchboard::embedded::{LogBroker, SqliteStore, broker, sqlite};
use switchboard::handler::Group;
use switchboard::message::{Broker, Topic, Topology};
use switchboard::relay::Relay;
use switchboard::saga::{Answer, Definition, EFFECTS, Orchestrator, Participant, SAGAS, Step};
use switchboard::store::{NewMessage, Store, Table, Unit};
use switchboard::{Clock, Envelope, Key, Message, Rng, SystemClock};
use tokio_util::sync::CancellationToken;

/// As the `switchboard` program has it; the floor of the same run has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 3;
const REPLIES: &str = "orders.replies";

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    id: String,
    refused: bool,
}

/// One type of command per participant; `undo` travels in its headers.
macro_rules! command {
    ($name:ident, $topic:literal) => {
        #[derive(Debug, Serialize, Deserialize)]
        struct $name {
            id: String,
            refused: bool,
        }
        impl Message for $name {
            const TOPIC: &'static str = $topic;
            const KIND: &'static str = $topic;
            fn key(&self) -> Option<Key> {
                Some(Key::from(&*self.id))
            }
        }
    };
}
command!(Charge, "payments");
command!(Reserve, "inventory");
command!(Ship, "shipping");

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let seconds: u64 = std::env::args().nth(1).map_or(Ok(4), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    // orders, payments, orders, inventory, orders, shipping, orders; refused at the third step it
    // goes back over inventory and payments.
    let ways: [(&str, bool, &'static [usize]); 2] = [
        ("completed", false, &[0, 1, 0, 2, 0, 3, 0]),
        ("refused", true, &[0, 1, 0, 2, 0, 3, 0, 2, 0, 1, 0]),
    ];
    for (case, refused, path) in ways {
        for in_flight in [1, 16, 64] {
            let (mut ours, mut floors) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(sagas(in_flight, refused, time).await?);
                let folder = tempfile::tempdir()?;
                let at = folder.path().to_owned();
                let floor = move || floor::pipeline(&at, path, in_flight, time);
                floors.push(tokio::task::spawn_blocking(floor).await?);
            }
            let (ours, floor) = (median(ours), median(floors));
            println!(
                "{}",
                serde_json::json!({
                    "bench": "saga", "case": case, "in_flight": in_flight,
                    "sagas_per_s": ours.per_second, "p50_ms": ours.p50.as_secs_f64() * 1e3,
                    "p99_ms": ours.p99.as_secs_f64() * 1e3, "floor_per_s": floor.per_second,
                    "ratio": ours.per_second / floor.per_second,
                })
            );
        }
    }
    Ok(())
}

fn median(mut runs: Vec<floor::Run>) -> floor::Run {
    runs.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    runs.swap_remove(runs.len() / 2)
}

/// Runs sagas in real stores over a real log for so long.
async fn sagas(in_flight: usize, refused: bool, time: Duration) -> anyhow::Result<floor::Run> {
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let log = LogBroker::open(broker::Options::new(folder.path().join("log"), clock.clone()))?;
    let log: Arc<dyn Broker> = Arc::new(log);
    let topics = [REPLIES, Charge::TOPIC, Reserve::TOPIC, Ship::TOPIC].map(Topic::new);
    log.declare(&Topology::of(topics)).await?;

    let shutdown = CancellationToken::new();
    let mut running = tokio::task::JoinSet::new();
    let run = |store: &Arc<dyn Store>| {
        Relay::new(store.clone(), log.clone(), clock.clone()).run(shutdown.clone())
    };
    let open = |name, tables: &[&'static Table]| open(folder.path(), name, tables, &clock);
    for name in ["payments", "inventory", "shipping"] {
        let store = open(name, &[&EFFECTS])?;
        let group = participant(name, store.clone(), log.clone(), clock.clone());
        let (relay, stop) = (run(&store), shutdown.clone());
        running.spawn(async move { relay.await.map_err(anyhow::Error::from) });
        running.spawn(async move { group.run(stop).await.map_err(anyhow::Error::from) });
    }

    let pending = Arc::new(Mutex::new(HashMap::<String, Instant>::new()));
    let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
    let seen = pending.clone();
    let orders = open("orders", &[&SAGAS])?;
    let watched: Arc<dyn Store> =
        Arc::new(watched::Watched::new(orders.clone(), "Ended", move |stream| {
            if let Some(since) = seen.lock().remove(stream) {
                let _ = done.send(since.elapsed());
            }
        }));
    let saga = Orchestrator::new(definition()?, watched.clone(), clock.clone());
    let group = Group::new("orders", watched, log.clone(), clock.clone(), Rng::from_entropy());
    let (group, relay, stop) = (saga.register(group), run(&orders), shutdown.clone());
    running.spawn(async move { relay.await.map_err(anyhow::Error::from) });
    running.spawn(async move { group.run(stop).await.map_err(anyhow::Error::from) });

    let mut number = 0u64;
    let mut start = || {
        number += 1;
        let id = number.to_string();
        pending.lock().insert(id.clone(), Instant::now());
        let unit = saga.start(&id, &Order { id: id.clone(), refused });
        let orders = orders.clone();
        async move { orders.commit(unit).await }
    };
    for _ in 0..in_flight {
        tokio::spawn(start());
    }
    let begun = Instant::now();
    let mut latencies = Vec::new();
    while begun.elapsed() < time {
        let mut some = Vec::new();
        finished.recv_many(&mut some, in_flight).await;
        for _ in 0..some.len() {
            tokio::spawn(start());
        }
        latencies.append(&mut some);
    }
    let run = floor::Run::of(latencies, begun.elapsed());
    shutdown.cancel();
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(run)
}

fn open(
    folder: &Path,
    name: &'static str,
    tables: &[&'static Table],
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Store>> {
    let path = folder.join(format!("{name}.db"));
    let options = sqlite::Options::new(path, name, clock.clone(), Rng::from_entropy());
    Ok(Arc::new(SqliteStore::open(options.with_tables(tables))?))
}

fn definition() -> anyhow::Result<Arc<Definition<Order>>> {
    let charge = |order: &Order| Charge { id: order.id.clone(), refused: false };
    let reserve = |order: &Order| Reserve { id: order.id.clone(), refused: false };
    let ship = |order: &Order| Ship { id: order.id.clone(), refused: order.refused };
    Ok(Definition::<Order>::new("order", REPLIES)
        .step(
            Step::new("charge", move |order| NewMessage::of(&charge(order)))
                .undo(move |order| NewMessage::of(&charge(order))),
        )
        .step(
            Step::new("reserve", move |order| NewMessage::of(&reserve(order)))
                .undo(move |order| NewMessage::of(&reserve(order))),
        )
        .step(Step::new("ship", move |order| NewMessage::of(&ship(order))).pivot())
        .on_change(|order, change| {
            let mut unit = Unit::new();
            if change.to.is_final() {
                unit.events.push(switchboard::store::NewEvent {
                    stream: order.id.as_str().into(),
                    kind: "Ended".into(),
                    schema: 1,
                    tags: Vec::new(),
                    data: "{}".into(),
                });
            }
            unit
        })
        .build()?)
}

/// A participant whose work is nothing but the memory of the question and the answer.
fn participant(
    name: &str,
    store: Arc<dyn Store>,
    log: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
) -> Group {
    let seat = Participant::new(store.clone());
    let answer = |refused| async move {
        Ok(match refused {
            false => Answer::Done { unit: Unit::new(), reply: serde_json::Value::Null },
            true => Answer::Rejected { unit: Unit::new(), reason: "not_served".to_owned() },
        })
    };
    let act = move |seat: Participant, refused: bool, cause: Arc<Envelope>| async move {
        match cause.headers.get("saga-action").map(|action| &**action) {
            Some("undo") => seat.undo(&cause, || answer(refused)).await,
            _ => seat.perform(&cause, || answer(refused)).await,
        }
    };
    let group = Group::new(name, store, log, clock, Rng::from_entropy());
    match name {
        "payments" => {
            group.on::<Charge, _, _>(move |it, cause| act(seat.clone(), it.refused, cause))
        }
        "inventory" => {
            group.on::<Reserve, _, _>(move |it, cause| act(seat.clone(), it.refused, cause))
        }
        _ => group.on::<Ship, _, _>(move |it, cause| act(seat.clone(), it.refused, cause)),
    }
}
