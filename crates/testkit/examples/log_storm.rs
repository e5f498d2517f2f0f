//! Any number of crash cycles over the embedded log.
//!
//! ```text
//! cargo run --release -p switchboard-testkit --features file --example log_storm -- CYCLES [SEED]
//! ```

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse().expect("a number"));
    let cycles = args.next().unwrap_or(1_000);
    let seed = args.next().unwrap_or(1);
    let report = switchboard_testkit::file::log_crash_cycles(seed, cycles);
    println!("seed {seed}: {report:#?}");
    std::process::exit(i32::from(!report.is_clean()));
}
