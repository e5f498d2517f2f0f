//! What a breaker costs a call, beside a floor of the same process and beside other breakers: one line of JSON per case.
//!
//! ```text
//! cargo run --release -p switchboard-resilience --example bench [-- ROUNDS [CALLS [CASE]]]
//! ```
//!
//! The floor is one relaxed load and one atomic addition, on one line of memory. Each round measures the floor and then the case, on as
//! many threads as the case has; ratios are medians over the rounds. Two threads share one breaker, each with its own handle. Calls are to
//! a function or a service that answers at once, so everything that is measured is the breaker's, and an allocation is anybody's.

mod allocations;
mod ours;
mod peers;
mod tail;

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::json;

/// Makes calls in a loop.
type Run = Box<dyn FnMut(u64) + Send>;

/// One row: what is called, and the most that it may cost.
struct Case {
    name: &'static str,
    /// A runner for one more thread, over the same breaker.
    runner: Box<dyn Fn() -> Run>,
    /// The highest ratio to the floor, with one thread and with two; none for peers.
    goals: Option<[f64; 2]>,
    /// Slow cases make fewer calls.
    share: u64,
}

// === impl Case ===

impl Case {
    fn new(name: &'static str, runner: impl Fn() -> Run + 'static) -> Self {
        Self { name, runner: Box::new(runner), goals: None, share: 1 }
    }

    fn with_goals(mut self, one: f64, two: f64) -> Self {
        self.goals = Some([one, two]);
        self
    }

    fn slower(mut self, share: u64) -> Self {
        self.share = share;
        self
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(9), |rounds| rounds.parse())?;
    let calls = arguments.next().map_or(Ok(2_000_000), |calls| calls.parse())?;
    let only = arguments.next();
    let mut cases = ours::cases();
    cases.extend(peers::cases());
    for case in cases.iter().filter(|case| only.as_deref().is_none_or(|only| case.name == only)) {
        for threads in [1, 2] {
            measure(case, threads, rounds, calls / case.share);
        }
    }
    if only.is_none() {
        tail::measure(calls)?;
    }
    Ok(())
}

fn measure(case: &Case, threads: usize, rounds: u64, calls: u64) {
    let (mut floors, mut own, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut runners: Vec<_> = (0..threads).map(|_| (case.runner)()).collect();
    // Everything is made once before it counts: stripes, time, branches.
    timed(&mut runners, calls / 10 + 1);
    let mut allocated = 0;
    for _ in 0..rounds {
        let floor = timed(&mut floor(threads), calls);
        let before = allocations::count();
        let ns = timed(&mut runners, calls);
        // Starting the threads themselves allocates a few times a round.
        allocated += allocations::count() - before;
        floors.push(floor);
        own.push(ns);
        ratios.push(ns / floor);
    }
    let ratio = median(&mut ratios);
    let goal = case.goals.map(|goals| goals[threads - 1]);
    let per_call = allocated as f64 / (rounds * calls * threads as u64) as f64;
    println!(
        "{}",
        json!({
            "case": case.name,
            "threads": threads,
            "ns": rounded(median(&mut own)),
            "floor_ns": rounded(median(&mut floors)),
            "ratio": rounded(ratio),
            "goal": goal,
            "holds": goal.map(|goal| if ratio <= goal { "yes" } else { "no" }),
            "allocations": per_call.round(),
        })
    );
}

/// Nanoseconds a call, on as many threads as there are runners, which begin together.
fn timed(runners: &mut [Run], calls: u64) -> f64 {
    if let [only] = runners {
        let begun = Instant::now();
        only(calls);
        return begun.elapsed().as_nanos() as f64 / calls as f64;
    }
    let start = Barrier::new(runners.len());
    let mut total = 0.0;
    std::thread::scope(|scope| {
        let threads: Vec<_> = runners
            .iter_mut()
            .map(|run| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let begun = Instant::now();
                    run(calls);
                    begun.elapsed().as_nanos() as f64
                })
            })
            .collect();
        let count = threads.len() as f64;
        for thread in threads {
            total += thread.join().expect("a runner does not panic") / count;
        }
    });
    total / calls as f64
}

/// The least that a breaker could do which counts: one load, one addition, all on one line.
fn floor(threads: usize) -> Vec<Run> {
    #[repr(align(128))]
    struct Line(AtomicU64, AtomicU64);
    let line = std::sync::Arc::new(Line(AtomicU64::new(0), AtomicU64::new(0)));
    (0..threads)
        .map(|_| -> Run {
            let line = line.clone();
            Box::new(move |calls| {
                for _ in 0..calls {
                    if std::hint::black_box(line.0.load(Ordering::Relaxed)) == 0 {
                        line.1.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
