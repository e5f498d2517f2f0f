//! What programs turn on to be watched: traces on stderr, metrics as text.
//!
//! Libraries only speak to the `tracing` and `metrics` facades; this crate is what a program puts behind them.
//!
//! ```
//! let metrics = switchboard_telemetry::metrics().expect("the first in this process");
//! ::metrics::counter!("example.calls").increment(1);
//! assert!(metrics.render().contains("example_calls 1"));
//! ```
//!
//! # The parts
//!
//! - [`traces`](mod@traces) diagnostics for people or machines, filtered by `SWITCHBOARD_TRACE`
//! - [`metrics()`] counters, gauges and histograms, rendered when somebody asks

mod exposition;
pub mod traces;

pub use exposition::{AlreadyInstalled, Metrics, metrics};
pub use traces::{Format, traces};
