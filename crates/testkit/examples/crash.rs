//! Cuts the power under log and store again and again, and counts: one line of JSON for each.
//!
//! ```text
//! cargo run --release -p switchboard-testkit --features file,sqlite --example crash -- CYCLES SEED
//! ```
#![allow(clippy::print_stdout, reason = "a program that prints its result")]

use switchboard_testkit::crash::store_crash_cycles;
use switchboard_testkit::file::log_crash_cycles;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let cycles = numbers.next().unwrap_or(Ok(1_000))?;
    let seed = numbers.next().unwrap_or(Ok(1))?;
    let log = log_crash_cycles(seed, cycles);
    println!(
        "{{\"case\":\"log\",\"cycles\":{},\"acknowledged\":{},\"lost\":{},\"invented\":{}}}",
        log.cycles, log.acknowledged, log.lost, log.invented
    );
    let store = store_crash_cycles(seed, cycles)?;
    println!("{store}");
    let lost = log.lost + log.invented + log.torn + store.lost + store.invented;
    std::process::exit(i32::from(lost > 0));
}
