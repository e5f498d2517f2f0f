//! Measures in release mode, each figure beside a floor or a raw twin of the same run, and writes BENCHMARKS.md.

mod cases;
mod peers;
mod perftest;

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::engines::session::Session;
use crate::{engines, house, process};
use cases::{EMBEDDED, ENGINES};

/// One bench: how it is run, and how its lines of JSON become a table.
struct Bench {
    name: &'static str,
    title: &'static str,
    /// What is measured, how durable it is, and what limits it.
    about: &'static str,
    /// The package with the program, and what cargo is told beside it.
    package: &'static str,
    more: &'static [&'static str],
    columns: &'static [(&'static str, &'static str)],
}

/// The word that stands for all benches with real engines.
const WITH_ENGINES: &str = "engines";
/// Where the figures of the engines begin in BENCHMARKS.md.
const DIVIDER: &str = "\n# With real engines\n";

/// What can be chosen, for whoever asks for help.
pub(crate) fn help() -> String {
    let names = |benches: &[Bench]| {
        let names: Vec<_> = benches.iter().map(|bench| bench.name).collect();
        names.join(", ")
    };
    let (embedded, engines) = (names(EMBEDDED), names(ENGINES));
    format!(
        "Only these: {embedded} (all of them by default); with real engines: {engines}, or all of \
         those by the word `{WITH_ENGINES}`"
    )
}

/// Runs the chosen benches, prints their tables, and writes them down unless `dry`.
pub(crate) fn run(only: &[String], dry: bool) -> anyhow::Result<()> {
    let known: Vec<_> = EMBEDDED.iter().chain(ENGINES).map(|bench| bench.name).collect();
    for name in only {
        if name != WITH_ENGINES && !known.contains(&name.as_str()) {
            bail!("no bench `{name}`; there are {}, {WITH_ENGINES}", known.join(", "));
        }
    }
    let is_named = |bench: &&Bench| only.iter().any(|name| name == bench.name);
    let all_engines = only.iter().any(|name| name == WITH_ENGINES);
    let embedded: Vec<_> =
        EMBEDDED.iter().filter(|bench| only.is_empty() || is_named(bench)).collect();
    let engines: Vec<_> = ENGINES.iter().filter(|bench| all_engines || is_named(bench)).collect();
    let heading = heading()?;
    let mut report = format!("{INTRODUCTION}{heading}");
    for bench in &embedded {
        report.push_str(&measure(bench, &[])?);
    }
    let mut with_engines = format!("{DIVIDER}{heading}");
    if !engines.is_empty() {
        engines::ready_to_start(&engines::session::ours()?)?;
        let session = Session::start()?;
        let peers = peers::Peers::start()?;
        let with_rabbit = engines.iter().any(|bench| bench.name == "rabbit");
        let perf_test = with_rabbit.then(perftest::class_path).transpose()?;
        let mut environment: Vec<_> = session.environment().chain(peers.environment()).collect();
        environment.extend(perf_test.as_deref().map(|path| ("SWITCHBOARD_BENCH_PERFTEST", path)));
        for bench in &engines {
            with_engines.push_str(&measure(bench, &environment)?);
        }
    }
    if dry {
        return Ok(());
    }
    let path = house::root().join("BENCHMARKS.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let (old_report, old_engines) = match old.find(DIVIDER) {
        Some(at) => old.split_at(at),
        None => (old.as_str(), ""),
    };
    match (only.is_empty(), only.len() == 1 && all_engines) {
        (true, _) => fs::write(path, report + old_engines)?,
        (_, true) => fs::write(path, format!("{old_report}{with_engines}"))?,
        _ => eprintln!("BENCHMARKS.md is left as it is: whole runs write it"),
    }
    Ok(())
}

fn measure(bench: &Bench, environment: &[(&str, &str)]) -> anyhow::Result<String> {
    let mut arguments = vec!["run", "--release", "--quiet", "--package", bench.package];
    arguments.extend(bench.more);
    let lines = process::output_with("cargo", &arguments, environment)?;
    let table = table(bench, &lines)?;
    print!("{table}");
    Ok(table)
}

const INTRODUCTION: &str = "# Benchmarks\n\n\
    Written by `cargo xtask bench` and, for the second half, `cargo xtask bench engines`. Durable means synced to disk before the\n\
    answer. Medians of interleaved runs; every ratio is to a floor or a raw twin that was measured in the same run, because disks\n\
    differ and neighbours come and go.\n\n";

/// Machine, load and commit: without them no figure means anything.
fn heading() -> anyhow::Result<String> {
    let sh = |script: &str| process::output("sh", &["-c", script]);
    let machine = sh("grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | sed 's/^ *//'")?;
    let cores = sh("nproc")?;
    let memory = sh("awk '/MemTotal/ {printf \"%.0f\", $2 / 1048576}' /proc/meminfo")?;
    let load = sh("cut -d' ' -f1 /proc/loadavg")?;
    let commit = process::output("git", &["rev-parse", "--short=12", "HEAD"])?;
    Ok(format!(
        "| machine | cores | memory | load before | commit |\n|---|---|---|---|---|\n\
         | {} | {} | {memory} GiB | {} | `{}` |\n",
        machine.trim(),
        cores.trim(),
        load.trim(),
        commit.trim()
    ))
}

/// One bench as a table; columns that no line has are left out.
fn table(bench: &Bench, lines: &str) -> anyhow::Result<String> {
    let rows: Vec<Value> = lines
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .with_context(|| format!("bench `{}` printed something else than JSON", bench.name))?;
    if rows.is_empty() {
        bail!("bench `{}` printed no figures", bench.name);
    }
    let columns: Vec<_> = bench
        .columns
        .iter()
        .filter(|(key, _)| rows.iter().any(|row| !row[*key].is_null()))
        .collect();
    let mut text = format!("\n## {}\n\n{}\n\n", bench.title, bench.about);
    let titles: Vec<_> = columns.iter().map(|(_, title)| *title).collect();
    writeln!(text, "| {} |\n|{}", titles.join(" | "), "---|".repeat(columns.len()))?;
    for row in &rows {
        let cells: Vec<_> = columns.iter().map(|(key, _)| cell(&row[*key])).collect();
        writeln!(text, "| {} |", cells.join(" | "))?;
    }
    Ok(text)
}

/// A cell: counts whole, small numbers with two digits.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Number(number) => match number.as_f64() {
            Some(number) if number.abs() >= 100.0 || number.fract() == 0.0 => {
                format!("{number:.0}")
            }
            Some(number) => format!("{number:.2}"),
            None => number.to_string(),
        },
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
