//! How fast the log is, beside what the disk could do: one line of JSON per case.
//!
//! ```text
//! cargo run --release -p switchboard-log --example bench [-- DIR [ROUNDS [MILLIS]]]
//! ```
//!
//! Appends: each producer appends one record and waits for its sync before the next. `floor` is a
//! bare loop of `pwrite` and `fdatasync` over a preallocated file, writing the same bytes per sync
//! as the log wrote on average in the round before it; `full` is the same with one record of every
//! producer per sync, which no log can beat; `zeroing` has a second thread fill as much of another
//! file with zeros meanwhile, as a log must that never uses a file twice. Rounds of log and floors
//! take turns; medians are shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use switchboard_log::file::{Access, FileLayer, OsFiles};
use switchboard_log::{Log, Options};

const MIB: usize = 1 << 20;

struct Case {
    producers: usize,
    bytes: usize,
}

/// One round: records per second, records per sync, microseconds at the median and the 99th.
struct Round {
    rate: f64,
    group: f64,
    p50: u64,
    p99: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args
        .next()
        .map_or_else(|| std::env::temp_dir().join("switchboard-log-bench"), PathBuf::from);
    let rounds: usize = args.next().map_or(Ok(15), |rounds| rounds.parse())?;
    let time = Duration::from_millis(args.next().map_or(Ok(120), |millis| millis.parse())?);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    for bytes in [100, 1024] {
        for producers in [1, 16, 256] {
            append_case(&runtime, &dir, &Case { producers, bytes }, rounds, time)?;
        }
    }
    for bytes in [100, 1024] {
        read_case(&dir, bytes, rounds)?;
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn append_case(
    runtime: &tokio::runtime::Runtime,
    dir: &Path,
    case: &Case,
    rounds: usize,
    time: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let folder = dir.join("append");
    let (log, _) = Log::open(Options::new(&folder))?;
    // The first segments are small; begin in one of full size, as a log that has run for a while.
    warm(&log)?;
    let (floor, spare) = (Floor::create(&dir.join("floor"))?, Floor::create(&dir.join("spare"))?);
    let (mut own, mut same, mut full) = (Vec::new(), Vec::new(), Vec::new());
    let (mut groups, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ratios, mut full_ratios, mut zeroing) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let round = runtime.block_on(append_round(&log, case, time));
        let group = round.group.round().max(1.0) as usize;
        own.push(round.rate);
        groups.push(round.group);
        p50.push(round.p50 as f64);
        p99.push(round.p99 as f64);
        let floor_rate = floor.run(case.bytes * group, time)? * group as f64;
        let full_rate = floor.run(case.bytes * case.producers, time)? * case.producers as f64;
        let zeroing_rate = floor.run_beside(&spare, case.bytes * group, time)? * group as f64;
        ratios.push(round.rate / floor_rate);
        full_ratios.push(round.rate / full_rate);
        zeroing.push(round.rate / zeroing_rate);
        same.push(floor_rate);
        full.push(full_rate);
    }
    drop(log);
    std::fs::remove_dir_all(&folder)?;
    let (rate, same, full) = (median(&mut own), median(&mut same), median(&mut full));
    println!(
        "{{\"case\":\"append\",\"producers\":{},\"bytes\":{},\"appends_per_s\":{rate:.0},\
         \"records_per_sync\":{:.1},\"floor_per_s\":{same:.0},\"ratio\":{:.3},\
         \"full_floor_per_s\":{full:.0},\"full_ratio\":{:.3},\"zeroing_ratio\":{:.3},\
         \"p50_us\":{},\"p99_us\":{}}}",
        case.producers,
        case.bytes,
        median(&mut groups),
        median(&mut ratios),
        median(&mut full_ratios),
        median(&mut zeroing),
        median(&mut p50),
        median(&mut p99),
    );
    Ok(())
}

fn warm(log: &Log) -> Result<(), Box<dyn std::error::Error>> {
    let channel = log.channel("warm")?;
    let record = Bytes::from(vec![1; MIB]);
    for _ in 0..24 {
        log.append(vec![(channel, record.clone(), 0)]).wait()?;
    }
    Ok(())
}

async fn append_round(log: &Log, case: &Case, time: Duration) -> Round {
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let syncs = *log.watermark().borrow();
    let begun = Instant::now();
    let tasks: Vec<_> = (0..case.producers)
        .map(|number| {
            let (log, stop, count) = (log.clone(), stop.clone(), count.clone());
            let data = Bytes::from(vec![7; case.bytes]);
            tokio::spawn(async move {
                let channel = log.channel(&format!("bench/{}", number % 16)).expect("a channel");
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    log.append(vec![(channel, data.clone(), 0)]).await.expect("synced");
                    times.push(sent.elapsed().as_micros() as u64);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                times
            })
        })
        .collect();
    tokio::time::sleep_until((begun + time).into()).await;
    stop.store(true, Ordering::Relaxed);
    let (records, took) = (count.load(Ordering::Relaxed) as f64, begun.elapsed().as_secs_f64());
    let synced = (*log.watermark().borrow() - syncs) as f64;
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a producer"));
    }
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0);
    Round { rate: records / took, group: records / synced, p50: at(0.5), p99: at(0.99) }
}

/// A bare loop over a preallocated file.
struct Floor {
    file: Arc<dyn switchboard_log::file::File>,
    len: u64,
}

impl Floor {
    fn create(path: &Path) -> std::io::Result<Self> {
        let file = OsFiles.open(path, Access::Create)?;
        let len = 64 * MIB as u64;
        for at in 0..64 {
            file.write_at(&vec![0; MIB], at * MIB as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, len })
    }

    fn run(&self, bytes: usize, time: Duration) -> std::io::Result<f64> {
        self.run_telling(bytes, time, |_| {})
    }

    /// The same while another thread fills as many bytes of `spare` with zeros.
    fn run_beside(&self, spare: &Self, bytes: usize, time: Duration) -> std::io::Result<f64> {
        let (owed, owes) = std::sync::mpsc::channel::<usize>();
        std::thread::scope(|scope| {
            let filling = scope.spawn(move || spare.fill(&owes, (4 * bytes).clamp(MIB / 4, MIB)));
            let rate = self.run_telling(bytes, time, |written| {
                let _ = owed.send(written);
            });
            drop(owed);
            filling.join().map_err(|_| std::io::Error::other("the filling thread panicked"))??;
            rate
        })
    }

    fn fill(&self, owes: &std::sync::mpsc::Receiver<usize>, chunk: usize) -> std::io::Result<()> {
        let (zeros, mut owed, mut at) = (vec![0; chunk], 0, 0);
        while let Ok(bytes) = owes.recv() {
            owed += bytes;
            while owed >= chunk {
                self.file.write_at(&zeros, at)?;
                self.file.sync_data()?;
                at = if at + 2 * chunk as u64 > self.len { 0 } else { at + chunk as u64 };
                owed -= chunk;
            }
        }
        Ok(())
    }

    fn run_telling(
        &self,
        bytes: usize,
        time: Duration,
        tell: impl Fn(usize),
    ) -> std::io::Result<f64> {
        let data = vec![7; bytes];
        let (mut syncs, mut at) = (0_u64, 0);
        let begun = Instant::now();
        while begun.elapsed() < time {
            if at + bytes as u64 > self.len {
                at = 0;
            }
            self.file.write_at(&data, at)?;
            self.file.sync_data()?;
            tell(bytes);
            at += bytes as u64;
            syncs += 1;
        }
        Ok(syncs as f64 / begun.elapsed().as_secs_f64())
    }
}

fn read_case(dir: &Path, bytes: usize, rounds: usize) -> Result<(), Box<dyn std::error::Error>> {
    let folder = dir.join("read");
    let (log, _) = Log::open(Options::new(&folder))?;
    let channel = log.channel("read")?;
    let data = Bytes::from(vec![7; bytes]);
    let total = 256 * MIB / (bytes + 32);
    let mut left = total;
    while left > 0 {
        let count = left.min(1000);
        log.append(vec![(channel, data.clone(), 0); count]).wait()?;
        left -= count;
    }
    let (mut records, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let mut after = 0;
        loop {
            let read = log.read(channel, after, 10_000, MIB)?;
            let Some(last) = read.last() else { break };
            after = last.position;
        }
        let took = begun.elapsed().as_secs_f64();
        records.push(after as f64 / took);
        rates.push((after as usize * bytes) as f64 / took / MIB as f64);
    }
    drop(log);
    let begun = Instant::now();
    let (log, recovered) = Log::open(Options::new(&folder))?;
    let opened = begun.elapsed().as_secs_f64() * 1e3;
    println!(
        "{{\"case\":\"read\",\"bytes\":{bytes},\"records_per_s\":{:.0},\"mib_per_s\":{:.0},\
         \"open_ms\":{opened:.1},\"segments\":{}}}",
        median(&mut records),
        median(&mut rates),
        recovered.segments,
    );
    drop(log);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
