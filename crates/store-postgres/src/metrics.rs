//! What the store counts.

use std::time::Duration;

/// Units committed.
const UNITS: &str = "switchboard.store.units";
/// Units refused: conflicts, blocked keys, invalid ones.
const REFUSED: &str = "switchboard.store.units.refused";
/// Transactions, each with one sync.
const COMMITS: &str = "switchboard.store.commits";
/// Seconds from the beginning of a batch to its answers.
const COMMIT_SECONDS: &str = "switchboard.store.commit.seconds";

pub(crate) fn committed(source: &str, units: usize, refused: usize, took: Duration) {
    let label = || source.to_owned();
    metrics::counter!(UNITS, "store" => label()).increment((units - refused) as u64);
    if refused > 0 {
        metrics::counter!(REFUSED, "store" => label()).increment(refused as u64);
    }
    metrics::counter!(COMMITS, "store" => label()).increment(1);
    metrics::histogram!(COMMIT_SECONDS, "store" => label()).record(took.as_secs_f64());
}
