//! Units per second beside a bare SQLite loop that writes the same rows: one line of JSON per case.
//!
//! A unit is the mark of a handled message, two events of 200 bytes on a new stream, and one row.
//! The floor inserts the same four rows with sequential keys from one thread that has nothing else
//! to do, as many per transaction as there are writers, on a write-ahead file that was grown once.
//! Both run in turns, so that what else the machine does meets both; the figures are medians, the
//! ratio that of the rounds' own ratios.
#![allow(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use switchboard_core::{Identity, Key, Rng, Slot, SystemClock};
use switchboard_store::{
    Column, Custody, Expect, Handled, Journal, Mark, NewEvent, Table, Unit, Value,
};
use switchboard_store_sqlite::{Options, SqliteStore};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const ROUNDS: usize = 9;
const RUN: Duration = Duration::from_millis(600);
const PAYLOAD: &str = "{\"amount\":500,\"currency\":\"USD\",\"note\":\"\
    012345678901234567890123456789012345678901234567890123456789012345678901234\
    567890123456789012345678901234567890123456789012345678901234567890123456789\"}";

static STATES: Table = Table { name: "states", columns: &[Column::text("state")], indexes: &[] };

fn main() -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    // Other numbers of writers may be asked for as arguments.
    let asked = std::env::args().skip(1).map(|text| text.parse());
    let asked: Vec<u64> = asked.collect::<std::result::Result<_, _>>()?;
    for writers in if asked.is_empty() { vec![1, 16, 256] } else { asked } {
        let (mut units, mut floors, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            syncs.push(fdatasyncs(folder.path())?);
            let name = |kind: &str| folder.path().join(format!("{kind}-{writers}-{round}.db"));
            floors.push(bare(&name("bare"), writers)?);
            units.push(runtime.block_on(ours(&name("ours"), writers))?);
        }
        let ratio = median(units.iter().zip(&floors).map(|(units, floor)| units / floor).collect());
        let (units, floor) = (median(units), median(floors));
        println!(
            "{{\"writers\":{writers},\"units_per_s\":{units:.0},\"floor_per_s\":{floor:.0},\
             \"ratio\":{:.2},\"fdatasync_per_s\":{:.0},\"load\":{}}}",
            ratio,
            median(syncs),
            load()
        );
    }
    Ok(())
}

/// The bare loop.
fn bare(path: &Path, batch: u64) -> Result<f64> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA wal_autocheckpoint = 4000;
         PRAGMA cache_size = -16384;
         CREATE TABLE ev (
             pos INTEGER PRIMARY KEY, stream TEXT, v INT, time INT, kind TEXT, data BLOB);
         CREATE UNIQUE INDEX u ON ev (stream, v);
         CREATE TABLE inbox (id TEXT PRIMARY KEY) WITHOUT ROWID;
         CREATE TABLE st (k TEXT PRIMARY KEY, v INT, state TEXT) WITHOUT ROWID;
         CREATE TABLE fill (x BLOB);
         BEGIN;
         INSERT INTO fill
             WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 160)
             SELECT randomblob(100000) FROM r;
         COMMIT;
         PRAGMA wal_checkpoint(restart);
         DELETE FROM fill;",
    )?;
    let mut inbox = connection.prepare("INSERT INTO inbox VALUES (?1)")?;
    let mut event = connection
        .prepare("INSERT INTO ev (stream, v, time, kind, data) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut state = connection.prepare("INSERT OR REPLACE INTO st VALUES (?1, 1, ?2)")?;
    let (begun, mut number) = (Instant::now(), 0_u64);
    while begun.elapsed() < RUN {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..batch {
            number += 1;
            let key = format!("{number:016}");
            let time = 1_700_000_000_000_000 + number.cast_signed();
            inbox.execute([&key])?;
            for version in 0..2 {
                event.execute(params![key, version, time, "Deposited", PAYLOAD.as_bytes()])?;
            }
            state.execute(params![key, PAYLOAD])?;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(per_second(number, begun))
}

/// The same rows as units, from as many tasks as there are writers.
async fn ours(path: &Path, writers: u64) -> Result<f64> {
    let options = Options::new(path, "bench", Arc::new(SystemClock), Rng::from_seed(1));
    let store = SqliteStore::open(options.with_tables(&[&STATES]))?;
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks = (0..writers).map(|_| {
        let (store, next) = (store.clone(), next.clone());
        tokio::spawn(async move {
            let mut done = 0;
            while begun.elapsed() < RUN {
                store.commit(unit(next.fetch_add(1, Ordering::Relaxed))).await?;
                done += 1;
            }
            Result::Ok(done)
        })
    });
    let mut done = 0;
    for task in tasks.collect::<Vec<_>>() {
        done += task.await??;
    }
    Ok(per_second(done, begun))
}

fn unit(number: u64) -> Unit {
    let stream = format!("{number:016}");
    let slot = Slot(u8::try_from(number % 256).unwrap_or(0));
    let identity =
        Identity { source: "bench".into(), incarnation: 1, sequence: number / 256 + 1, slot };
    let mut unit = Unit::new()
        .expect(Expect::StreamAt { stream: stream.as_str().into(), version: 0 })
        .put(&STATES, stream.clone(), [("state", Value::from(PAYLOAD))])
        .handled(Handled {
            group: "bench".into(),
            mark: Mark::Known { topic: "bench".into(), identity },
            key: Key::from(stream.as_str()),
            custody: Custody::Effect,
        });
    for _ in 0..2 {
        unit.events.push(NewEvent {
            stream: stream.as_str().into(),
            kind: "Deposited".into(),
            schema: 1,
            tags: Vec::new(),
            data: PAYLOAD.into(),
        });
    }
    unit
}

/// What the disk does in these very seconds: overwriting 4 KiB and syncing.
fn fdatasyncs(folder: &Path) -> Result<f64> {
    let mut file = std::fs::File::create(folder.join("probe"))?;
    file.write_all(&vec![0; 1 << 20])?;
    file.sync_all()?;
    let (begun, mut syncs) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(200) {
        file.rewind()?;
        file.write_all(&[1; 4_096])?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(per_second(syncs, begun))
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|one| one.parse().ok()).unwrap_or(-1.0)
}

fn per_second(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
