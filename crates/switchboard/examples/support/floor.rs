//! The floors that our figures are compared with: bare SQLite loops and a bare log, without any of our code.
//!
//! A hop is one SQLite commit (an inbox row, two events, one state row per message; group commit by draining), or one append to a
//! shared preallocated log that is synced. There is no dispatch, no decision and no dedupe: it is what the machine can do.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What a run of a floor or of ours achieved.
#[derive(Debug)]
pub(crate) struct Run {
    /// Finished per second.
    pub(crate) per_second: f64,
    /// The middle latency.
    pub(crate) p50: Duration,
    /// The latency that one in a hundred exceeds.
    pub(crate) p99: Duration,
}

impl Run {
    /// From every latency and the time that passed.
    pub(crate) fn of(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        let at = |share: usize| {
            latencies.get(latencies.len() * share / 100).copied().unwrap_or_default()
        };
        let per_second = latencies.len() as f64 / elapsed.as_secs_f64();
        Self { per_second, p50: at(50), p99: at(99) }
    }
}

/// A token on its way: how many hops it has made, and since when.
type Token = (usize, Instant);

const SCHEMA: &str = "
    pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000;
    create table event(position integer primary key autoincrement, stream blob, version int, data blob);
    create unique index event_stream on event(stream, version);
    create table inbox(id blob primary key) without rowid;
    create table state(key blob primary key, value blob) without rowid;
    create table filler(bytes blob);";

/// One store: takes tokens, commits whatever has gathered, passes them on.
fn store(
    path: &Path,
    tokens: Receiver<Token>,
    mut done: impl FnMut(Token),
) -> rusqlite::Result<()> {
    let connection = rusqlite::Connection::open(path)?;
    connection.execute_batch(SCHEMA)?;
    // A log file that has been grown once and is then overwritten commits faster than one that grows.
    connection.execute_batch(
        "begin; insert into filler select randomblob(100000) from
           (with recursive r(i) as (select 1 union all select i + 1 from r where i < 160) select * from r);
         commit; pragma wal_checkpoint(restart); delete from filler;",
    )?;
    let data = [7u8; 200];
    let mut number = 0u64;
    while let Ok(first) = tokens.recv() {
        let mut batch = vec![first];
        while batch.len() < 256 {
            let Ok(token) = tokens.try_recv() else { break };
            batch.push(token);
        }
        connection.execute_batch("begin immediate")?;
        for _ in &batch {
            number += 1;
            let key = number.to_be_bytes();
            connection.prepare_cached("insert into inbox values (?1)")?.execute([&key[..]])?;
            for version in 0..2 {
                connection
                    .prepare_cached("insert into event(stream, version, data) values (?1, ?2, ?3)")?
                    .execute(rusqlite::params![&key[..], version, &data[..]])?;
            }
            connection
                .prepare_cached("insert or replace into state values (?1, ?2)")?
                .execute(rusqlite::params![&key[..], &data[..]])?;
        }
        connection.execute_batch("commit")?;
        for (hops, since) in batch {
            done((hops + 1, since));
        }
    }
    Ok(())
}

/// A bare SQLite loop with so many units in flight, for so long.
pub(crate) fn units(folder: &Path, in_flight: usize, time: Duration) -> Run {
    let (submit, submitted) = channel::<Token>();
    let (finish, finished) = channel::<Token>();
    let path = folder.join("floor.db");
    let worker = thread::spawn(move || {
        store(&path, submitted, |token| {
            let _ = finish.send(token);
        })
    });
    for _ in 0..in_flight {
        let _ = submit.send((0, Instant::now()));
    }
    let begun = Instant::now();
    let mut latencies = Vec::new();
    while begun.elapsed() < time {
        let Ok((_, since)) = finished.recv() else { break };
        latencies.push(since.elapsed());
        let _ = submit.send((0, Instant::now()));
    }
    let run = Run::of(latencies, begun.elapsed());
    drop(submit);
    let _ = worker.join();
    run
}

/// A pipeline: each token alternates between a store of `path` and one shared log, a commit each.
///
/// An order saga that goes well is `[0, 1, 0, 2, 0, 3, 0]`: orders, payments, orders, inventory, orders, shipping, orders.
pub(crate) fn pipeline(folder: &Path, path: &[usize], in_flight: usize, time: Duration) -> Run {
    let stores = path.iter().max().map_or(1, |last| last + 1);
    let (to_log, log_tokens) = channel::<Token>();
    let mut to_store: Vec<Sender<Token>> = Vec::new();
    for number in 0..stores {
        let (send, receive) = channel::<Token>();
        to_store.push(send);
        let (log, file) = (to_log.clone(), folder.join(format!("floor-{number}.db")));
        thread::spawn(move || {
            store(&file, receive, |token| {
                let _ = log.send(token);
            })
        });
    }
    drop(to_log);
    let (finish, finished) = channel::<Token>();
    let (hops, first) = (path.to_vec(), to_store.first().cloned());
    let file = folder.join("floor.log");
    thread::spawn(move || log(&file, &log_tokens, &hops, &to_store, &finish));
    let Some(first) = first else { return Run::of(Vec::new(), time) };
    for _ in 0..in_flight {
        let _ = first.send((0, Instant::now()));
    }
    let begun = Instant::now();
    let mut latencies = Vec::new();
    while begun.elapsed() < time {
        let Ok((_, since)) = finished.recv() else { break };
        latencies.push(since.elapsed());
        let _ = first.send((0, Instant::now()));
    }
    Run::of(latencies, begun.elapsed())
}

/// The shared log: appends whatever has gathered, syncs once, sends each token to its next store.
fn log(
    path: &Path,
    tokens: &Receiver<Token>,
    hops: &[usize],
    stores: &[Sender<Token>],
    finish: &Sender<Token>,
) -> std::io::Result<()> {
    let file = fs::File::options().create(true).truncate(true).write(true).open(path)?;
    let zeros = vec![0u8; 1 << 20];
    for megabyte in 0..128 {
        file.write_all_at(&zeros, megabyte << 20)?;
    }
    file.sync_all()?;
    let mut at = 0;
    while let Ok(first) = tokens.recv() {
        let mut batch = vec![first];
        while let Ok(token) = tokens.try_recv() {
            batch.push(token);
        }
        let bytes = vec![3u8; batch.len() * 300];
        file.write_all_at(&bytes, at)?;
        at = (at + bytes.len() as u64) % (120 << 20);
        file.sync_data()?;
        for (made, since) in batch {
            // Each store hop is followed by a log hop, so `made` store hops are behind it.
            let sent = match hops.get(made) {
                Some(next) => stores[*next].send((made, since)).is_ok(),
                None => finish.send((made, since)).is_ok(),
            };
            if !sent {
                return Ok(());
            }
        }
    }
    Ok(())
}
