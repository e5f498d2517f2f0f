//! A shop of its own for a check: started on a folder that goes with it, asked to end when the check is done.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;

use crate::process::Beside;

/// How long its start is awaited.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end, as it promises.
const END: Duration = Duration::from_secs(5);

/// A running shop; killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Shop {
    platform: Beside,
    /// Where its public port is: `http://127.0.0.1:40123`.
    pub(crate) url: String,
    data: PathBuf,
    /// Last, so that the folder outlives the process.
    _folder: TempDir,
}

// === impl Shop ===

impl Shop {
    /// Starts it, and waits until it takes orders.
    pub(crate) fn start(binary: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let (platform, url) = begin(binary, "127.0.0.1:0", &data)?;
        Ok(Self { platform, url, data, _folder: folder })
    }

    /// The operator's token.
    pub(crate) fn operator_token(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.data.join("operator-token"))?.trim().to_owned())
    }

    /// Expects it to end in order.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        end(self.platform)
    }
}

/// Starts a shop on a folder that somebody else keeps; answers it with its address.
pub(crate) fn begin(binary: &Path, listen: &str, data: &Path) -> anyhow::Result<(Beside, String)> {
    let arguments = ["up", "--listen", listen, "--data", &data.to_string_lossy()];
    let (platform, said) = Beside::start(binary, &arguments, "ready", START)?;
    let url = address(&said).context("the platform printed no address")?;
    Ok((platform, url))
}

/// Ends a shop in order.
pub(crate) fn end(platform: Beside) -> anyhow::Result<()> {
    platform.stop(END)
}

/// The first address in what the platform printed.
fn address(lines: &[String]) -> Option<String> {
    let words = lines.iter().flat_map(|line| line.split_whitespace());
    words
        .filter(|word| word.starts_with("http://"))
        .map(|word| word.trim_end_matches(['/', ',', '.']).to_owned())
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_what_the_platform_says() {
        let said = ["Switchboard shop".to_owned(), "at http://127.0.0.1:80/, ready".to_owned()];
        assert_eq!(address(&said).as_deref(), Some("http://127.0.0.1:80"));
        assert_eq!(address(&said[..1]), None);
    }
}
