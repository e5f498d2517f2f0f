//! Traces: diagnostics on stderr. (A *log* is where records are; diagnostics are traces.)

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// The adapter says by itself which refusals and losses matter; which requests are shown is a setting
/// of its own.
const DEFAULT: &str = "warn,switchboard::access=info,lapin::channel=off";

/// Sends traces to stderr. The filter comes from `SWITCHBOARD_TRACE`, in the syntax of
/// `tracing-subscriber` (`info,switchboard_relay=debug`); default `warn` with the access log, without what
/// RabbitMQ's client library traces about its channels: it calls every refusal an error before
/// whoever asked can judge it.
///
/// The first call in a process wins; later ones change nothing, so that tests may call it freely.
pub fn traces(format: Format) {
    let filter =
        EnvFilter::try_from_env("SWITCHBOARD_TRACE").unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for terminals; in a file they are noise.
        .with_ansi(std::io::stderr().is_terminal());
    let _first_wins = match format {
        Format::Text => subscriber.try_init(),
        Format::Json => subscriber.json().try_init(),
    };
}
