//! Crashes log and store over disks that forget what was not synced, and counts.

use anyhow::bail;

use crate::process;

/// Runs the cycles in release mode and fails if anything was lost or invented.
pub(crate) fn run(cycles: u64, seed: u64) -> anyhow::Result<()> {
    let (cycles, seed) = (cycles.to_string(), seed.to_string());
    let printed = process::output(
        "cargo",
        &[
            "run",
            "--release",
            "--quiet",
            "--package",
            "switchboard-testkit",
            "--features",
            "file,sqlite",
            "--example",
            "crash",
            "--",
            &cycles,
            &seed,
        ],
    )?;
    print!("{printed}");
    let clean = printed.lines().filter(|line| line.contains("\"lost\":0,\"invented\":0")).count();
    if clean != 2 {
        bail!("something was lost or invented: repeat it with --seed {seed}");
    }
    Ok(())
}
