//! The rules of the house that a program can hold: direction of dependency, first lines, sizes, words.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::codegen::{self, GENERATED};
use crate::house::{self, PROGRAMS, Row};
use crate::process;

/// Files are looked at twice from this length on; the exceptions may only shrink.
const LINES_MAX: usize = 800;
/// Files that are longer, each with the length that it must not exceed.
const LONGER: &[(&str, usize)] = &[];
/// `switchboard-core` stays small, so that it cannot become a drawer.
const CORE_LINES_MAX: usize = 1_000;
/// A title page has no room for logic.
const LIB_LINES_MAX: usize = 250;
/// Names that the root of the project may hold, hidden ones aside.
const ROOT_NAMES_MAX: usize = 17;

/// Checks all rules and names every breach.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut breaches = Vec::new();
    dependencies(&mut breaches)?;
    let root = house::root();
    for file in sources(&root)? {
        source(&root, &file, &mut breaches)?;
    }
    readmes(&root, &mut breaches)?;
    root_names(&root, &mut breaches)?;
    for name in codegen::stale()? {
        breaches.push(format!("{GENERATED}{name}: stale; run `cargo xtask codegen`"));
    }
    for breach in &breaches {
        eprintln!("tidy: {breach}");
    }
    if !breaches.is_empty() {
        bail!("{} rules of the house are broken", breaches.len());
    }
    println!("tidy: the house is in order");
    Ok(())
}

/// Every edge between our packages goes down the rows; only programs name adapters.
fn dependencies(breaches: &mut Vec<String>) -> anyhow::Result<()> {
    let output = process::output("cargo", &["metadata", "--format-version=1", "--no-deps"])?;
    let metadata: Value = serde_json::from_str(&output)?;
    for package in metadata["packages"].as_array().context("cargo metadata has no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(from) = house::row(name) else {
            breaches.push(format!("package `{name}` has no row in xtask/src/house.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to_name = dependency["name"].as_str().unwrap_or_default();
            let is_dev = dependency["kind"] == "dev";
            if let Some(to) = house::row(to_name)
                && !is_dev
                && !allowed(name, from, to)
            {
                breaches.push(format!(
                    "`{name}` ({from:?}) must not depend on `{to_name}` ({to:?}): rows only look down"
                ));
            }
        }
    }
    Ok(())
}

fn allowed(name: &str, from: Row, to: Row) -> bool {
    match (from, to) {
        (Row::Tool, _) => true,
        (Row::At(from), Row::At(to)) => to < from,
        (Row::Side(up_to), Row::At(to)) => to <= up_to,
        (Row::Side(_), Row::Side(_)) => true,
        (Row::At(_), Row::Side(_)) => PROGRAMS.contains(&name),
        (_, Row::Tool) => false,
    }
}

/// All Rust files of the project.
fn sources(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = ["crates", "shop", "xtask"].map(|name| root.join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What holds for one source file.
fn source(root: &Path, file: &Path, breaches: &mut Vec<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    let name = file.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
    let lines = text.lines().count();
    if !text.starts_with("//!") && !text.starts_with("#![") {
        breaches
            .push(format!("{name}: begins without a `//!` line that says what the file is for"));
    }
    let limit = LONGER.iter().find(|(long, _)| *long == name).map_or(LINES_MAX, |(_, max)| *max);
    // What a program has written nobody has to read.
    if lines > limit && !name.starts_with(GENERATED) {
        breaches.push(format!("{name}: {lines} lines, and the limit is {limit}"));
    }
    if name.ends_with("src/lib.rs") && lines > LIB_LINES_MAX {
        breaches.push(format!("{name}: a title page has at most {LIB_LINES_MAX} lines"));
    }
    if name.starts_with("xtask/src/tidy") {
        return Ok(());
    }
    for (number, line) in text.lines().enumerate() {
        let mut broken = |rule: &str| breaches.push(format!("{name}:{}: {rule}", number + 1));
        if line.contains("TODO") && !line.contains("TODO(#") {
            broken("a bare TODO: name an issue, `TODO(#12)`, or do it");
        }
        if line.trim_start().starts_with("#[ignore") {
            broken("an ignored test proves nothing");
        }
        if line.contains("/work/") || line.contains("/root/") {
            broken("a path of one machine");
        }
    }
    Ok(())
}

/// Each package says what belongs to it, and core stays small.
fn readmes(root: &Path, breaches: &mut Vec<String>) -> anyhow::Result<()> {
    for shelf in ["crates", "shop"] {
        for entry in fs::read_dir(root.join(shelf))? {
            let folder = entry?.path();
            let readme = folder.join("README.md");
            let text = fs::read_to_string(&readme).unwrap_or_default().to_lowercase();
            if !(text.contains("what belongs here") && text.contains("what does not belong here")) {
                breaches.push(format!(
                    "{}: say **What belongs here** and **What does not belong here**",
                    readme.strip_prefix(root)?.display()
                ));
            }
        }
    }
    let mut core_lines = 0;
    for entry in fs::read_dir(root.join("crates/core/src"))? {
        core_lines += fs::read_to_string(entry?.path())?.lines().count();
    }
    if core_lines > CORE_LINES_MAX {
        breaches.push(format!("crates/core: {core_lines} lines, the limit is {CORE_LINES_MAX}"));
    }
    Ok(())
}

/// The root has few names.
fn root_names(root: &Path, breaches: &mut Vec<String>) -> anyhow::Result<()> {
    let files =
        process::output("git", &["-C", &root.to_string_lossy(), "ls-tree", "--name-only", "HEAD"])?;
    let names = files.lines().filter(|name| !name.starts_with('.')).count();
    if names > ROOT_NAMES_MAX {
        breaches.push(format!("the root holds {names} names, at most {ROOT_NAMES_MAX} are wanted"));
    }
    Ok(())
}
