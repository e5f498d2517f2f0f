//! What took how long: a slow suite is not run, so every run says where its time went.

use std::fmt;
use std::time::{Duration, Instant};

/// The phases of one command, in order.
#[derive(Debug, Default)]
pub(crate) struct Phases(Vec<Phase>);

#[derive(Debug)]
struct Phase {
    name: &'static str,
    took: Duration,
    failed: bool,
}

// === impl Phases ===

impl Phases {
    /// Runs one phase and remembers how long it took, also if it failed.
    pub(crate) fn run<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        eprintln!("== {name}");
        let begun = Instant::now();
        let end = work();
        self.0.push(Phase { name, took: begun.elapsed(), failed: end.is_err() });
        end
    }
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Phase { name, took, failed } in &self.0 {
            let mark = if *failed { "  failed" } else { "" };
            writeln!(f, "{:>8.1} s  {name}{mark}", took.as_secs_f64())?;
        }
        let total: Duration = self.0.iter().map(|phase| phase.took).sum();
        writeln!(f, "{:>8.1} s  in all", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_phase_that_failed_is_listed_as_such_and_ends_the_run() {
        let mut phases = Phases::default();
        phases.run("lints", || Ok(())).unwrap();
        let end: anyhow::Result<()> = phases.run("tests", || bail!("two of them"));
        assert!(end.is_err());
        let text = phases.to_string();
        assert!(text.contains("s  lints\n") && text.contains("s  tests  failed\n"), "{text}");
        assert!(text.ends_with("in all\n"));
    }
}
