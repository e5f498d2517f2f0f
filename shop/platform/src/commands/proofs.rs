//! Load for storms and figures for benches: what the project's own tool asks of this program.

use std::io::Read;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use switchboard_core::BoxError;
use tokio_util::sync::CancellationToken;

use super::beside::Shop;
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
    let (begun, runtime) = (Instant::now(), runtime()?);
    let shop = runtime.block_on(Shop::start())?;
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
