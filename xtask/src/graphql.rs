//! GraphQL as others see it: the schema beside the one that was published, an audit of how it speaks HTTP, and subscriptions in the usual
//! clients.

use std::fs;
use std::path::Path;

use crate::shop::Shop;
use crate::{house, npm, process};

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
    let modules = compare()?;
    let shop = Shop::start(binary)?;
    let schema = at(SCHEMA);
    for judge in ["audit.mjs", "clients.mjs"] {
        let environment = [("MODULES", &*modules), ("SHOP_URL", &*shop.url), ("SCHEMA", &*schema)];
        process::run_with("node", &[&script(judge)], &environment)?;
    }
    shop.stop()
}

/// Writes the schema as the program has it. Only the gateway knows it, so a test of its own writes.
pub(crate) fn write() -> anyhow::Result<()> {
    let arguments = ["test", "--quiet", "--package", "shop-gateway", "--lib", "schema::tests"];
    process::run_with("cargo", &arguments, &[("UPDATE", "1")])
}

/// Makes the schema the published one, unless it breaks that.
pub(crate) fn publish() -> anyhow::Result<()> {
    compare()?;
    fs::copy(at(SCHEMA), at(PUBLISHED))?;
    println!("{PUBLISHED} was written anew");
    Ok(())
}

/// Whether the schema still has everything that was published. Answers where the programs lie.
fn compare() -> anyhow::Result<String> {
    let modules = npm::installed("graphql", &PROGRAMS)?.to_string_lossy().into_owned();
    let (schema, published) = (at(SCHEMA), at(PUBLISHED));
    let files = [("MODULES", &*modules), ("SCHEMA", &*schema), ("PUBLISHED", &*published)];
    process::run_with("node", &[&script("breaking.mjs")], &files)?;
    Ok(modules)
}

fn at(path: &str) -> String {
    house::root().join(path).to_string_lossy().into_owned()
}

fn script(name: &str) -> String {
    at(&format!("shop/platform/tests/graphql/{name}"))
}
