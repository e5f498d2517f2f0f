//! The documents that are made by the program and committed: written anew, and compared with what was published.
//!
//! A published version is a promise. Its document lies beside the present one, and a test compares the two, so that nobody breaks a caller
//! without noticing. `--publish` takes what was added since then into the promise; what would break it is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{breaking, graphql, house, process, suite};

/// The interface's document.
pub(crate) const DOCUMENT: &str = "shop/platform/docs/openapi.json";
/// The folder of published documents, `openapi-v1.json` and so on.
const PUBLISHED: &str = "shop/platform/docs/published";
/// Shared parts of a document that are there to be referred to.
const SHARED: [&str; 5] = ["schemas", "responses", "headers", "parameters", "requestBodies"];

/// Writes the document of the interface and the schema of the graph, and says what has changed for callers of a published one.
pub(crate) fn run(publish: bool) -> anyhow::Result<()> {
    let program = suite::platform_binary()?;
    let file = house::root().join(DOCUMENT);
    let before = fs::read_to_string(&file).unwrap_or_default();
    process::quietly(&program.to_string_lossy(), &["openapi", "--out", &file.to_string_lossy()])?;
    let is_same = fs::read_to_string(&file)? == before;
    graphql::write()?;
    println!("{DOCUMENT} {}", if is_same { "is up to date" } else { "was written anew" });
    let document = read(&file)?;
    let mut broken = 0;
    for file in published()? {
        let found = breaking::breaches(&read(&file)?, &document);
        found.iter().for_each(|breach| eprintln!("{}: {breach}", file.display()));
        broken += found.len();
    }
    if broken > 0 {
        bail!(
            "{broken} breaches of published versions: take them back, or offer the new form under \
             a new version beside the old one"
        );
    }
    if publish {
        for version in versions(&document) {
            let name = file_of(version);
            let file = house::root().join(PUBLISHED).join(&name);
            fs::write(&file, format!("{:#}\n", part(&document, version)))?;
            println!("{PUBLISHED}/{name} was written anew");
        }
        graphql::publish()?;
    }
    Ok(())
}

/// A document out of a file.
pub(crate) fn read(file: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

/// The documents of published versions.
pub(crate) fn published() -> anyhow::Result<Vec<PathBuf>> {
    let folder = house::root().join(PUBLISHED);
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Every version that the document has, by its name.
pub(crate) fn versions(document: &Value) -> BTreeSet<&str> {
    document["paths"].as_object().into_iter().flatten().map(|(path, _)| version_of(path)).collect()
}

/// The file of a published version.
pub(crate) fn file_of(version: &str) -> String {
    format!("openapi-{version}.json")
}

/// To which version a path belongs: `v1`, or `all` for what every version shares, as health.
fn version_of(path: &str) -> &str {
    let below = path.strip_prefix("/api/").and_then(|path| path.split('/').next());
    below.unwrap_or("all")
}

/// The part of the document that belongs to one version.
fn part(document: &Value, version: &str) -> Value {
    let mut document = document.clone();
    if let Some(all) = document["paths"].as_object_mut() {
        all.retain(|path, _| version_of(path) == version);
    }
    // Until nothing goes any more: what only an unused part refers to is unused.
    while leave_what_is_used(&mut document) {}
    document
}

fn leave_what_is_used(document: &mut Value) -> bool {
    let mut used = BTreeSet::new();
    references(document, &mut used);
    let mut is_less = false;
    for kind in SHARED {
        if let Some(parts) = document["components"][kind].as_object_mut() {
            let before = parts.len();
            parts.retain(|name, _| used.contains(&format!("#/components/{kind}/{name}")));
            is_less |= parts.len() < before;
        }
    }
    is_less
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_path_belongs_to_a_version_that_has_only_what_it_refers_to() {
        let to = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let document = json!({
            "paths": { "/api/v1/users": to("A"), "/api/v2/users": to("B"), "/livez": {} },
            "components": { "schemas": { "A": to("C"), "B": {}, "C": {}, "D": to("D") } },
        });
        let versions: Vec<_> = versions(&document).into_iter().collect();
        assert_eq!(versions, ["all", "v1", "v2"]);
        let first = part(&document, "v1");
        assert_eq!(first["paths"], json!({ "/api/v1/users": to("A") }));
        let schemas = first["components"]["schemas"].as_object().unwrap();
        assert!(schemas.keys().eq(["A", "C", "D"]), "{schemas:?}: a ring refers to itself");
        assert_eq!(part(&document, "all")["paths"], json!({ "/livez": {} }));
    }
}
