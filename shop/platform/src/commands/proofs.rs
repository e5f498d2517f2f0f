//! Load for storms and figures for benches: what the project's own tool asks of this program.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use switchboard_core::BoxError;
use tokio_util::sync::CancellationToken;

use super::{runtime, show};
use crate::cli::StormLoad;
use crate::load::{Client, bench as measure, storm as load};

/// How long the idle shop is watched.
const IDLE: Duration = Duration::from_secs(5);

/// Places orders until stdin closes, then does the sums.
///
/// # Errors
/// When the shop answers what it must not.
pub fn storm(storm: &StormLoad) -> Result<ExitCode, BoxError> {
    let stop = CancellationToken::new();
    let closed = stop.clone();
    // A thread of its own: a blocked read of stdin would keep the runtime from ending.
    std::thread::spawn(move || {
        let _any_end_is_one = std::io::stdin().lock().read_to_end(&mut Vec::new());
        closed.cancel();
    });
    let options = load::Options {
        customers: storm.customers,
        failing: 4,
        seed: storm.seed,
        longest: Duration::from_secs(storm.seconds),
    };
    let client = Client::new(&storm.url);
    let sums = runtime()?.block_on(load::run(&client, &options, stop))?;
    show::line(sums.to_string().trim_end());
    Ok(if sums.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts the shop beside, measures start, idling and orders; prints a line of JSON per case.
///
/// # Errors
/// When the shop does not start, or an order does not complete.
pub fn bench(seconds: u64) -> Result<ExitCode, BoxError> {
    let begun = Instant::now();
    let mut shop = Shop::start()?;
    let start = begun.elapsed();
    std::thread::park_timeout(Duration::from_secs(1));
    let before = shop.cpu_seconds()?;
    let watched = Instant::now();
    std::thread::park_timeout(IDLE);
    let cpu = (shop.cpu_seconds()? - before) / watched.elapsed().as_secs_f64() * 100.0;
    show::line(
        &json!({
            "start_ms": rounded(start.as_secs_f64() * 1_000.0),
            "idle_cpu_percent": rounded(cpu),
            "idle_memory_mb": rounded(shop.memory_mb()?),
        })
        .to_string(),
    );
    let client = Client::new(&shop.url);
    let runtime = runtime()?;
    for customers in [1, 16, 64] {
        let time = Duration::from_secs(seconds);
        let figures = runtime.block_on(measure::run(&client, customers, time))?;
        show::line(
            &json!({
                "customers": figures.customers,
                "orders_per_s": rounded(figures.orders_per_s),
                "p50_ms": rounded(figures.p50.as_secs_f64() * 1_000.0),
                "p99_ms": rounded(figures.p99.as_secs_f64() * 1_000.0),
            })
            .to_string(),
        );
    }
    shop.stop()?;
    Ok(ExitCode::SUCCESS)
}

fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// This program, running the shop in a process of its own; killed when this is dropped.
struct Shop {
    child: Child,
    url: String,
}

impl Shop {
    fn start() -> Result<Self, BoxError> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["up", "--ephemeral", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the shop has no output")?;
        let mut shop = Self { child, url: String::new() };
        let mut lines = BufReader::new(stdout).lines();
        for line in &mut lines {
            let line = line?;
            if shop.url.is_empty()
                && let Some(at) = line.find("http://")
            {
                shop.url = line[at..].trim().to_owned();
            }
            if line.starts_with("ready") {
                // What it prints later is read away, so that it never waits for us.
                std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
                return Ok(shop);
            }
        }
        Err("the shop ended before it was ready".into())
    }

    /// User and system time so far. `/proc` counts in hundredths of a second.
    fn cpu_seconds(&self) -> Result<f64, BoxError> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
        let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok());
        let (user, system) = ticks(12).zip(ticks(13)).ok_or("no times in /proc")?;
        Ok((user + system) / 100.0)
    }

    fn memory_mb(&self) -> Result<f64, BoxError> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kilobytes.ok_or("no memory in /proc")? / 1_024.0)
    }

    fn stop(&mut self) -> Result<(), BoxError> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the shop ended with {status}").into()) }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}
