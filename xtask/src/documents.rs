//! The documents that are made by the program and committed: written anew, and compared with what was published.
//!
//! A published version is a promise. Its document lies beside the present one, and a test compares the two, so that nobody breaks a caller
//! without noticing. `--publish` takes what was added since then into the promise; what would break it is refused.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{breaking, house, process, suite};

/// The interface's document.
pub(crate) const DOCUMENT: &str = "shop/platform/docs/openapi.json";
/// The folder of published documents, `openapi-v1.json` and so on.
const PUBLISHED: &str = "shop/platform/docs/published";
/// Versions that are published: the file, and the paths that belong to the version.
const VERSIONS: [(&str, &str); 1] = [("openapi-v1.json", "/api/v1/")];

/// Writes the document of the interface, and says what has changed for callers of a published one.
pub(crate) fn run(publish: bool) -> anyhow::Result<()> {
    let program = suite::platform_binary()?;
    let file = house::root().join(DOCUMENT);
    let before = fs::read_to_string(&file).unwrap_or_default();
    process::quietly(&program.to_string_lossy(), &["openapi", "--out", &file.to_string_lossy()])?;
    let is_same = fs::read_to_string(&file)? == before;
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
        for (name, paths) in VERSIONS {
            let file = house::root().join(PUBLISHED).join(name);
            fs::write(&file, format!("{:#}\n", version(&document, paths)))?;
            println!("{PUBLISHED}/{name} was written anew");
        }
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

/// The part of the document that belongs to one version.
fn version(document: &Value, paths: &str) -> Value {
    let mut document = document.clone();
    if let Some(all) = document["paths"].as_object_mut() {
        all.retain(|path, _| path.starts_with(paths));
    }
    document
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_the_paths_below_its_own() {
        let document =
            json!({ "paths": { "/api/v1/users": {}, "/api/v2/users": {}, "/livez": {} } });
        assert_eq!(version(&document, "/api/v1/")["paths"], json!({ "/api/v1/users": {} }));
    }
}
