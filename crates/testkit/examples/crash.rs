//! Cuts the power under the store again and again, and counts: `crash CYCLES SEED`.

use switchboard_testkit::crash::store_crash_cycles;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let cycles = numbers.next().unwrap_or(Ok(1_000))?;
    let seed = numbers.next().unwrap_or(Ok(1))?;
    #[allow(clippy::print_stdout, reason = "a program that prints its result")]
    {
        println!("{}", store_crash_cycles(seed, cycles)?);
    }
    Ok(())
}
