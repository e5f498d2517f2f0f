//! Metrics in the text format of Prometheus, rendered on demand: no listener, no thread that ticks.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the buckets of every `…seconds` histogram: from 100 µs to 10 s.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Another recorder was installed in this process before.
#[derive(Debug, thiserror::Error)]
#[error("metrics are already installed in this process")]
pub struct AlreadyInstalled(#[source] metrics_exporter_prometheus::BuildError);

/// Installs the recorder behind the `metrics` facade. Once per process.
///
/// # Errors
/// [`AlreadyInstalled`] the second time.
pub fn metrics() -> Result<Metrics, AlreadyInstalled> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("seconds".to_owned()), SECONDS)
        .map_err(AlreadyInstalled)?;
    builder.install_recorder().map(Metrics).map_err(AlreadyInstalled)
}

// === impl Metrics ===

impl Metrics {
    /// All metrics as text. Also does the recorder's housekeeping, which otherwise wants a timer.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}
