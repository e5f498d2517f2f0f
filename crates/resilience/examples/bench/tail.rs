//! How long the slowest rejections take, with more tasks than cores.

use std::hint::black_box;
use std::time::Instant;

use serde_json::json;

use crate::ours;

const TASKS: u64 = 8;
const WORKERS: usize = 2;
/// The goal for the 99.9th percentile.
const GOAL_NS: u64 = 2_000;

/// Eight tasks on two workers get nothing but rejections, each timed alone; asking for the time
/// twice is in every figure.
pub(crate) fn measure(calls: u64) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).build()?;
    let shared = ours::open();
    let mut times: Vec<u64> = runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let breaker = shared.clone();
                tokio::spawn(async move {
                    let mut times = Vec::with_capacity((calls / TASKS) as usize);
                    for call in 0..calls / TASKS {
                        let begun = Instant::now();
                        let is_rejected = black_box(breaker.admit()).is_err();
                        times.push(begun.elapsed().as_nanos() as u64);
                        assert!(is_rejected, "it is open");
                        if call % 256 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                    times
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap_or_default());
        }
        all
    });
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0);
    let p999 = at(0.999);
    println!(
        "{}",
        json!({
            "case": "open, 8 tasks on 2 workers, each call timed",
            "threads": WORKERS,
            "p50_ns": at(0.5),
            "p999_ns": p999,
            "max_us": times.last().map(|max| max / 1_000),
            "goal": GOAL_NS,
            "holds": if p999 < GOAL_NS { "yes" } else { "no" },
        })
    );
    Ok(())
}
