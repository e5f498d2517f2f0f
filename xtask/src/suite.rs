//! The two commands that keep the project true: every test, and everything that CI checks.

use std::path::PathBuf;

use crate::{browser, house, process, storm, tidy};

/// Kills in the suite; any number by `cargo xtask storm --kills N`.
const KILLS: u32 = 20;

/// All tests. Without `embedded`, also those in a real browser, which is installed if missing.
pub(crate) fn test(embedded: bool) -> anyhow::Result<()> {
    process::run("cargo", &["test", "--workspace"])?;
    platform_binary()?;
    storm::run(KILLS, None)?;
    if !embedded {
        browser::run()?;
    }
    Ok(())
}

/// What CI runs.
pub(crate) fn ci() -> anyhow::Result<()> {
    process::run("cargo", &["fmt", "--all", "--check"])?;
    process::run(
        "cargo",
        &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
    )?;
    process::run_with(
        "cargo",
        &["doc", "--workspace", "--no-deps", "--all-features"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )?;
    tidy::run()?;
    test(false)
}

/// Builds the platform as the tests use it and says where it is.
pub(crate) fn platform_binary() -> anyhow::Result<PathBuf> {
    process::run("cargo", &["build", "--package", "shop-platform"])?;
    binary("debug")
}

/// Where a profile's build of the platform lies.
pub(crate) fn binary(profile: &str) -> anyhow::Result<PathBuf> {
    let metadata = process::output("cargo", &["metadata", "--format-version=1", "--no-deps"])?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata["target_directory"]
        .as_str()
        .map_or_else(|| house::root().join("target"), PathBuf::from);
    Ok(target.join(profile).join("switchboard"))
}
