//! switchboard-telemetry
