//! The console, the GraphQL explorer and the interface's page in a real browser: installs Chromium and its driver library, starts the shop, runs the pages' tests.

use std::path::Path;

use crate::debian::{self, Need, Present};
use crate::shop::Shop;
use crate::{house, npm, process};

/// The library that drives the browser, of one exact version.
const DRIVER: &str = "playwright-core@1.65.1";
/// The browser, which draws text only if there is a font, and what installs its driver.
pub(crate) const NEEDS: [Need; 2] = [
    Need { present: Present::Program("chromium"), packages: &["chromium", "fonts-dejavu-core"] },
    npm::NEED,
];

/// Runs the browser's tests; what is missing is installed, or named.
pub(crate) fn run(binary: &Path) -> anyhow::Result<()> {
    let chromium = chromium()?;
    let modules = npm::installed("browser-driver", &[DRIVER])?.join("playwright-core");
    let shop = Shop::start(binary)?;
    let token = shop.operator_token()?;
    for pages in ["console.mjs", "explorer.mjs", "docs.mjs"] {
        let script = house::root().join("shop/platform/tests/browser").join(pages);
        process::run_with(
            "node",
            &[&script.to_string_lossy()],
            &[
                ("SHOP_URL", &shop.url),
                ("OPERATOR_TOKEN", &token),
                ("CHROMIUM", &chromium),
                ("PLAYWRIGHT", &modules.to_string_lossy()),
            ],
        )?;
    }
    shop.stop()
}

/// The system's Chromium.
fn chromium() -> anyhow::Result<String> {
    debian::ensure(&NEEDS)?;
    Ok(process::output("sh", &["-c", "command -v chromium"])?.trim().to_owned())
}
