//! Units per second beside a bare loop that writes the same rows: one line of JSON per case.
//!
//! A unit is the mark of a handled message, two events of 200 bytes on a new stream, and one row.
//! The floor is one connection that has nothing else to do: it sends the same rows as arrays (an
//! inbox row, a state row, two events for each unit), as many per transaction as there are writers,
//! and takes an advisory lock before the events. The server floor leaves the client's work out: there
//! the server makes the rows by itself. And what most programs do: one `INSERT` of one row per
//! transaction, from as many connections as there are writers, but not more than eight. All run in
//! turns, so that what else the machine does meets all; the figures are medians, ratios those of the
//! rounds' own ratios.
//!
//! `SWITCHBOARD_TEST_POSTGRES` names the server. Numbers of writers may be given as arguments;
//! `x2` before them lets two stores share the schema, as two processes would.
#![allow(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use switchboard_core::{Identity, Key, Rng, Slot, SystemClock};
use switchboard_store::{
    Column, Custody, Expect, Handled, Journal, Mark, NewEvent, Table, Unit, Value,
};
use switchboard_store_postgres::{Options, PostgresStore};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const ROUNDS: usize = 7;
const RUN: Duration = Duration::from_millis(1_000);
const PAYLOAD: &str = "{\"amount\":500,\"currency\":\"USD\",\"note\":\"\
    012345678901234567890123456789012345678901234567890123456789012345678901234\
    567890123456789012345678901234567890123456789012345678901234567890123456789\"}";

static STATES: Table = Table { name: "states", columns: &[Column::text("state")], indexes: &[] };

static TABLES: &[&Table] = &[&STATES];

/// What a run came to.
struct Run {
    per_second: f64,
    commits: f64,
    wal: f64,
    dead: i64,
}

fn main() -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let url = std::env::var("SWITCHBOARD_TEST_POSTGRES")
        .map_err(|_| "SWITCHBOARD_TEST_POSTGRES names no server")?;
    let (mut cases, mut stores) = (Vec::new(), 1);
    for argument in std::env::args().skip(1) {
        match argument.strip_prefix('x') {
            Some(count) => stores = count.parse()?,
            None => cases.push((argument.parse()?, stores)),
        }
    }
    if cases.is_empty() {
        cases = vec![(1, 1), (16, 1), (64, 1), (256, 1), (256, 2)];
    }
    for (writers, stores) in cases {
        runtime.block_on(case(&url, writers, stores))?;
    }
    Ok(())
}

async fn case(url: &str, writers: u64, stores: usize) -> Result<()> {
    let (mut units, mut floors, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut server_floors, mut inserts) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let schema = format!("bench_{}_{writers}_{round}", std::process::id());
        floors.push(bare(url, &schema, writers, true).await?);
        server_floors.push(bare(url, &schema, writers, false).await?);
        inserts.push(single(url, &schema, writers.min(8)).await?);
        let run = ours(url, &schema, writers, stores).await?;
        units.push(run.per_second);
        runs.push(run);
        let mut connection = PgConnection::connect(url).await?;
        run_sql(&mut connection, format!("DROP SCHEMA \"{schema}\" CASCADE")).await?;
    }
    let ratio = |floors: &[f64]| {
        median(units.iter().zip(floors).map(|(units, floor)| units / floor).collect())
    };
    let (ratio, server_ratio) = (ratio(&floors), ratio(&server_floors));
    let of = |pick: fn(&Run) -> f64| median(runs.iter().map(pick).collect());
    println!(
        "{{\"writers\":{writers},\"stores\":{stores},\"units_per_s\":{:.0},\"floor_per_s\":{:.0},\
         \"ratio\":{ratio:.2},\"server_floor_per_s\":{:.0},\"server_ratio\":{server_ratio:.2},\
         \"inserts_per_s\":{:.0},\"commits_per_unit\":{:.4},\"wal_bytes_per_unit\":{:.0},\
         \"dead_tuples\":{:.0},\"load\":{}}}",
        median(units),
        median(floors),
        median(server_floors),
        median(inserts),
        of(|run| run.commits),
        of(|run| run.wal),
        of(|run| run.dead as f64),
        load()
    );
    Ok(())
}

/// The bare loop.
async fn bare(url: &str, schema: &str, batch: u64, sends: bool) -> Result<f64> {
    let mut connection = PgConnection::connect(url).await?;
    let name = format!("{schema}_bare");
    run_sql(
        &mut connection,
        format!(
            "CREATE SCHEMA {name}; SET search_path = {name};
             CREATE TABLE ev (pos int8 PRIMARY KEY, stream text COLLATE \"C\", v int8, time int8,
                 kind text COLLATE \"C\", data bytea);
             CREATE UNIQUE INDEX u ON ev (stream, v);
             CREATE TABLE inbox (id text COLLATE \"C\" PRIMARY KEY);
             CREATE TABLE st (k text COLLATE \"C\" PRIMARY KEY, v int8, state text);"
        ),
    )
    .await?;
    let lock = i64::from(std::process::id());
    let (begun, mut number) = (Instant::now(), 0_i64);
    while begun.elapsed() < RUN {
        let (first, last) = (number + 1, number + batch.cast_signed());
        number = last;
        sqlx::raw_sql("BEGIN").execute(&mut connection).await?;
        if sends {
            send(&mut connection, lock, first, last).await?;
        } else {
            generate(&mut connection, lock, first, last).await?;
        }
        sqlx::raw_sql("COMMIT").execute(&mut connection).await?;
    }
    let result = per_second(number.cast_unsigned(), begun);
    run_sql(&mut connection, format!("DROP SCHEMA {name} CASCADE")).await?;
    Ok(result)
}

/// One row per transaction, from so many connections.
async fn single(url: &str, schema: &str, connections: u64) -> Result<f64> {
    let name = format!("{schema}_single");
    let mut first = PgConnection::connect(url).await?;
    let table = format!("CREATE SCHEMA {name}; CREATE TABLE {name}.ev (stream text, data bytea)");
    run_sql(&mut first, table).await?;
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(PgConnection::connect(url).await?);
    }
    let begun = Instant::now();
    let tasks = open.into_iter().map(|mut connection| {
        let insert = format!("INSERT INTO {name}.ev VALUES ($1, $2)");
        tokio::spawn(async move {
            let mut done = 0;
            while begun.elapsed() < RUN {
                let insert = sqlx::query(AssertSqlSafe(insert.as_str()));
                let insert = insert.bind("a stream").bind(PAYLOAD.as_bytes());
                insert.execute(&mut connection).await?;
                done += 1;
            }
            Result::Ok(done)
        })
    });
    let mut done = 0;
    for task in tasks.collect::<Vec<_>>() {
        done += task.await??;
    }
    let result = per_second(done, begun);
    run_sql(&mut first, format!("DROP SCHEMA {name} CASCADE")).await?;
    Ok(result)
}

/// Rows that the server makes by itself.
async fn generate(connection: &mut PgConnection, lock: i64, first: i64, last: i64) -> Result<()> {
    let inbox = "INSERT INTO inbox SELECT lpad(n::text, 16, '0') \
                 FROM generate_series($1::int8, $2::int8) n";
    sqlx::query(inbox).bind(first).bind(last).execute(&mut *connection).await?;
    let state = "INSERT INTO st SELECT lpad(n::text, 16, '0'), 1, $3 \
                 FROM generate_series($1::int8, $2::int8) n";
    let state = sqlx::query(state).bind(first).bind(last).bind(PAYLOAD);
    state.execute(&mut *connection).await?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock);
    lock.execute(&mut *connection).await?;
    let events = "INSERT INTO ev SELECT n * 2 + v, lpad(n::text, 16, '0'), v, \
                  1700000000000000 + n, 'Deposited', $3 \
                  FROM generate_series($1::int8, $2::int8) n, generate_series(0, 1) v";
    let events = sqlx::query(events).bind(first).bind(last).bind(PAYLOAD.as_bytes());
    events.execute(connection).await?;
    Ok(())
}

/// The same rows, sent as arrays.
async fn send(connection: &mut PgConnection, lock: i64, first: i64, last: i64) -> Result<()> {
    let keys: Vec<String> = (first..=last).map(|number| format!("{number:016}")).collect();
    let payloads = vec![PAYLOAD; keys.len()];
    let inbox = sqlx::query("INSERT INTO inbox SELECT * FROM unnest($1::text[])").bind(&keys);
    inbox.execute(&mut *connection).await?;
    let state = "INSERT INTO st SELECT * FROM unnest($1::text[], $2::int8[], $3::text[])";
    let state = sqlx::query(state).bind(&keys).bind(vec![1_i64; keys.len()]).bind(payloads);
    state.execute(&mut *connection).await?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock);
    lock.execute(&mut *connection).await?;
    let each = || keys.iter().flat_map(|key| [key.as_str(), key.as_str()]);
    let events = sqlx::query(
        "INSERT INTO ev SELECT * FROM unnest($1::int8[], $2::text[], $3::int8[], $4::int8[], \
         $5::text[], $6::bytea[])",
    );
    let count = 2 * keys.len();
    events
        .bind((2 * first..2 * last + 2).collect::<Vec<i64>>())
        .bind(each().collect::<Vec<_>>())
        .bind((0..count).map(|n| (n % 2) as i64).collect::<Vec<_>>())
        .bind(vec![1_700_000_000_000_000_i64; count])
        .bind(vec!["Deposited"; count])
        .bind(vec![PAYLOAD.as_bytes(); count])
        .execute(connection)
        .await?;
    Ok(())
}

/// The same rows as units, from as many tasks as there are writers.
async fn ours(url: &str, schema: &str, writers: u64, stores: usize) -> Result<Run> {
    let mut all = Vec::new();
    for _ in 0..stores {
        let rng = Rng::from_entropy();
        let options = Options::new(url, "bench", TABLES, Arc::new(SystemClock), rng);
        all.push(PostgresStore::open(options.with_schema(schema)).await?);
    }
    let mut connection = PgConnection::connect(url).await?;
    let wal = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8";
    let before: i64 = sqlx::query_scalar(wal).fetch_one(&mut connection).await?;
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks = (0..writers).map(|writer| {
        let of_store = usize::try_from(writer).unwrap_or(0) % all.len();
        let (store, next) = (all[of_store].clone(), next.clone());
        tokio::spawn(async move {
            let mut done = 0;
            while begun.elapsed() < RUN {
                store.commit(unit(next.fetch_add(1, Ordering::Relaxed), of_store)).await?;
                done += 1;
            }
            Result::Ok(done)
        })
    });
    let mut done = 0;
    for task in tasks.collect::<Vec<_>>() {
        done += task.await??;
    }
    let per_second = per_second(done, begun);
    for store in all {
        store.close().await;
    }
    let after: i64 = sqlx::query_scalar(wal).fetch_one(&mut connection).await?;
    let commits = AssertSqlSafe(format!("SELECT commits FROM \"{schema}\".sb_meta"));
    let commits: i64 = sqlx::query_scalar(commits).fetch_one(&mut connection).await?;
    // Sessions report what they have done when they end.
    let dead = "SELECT coalesce(sum(n_dead_tup), 0)::int8 FROM pg_stat_user_tables \
                WHERE schemaname = $1";
    let dead: i64 = sqlx::query_scalar(dead).bind(schema).fetch_one(&mut connection).await?;
    let (commits, wal) = (commits as f64 / done as f64, (after - before) as f64 / done as f64);
    Ok(Run { per_second, commits, wal, dead })
}

fn unit(number: u64, of_store: usize) -> Unit {
    let stream = format!("{number:016}");
    let slot = Slot(u8::try_from(number % 256).unwrap_or(0));
    let identity =
        Identity { source: "bench".into(), incarnation: 1, sequence: number / 256 + 1, slot };
    let mut unit = Unit::new()
        .expect(Expect::StreamAt { stream: stream.as_str().into(), version: 0 })
        .put(&STATES, stream.clone(), [("state", Value::from(PAYLOAD))])
        .handled(Handled {
            // Two processes of a group have other partitions, and therefore other slots.
            group: format!("bench-{of_store}").into(),
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

async fn run_sql(connection: &mut PgConnection, text: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await?;
    Ok(())
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
