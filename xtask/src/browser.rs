//! The console in a real browser: installs Chromium and its driver library, starts the shop, runs the page's tests.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::{house, process, suite};

/// The library that drives the browser, of one exact version.
const DRIVER: &str = "playwright-core@1.65.1";

/// Runs the browser's tests; what is missing is installed, or named.
pub(crate) fn run() -> anyhow::Result<()> {
    let chromium = chromium()?;
    let modules = driver()?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let binary = suite::platform_binary()?;
    let (platform, said) = process::Beside::start(
        &binary,
        &["up", "--listen", "127.0.0.1:0", "--data", &data.to_string_lossy()],
        "ready",
        Duration::from_secs(60),
    )?;
    let url = address(&said).context("the platform printed no address")?;
    let token = fs::read_to_string(data.join("operator-token"))?;
    let script = house::root().join("shop/platform/tests/browser/console.mjs");
    process::run_with(
        "node",
        &[&script.to_string_lossy()],
        &[
            ("SHOP_URL", &url),
            ("OPERATOR_TOKEN", token.trim()),
            ("CHROMIUM", &chromium),
            ("PLAYWRIGHT", &modules.to_string_lossy()),
        ],
    )?;
    platform.stop(Duration::from_secs(5))
}

/// The first address in what the platform printed.
pub(crate) fn address(lines: &[String]) -> Option<String> {
    let words = lines.iter().flat_map(|line| line.split_whitespace());
    words
        .filter(|word| word.starts_with("http://"))
        .map(|word| word.trim_end_matches(['/', ',', '.']).to_owned())
        .next()
}

/// The system's Chromium; installed from Debian's package if it is missing.
fn chromium() -> anyhow::Result<String> {
    if !process::exists("chromium") {
        if !process::exists("apt-get") {
            bail!("Chromium is missing, and there is no apt-get to install it: install `chromium`");
        }
        let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
        process::run_with("apt-get", &["update", "-qq"], &quiet)?;
        process::run_with(
            "apt-get",
            &["install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"],
            &quiet,
        )
        .context("Chromium could not be installed: run as root, or install `chromium` yourself")?;
    }
    Ok(process::output("sh", &["-c", "command -v chromium"])?.trim().to_owned())
}

/// The folder of the driver library, kept in a cache between runs.
fn driver() -> anyhow::Result<PathBuf> {
    let folder = cache()?.join("browser-driver");
    let module = folder.join("node_modules/playwright-core");
    if !module.exists() {
        if !process::exists("npm") {
            bail!("Node.js with npm is missing: install it to run the console's tests");
        }
        fs::create_dir_all(&folder)?;
        let prefix = folder.to_string_lossy();
        process::run(
            "npm",
            &["install", "--silent", "--no-audit", "--no-fund", "--prefix", &prefix, DRIVER],
        )?;
    }
    Ok(module)
}

/// Where installed test tools are kept: `$XDG_CACHE_HOME/switchboard`, or `~/.cache/switchboard`.
fn cache() -> anyhow::Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    let folder = base.join("switchboard");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
