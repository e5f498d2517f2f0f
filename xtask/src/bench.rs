//! Measures in release mode, each figure beside a floor or a raw twin of the same run, and writes BENCHMARKS.md.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{house, process};

/// One bench: how it is run, and how its lines of JSON become a table.
struct Bench {
    name: &'static str,
    title: &'static str,
    /// What is measured, how durable it is, and what limits it.
    about: &'static str,
    command: &'static [&'static str],
    columns: &'static [(&'static str, &'static str)],
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "log",
        title: "Embedded log",
        about: "Appends acknowledged by fdatasync, group commit by draining. The floor writes and syncs \
                batches of the same size to a preallocated file, in turns with ours. Goal: 0.8 of the floor.",
        command: &[
            "run",
            "--release",
            "--quiet",
            "--package",
            "switchboard-log",
            "--example",
            "bench",
        ],
        columns: &[
            ("case", "case"),
            ("producers", "producers"),
            ("bytes", "bytes"),
            ("appends_per_s", "appends/s"),
            ("floor_per_s", "floor/s"),
            ("ratio", "ratio"),
            ("records_per_s", "records/s"),
            ("mb_per_s", "MB/s"),
        ],
    },
    Bench {
        name: "store",
        title: "SQLite store",
        about: "Units committed with `synchronous=FULL`: a mark, two events, one row. The floor is a bare \
                SQLite loop that writes the same rows with sequential keys. Goal: 0.7 of the floor.",
        command: &[
            "run",
            "--release",
            "--quiet",
            "--package",
            "switchboard-store-sqlite",
            "--example",
            "bench",
        ],
        columns: &[
            ("writers", "writers"),
            ("units_per_s", "units/s"),
            ("floor_per_s", "floor/s"),
            ("ratio", "ratio"),
        ],
    },
    Bench {
        name: "handler",
        title: "Handler path",
        about: "Publish → deliver → decide → commit → settle, 256 in flight, everything synced: the log \
                and the store. The floor is the bare SQLite loop alone. Goal: 0.6 of the floor.",
        command: &[
            "run",
            "--release",
            "--quiet",
            "--package",
            "switchboard",
            "--example",
            "bench_handler",
        ],
        columns: &[
            ("in_flight", "in flight"),
            ("messages_per_s", "messages/s"),
            ("p50_ms", "p50 ms"),
            ("p99_ms", "p99 ms"),
            ("commits_per_message", "commits/message"),
            ("bytes_per_message", "bytes/message"),
            ("floor_per_s", "floor/s"),
            ("ratio", "ratio"),
        ],
    },
    Bench {
        name: "saga",
        title: "Three-step saga",
        about: "Charge, reserve, ship over four stores and one log, everything synced in the path; `refused` \
                is refused at the third step and undone. The floor makes the same hops with bare SQLite and a \
                bare log. Goal: 0.6 of the floor.",
        command: &[
            "run",
            "--release",
            "--quiet",
            "--package",
            "switchboard",
            "--example",
            "bench_saga",
        ],
        columns: &[
            ("case", "case"),
            ("in_flight", "in flight"),
            ("sagas_per_s", "sagas/s"),
            ("p50_ms", "p50 ms"),
            ("p99_ms", "p99 ms"),
            ("floor_per_s", "floor/s"),
            ("ratio", "ratio"),
        ],
    },
    Bench {
        name: "shop",
        title: "The whole shop",
        about: "Orders through the public port, from POST to `completed`, in one process; each customer waits \
                for an order to end before the next.",
        command: &["run", "--release", "--quiet", "--package", "shop-platform", "--", "bench"],
        columns: &[
            ("customers", "customers"),
            ("orders_per_s", "orders/s"),
            ("p50_ms", "p50 ms"),
            ("p99_ms", "p99 ms"),
            ("start_ms", "start to ready ms"),
            ("idle_cpu_percent", "idle % of a core"),
            ("idle_memory_mb", "idle MB"),
        ],
    },
];

/// Runs the chosen benches, prints their tables, and writes them down unless `dry`.
pub(crate) fn run(only: &[String], dry: bool) -> anyhow::Result<()> {
    for name in only {
        if !BENCHES.iter().any(|bench| bench.name == name) {
            let known: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
            bail!("no bench `{name}`; there are {}", known.join(", "));
        }
    }
    let mut report = heading()?;
    for bench in BENCHES {
        if only.is_empty() || only.iter().any(|name| name == bench.name) {
            let lines = process::output("cargo", bench.command)?;
            let table = table(bench, &lines)?;
            print!("{table}");
            report.push_str(&table);
        }
    }
    if dry || !only.is_empty() {
        eprintln!("BENCHMARKS.md is left as it is: it is written by a full run only");
    } else {
        fs::write(house::root().join("BENCHMARKS.md"), report)?;
    }
    Ok(())
}

/// Machine, load and commit: without them no figure means anything.
fn heading() -> anyhow::Result<String> {
    let sh = |script: &str| process::output("sh", &["-c", script]);
    let machine = sh("grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | sed 's/^ *//'")?;
    let cores = sh("nproc")?;
    let memory = sh("awk '/MemTotal/ {printf \"%.0f\", $2 / 1048576}' /proc/meminfo")?;
    let load = sh("cut -d' ' -f1 /proc/loadavg")?;
    let commit = process::output("git", &["rev-parse", "--short=12", "HEAD"])?;
    Ok(format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench`. Durable means synced to disk before the answer. Medians of interleaved runs; every ratio is to a\n\
         floor that was measured in the same run, because disks differ and neighbours come and go.\n\n\
         | machine | cores | memory | load before | commit |\n|---|---|---|---|---|\n\
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
