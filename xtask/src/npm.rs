//! Packages of npm that test programs need, kept in a cache between runs.

use std::fs;
use std::path::PathBuf;

use crate::debian::{self, Need, Present};
use crate::{house, process};

/// What installs them.
pub(crate) const NEED: Need =
    Need { present: Present::Program("npm"), packages: &["nodejs", "npm"] };

/// The `node_modules` with these packages, `NAME@VERSION` each; installed if they are not there.
pub(crate) fn installed(name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    debian::ensure(&[NEED])?;
    let folder = house::cache()?.join("npm").join(name);
    let (modules, mark) = (folder.join("node_modules"), folder.join("installed"));
    let wanted = packages.join("\n");
    if fs::read_to_string(&mark).is_ok_and(|present| present == wanted) {
        return Ok(modules);
    }
    fs::create_dir_all(&folder)?;
    let prefix = folder.to_string_lossy();
    let mut arguments =
        vec!["install", "--silent", "--no-audit", "--no-fund", "--prefix", &*prefix];
    arguments.extend_from_slice(packages);
    process::run("npm", &arguments)?;
    // Written last, so that an installation that broke off is made again.
    fs::write(&mark, wanted)?;
    Ok(modules)
}
