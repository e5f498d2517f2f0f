//! Where things are, and in which row each package stands.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where installed test tools are kept: `$XDG_CACHE_HOME/switchboard`, or `~/.cache/switchboard`.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    let folder = base.join("switchboard");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Who may depend on whom: a package names only rows below its own, never sideways. `Side` packages
/// are adapters and tools that only programs (and development dependencies) name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// Numbered rows, the foundation at 0.
    At(u8),
    /// Hangs at the side; may use rows up to this one and other side packages.
    Side(u8),
    /// Tools that may use everything.
    Tool,
}

/// The table of the house, as ARCHITECTURE.md draws it.
pub(crate) const ROWS: &[(&str, Row)] = &[
    ("switchboard-core", Row::At(0)),
    ("switchboard-resilience", Row::At(1)),
    ("switchboard-message", Row::At(1)),
    ("switchboard-store", Row::At(1)),
    ("switchboard-handler", Row::At(2)),
    ("switchboard-relay", Row::At(2)),
    ("switchboard-projection", Row::At(2)),
    ("switchboard-saga", Row::At(3)),
    ("shop-contracts", Row::At(4)),
    ("shop-edge", Row::At(4)),
    ("shop-users", Row::At(5)),
    ("shop-content", Row::At(5)),
    ("shop-orders", Row::At(5)),
    ("shop-payments", Row::At(5)),
    ("shop-inventory", Row::At(5)),
    ("shop-shipping", Row::At(5)),
    ("shop-notifications", Row::At(5)),
    ("shop-gateway", Row::At(5)),
    ("shop-platform", Row::At(6)),
    ("switchboard-log", Row::Side(0)),
    ("switchboard-message-log", Row::Side(1)),
    ("switchboard-message-kafka", Row::Side(1)),
    ("switchboard-message-rabbit", Row::Side(1)),
    ("switchboard-store-sqlite", Row::Side(1)),
    ("switchboard-store-postgres", Row::Side(1)),
    ("switchboard-telemetry", Row::Side(0)),
    ("switchboard-testkit", Row::Tool),
    ("switchboard", Row::Tool),
    ("xtask", Row::Tool),
];

/// Packages that may name adapters and telemetry.
pub(crate) const PROGRAMS: &[&str] =
    &["shop-platform", "switchboard", "switchboard-testkit", "xtask"];

/// The row of a package.
pub(crate) fn row(package: &str) -> Option<Row> {
    ROWS.iter().find(|(name, _)| *name == package).map(|(_, row)| *row)
}
