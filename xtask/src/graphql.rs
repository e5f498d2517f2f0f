//! GraphQL as others see it: the schema beside the one that was published, an audit of how it speaks HTTP, and subscriptions in the usual
//! clients.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::{browser, house, npm, process};

/// Programs of others, each of one exact version.
const PROGRAMS: [&str; 6] = [
    "graphql@16.15.0",
    "graphql-http@1.23.1",
    "@graphql-inspector/core@8.0.0",
    "graphql-ws@6.4.2",
    "graphql-sse@2.6.1",
    "ws@8.23.0",
];
/// The schema as it is, and as it was published, from the root.
const SCHEMA: &str = "shop/gateway/docs/schema.graphql";
const PUBLISHED: &str = "shop/gateway/docs/published/schema-v1.graphql";

/// Compares the schema with what was published, then audits and follows a running shop.
pub(crate) fn run(binary: &Path) -> anyhow::Result<()> {
    let modules = npm::installed("graphql", &PROGRAMS)?.to_string_lossy().into_owned();
    let at = |path: &str| house::root().join(path).to_string_lossy().into_owned();
    let (schema, published) = (at(SCHEMA), at(PUBLISHED));
    let script = |name: &str| at(&format!("shop/platform/tests/graphql/{name}"));
    let files = [("MODULES", &*modules), ("SCHEMA", &*schema), ("PUBLISHED", &*published)];
    process::run_with("node", &[&script("breaking.mjs")], &files)?;
    let data = tempfile::tempdir()?;
    let folder = data.path().join("data").to_string_lossy().into_owned();
    let (platform, said) = process::Beside::start(
        binary,
        &["up", "--listen", "127.0.0.1:0", "--data", &folder],
        "ready",
        Duration::from_secs(60),
    )?;
    let url = browser::address(&said).context("the platform printed no address")?;
    let environment = [&files[..], &[("SHOP_URL", &*url)]].concat();
    for judge in ["audit.mjs", "clients.mjs"] {
        process::run_with("node", &[&script(judge)], &environment)?;
    }
    platform.stop(Duration::from_secs(5))
}
