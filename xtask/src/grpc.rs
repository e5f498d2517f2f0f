//! gRPC as others see it: Google's own client drives the whole shop, and buf judges the descriptions.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::codegen::PROTO;
use crate::shop::Shop;
use crate::{house, npm, process};

/// The linter of Protocol Buffers, of one exact version.
const BUF: &str = "@bufbuild/buf@1.75.0";
/// What was published, which no change may break: an image of the descriptions.
const PUBLISHED: &str = "published/v1.binpb";

/// Drives a platform by somebody else's client.
pub(crate) fn stranger(binary: &Path, python: &str) -> anyhow::Result<()> {
    let shop = Shop::start(binary)?;
    let token = shop.operator_token()?;
    let script = house::root().join("shop/platform/tests/grpc/stranger.py");
    let protos = house::root().join(PROTO);
    process::run_with(
        python,
        &[
            &script.to_string_lossy(),
            shop.url.trim_start_matches("http://"),
            &protos.to_string_lossy(),
        ],
        &[("OPERATOR_TOKEN", &token)],
    )?;
    shop.stop()
}

/// Lints the descriptions, and compares them with what was published.
pub(crate) fn buf() -> anyhow::Result<()> {
    let buf = installed()?;
    let protos = house::root().join(PROTO);
    let published = protos.join(PUBLISHED);
    process::run(&buf, &["lint", &protos.to_string_lossy()])?;
    process::run(
        &buf,
        &["breaking", &protos.to_string_lossy(), "--against", &published.to_string_lossy()],
    )
}

fn installed() -> anyhow::Result<String> {
    Ok(npm::installed("buf", &[BUF])?.join(".bin/buf").to_string_lossy().into_owned())
}

/// Makes what the descriptions are now the published ones; `buf breaking` holds the next to them.
pub(crate) fn publish() -> anyhow::Result<()> {
    let buf = installed()?;
    let protos = house::root().join(PROTO);
    let published = protos.join(PUBLISHED);
    fs::create_dir_all(published.parent().context("a file lies in a folder")?)?;
    process::run(
        &buf,
        &[
            "build",
            &protos.to_string_lossy(),
            "--exclude-source-info",
            "--output",
            &published.to_string_lossy(),
        ],
    )?;
    println!("codegen: published as {}", published.display());
    Ok(())
}
