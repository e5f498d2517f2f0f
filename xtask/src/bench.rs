//! Measures in release mode, each figure beside a floor or a raw twin of the same run, and writes BENCHMARKS.md.

/// Runs the chosen benches.
pub(crate) fn run(only: &[String], dry: bool) -> anyhow::Result<()> {
    let _ = (only, dry);
    anyhow::bail!("not yet")
}
