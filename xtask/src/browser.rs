//! The console, the GraphQL explorer and the interface's page in a real browser: installs Chromium and its driver library, starts the shop, runs the pages' tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::debian::{self, Need, Present};
use crate::{house, process};

/// The library that drives the browser, of one exact version.
const DRIVER: &str = "playwright-core@1.65.1";
/// What installs packages of Node.
pub(crate) const NPM: Need =
    Need { present: Present::Program("npm"), packages: &["nodejs", "npm"] };
/// The browser, which draws text only if there is a font, and what installs its driver.
pub(crate) const NEEDS: [Need; 2] = [
    Need { present: Present::Program("chromium"), packages: &["chromium", "fonts-dejavu-core"] },
    NPM,
];

/// Runs the browser's tests; what is missing is installed, or named.
pub(crate) fn run(binary: &Path) -> anyhow::Result<()> {
    let chromium = chromium()?;
    let modules = driver()?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let (platform, said) = process::Beside::start(
        binary,
        &["up", "--listen", "127.0.0.1:0", "--data", &data.to_string_lossy()],
        "ready",
        Duration::from_secs(60),
    )?;
    let url = address(&said).context("the platform printed no address")?;
    let token = fs::read_to_string(data.join("operator-token"))?;
    for pages in ["console.mjs", "explorer.mjs", "docs.mjs"] {
        let script = house::root().join("shop/platform/tests/browser").join(pages);
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
    }
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

/// The system's Chromium.
fn chromium() -> anyhow::Result<String> {
    debian::ensure(&NEEDS)?;
    Ok(process::output("sh", &["-c", "command -v chromium"])?.trim().to_owned())
}

/// The folder of the driver library, kept in a cache between runs.
fn driver() -> anyhow::Result<PathBuf> {
    let folder = house::cache()?.join("browser-driver");
    let module = folder.join("node_modules/playwright-core");
    if !module.exists() {
        fs::create_dir_all(&folder)?;
        let prefix = folder.to_string_lossy();
        process::run(
            "npm",
            &["install", "--silent", "--no-audit", "--no-fund", "--prefix", &prefix, DRIVER],
        )?;
    }
    Ok(module)
}
