//! The project's own tool: holds the house rules, runs every test, measures, and breaks things on purpose.

mod bench;
mod breaking;
mod browser;
mod codegen;
mod crash;
mod debian;
mod documents;
mod engines;
mod graphql;
mod grpc;
mod house;
mod interface;
mod npm;
mod phases;
mod process;
mod shop;
mod storm;
mod suite;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's tool. Start with `cargo xtask test --embedded`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything that CI checks: format, lints, documents, house rules, all tests.
    Ci,
    /// Runs every test; installs what is missing for them.
    Test {
        /// Only what needs nothing installed: no browser, no Kafka, RabbitMQ or PostgreSQL.
        #[arg(long)]
        embedded: bool,
    },
    /// Real engines for development: private, on loopback, without containers.
    Engines {
        /// What to do with them.
        #[command(subcommand)]
        action: engines::Action,
    },
    /// Makes Rust of the Protocol Buffers in shop/contracts/proto, to be checked in.
    Codegen {
        /// Only says what is stale.
        #[arg(long, conflicts_with = "publish")]
        check: bool,
        /// Makes them the published ones too, which no later change may break.
        #[arg(long)]
        publish: bool,
    },
    /// Writes the documents of the interface anew, and compares them with published versions.
    Documents {
        /// Takes what was added into the published versions; what breaks them is refused.
        #[arg(long)]
        publish: bool,
    },
    /// Holds the interface's document and a running shop to each other, with other people's tools.
    Interface,
    /// Holds the rules of the house: rows, first lines, sizes, words.
    Tidy,
    /// Measures, in release mode, and writes BENCHMARKS.md.
    Bench {
        #[arg(help = bench::help())]
        only: Vec<String>,
        /// Print, and leave BENCHMARKS.md as it is.
        #[arg(long)]
        dry: bool,
    },
    /// Kills the running shop again and again under load, and does the sums.
    Storm {
        /// How many times the process is killed.
        #[arg(long, default_value_t = 20)]
        kills: u32,
        /// Repeats a storm: printed by the one that failed.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Judges GraphQL of a running shop by programs of others; part of `test`.
    Graphql,
    /// Crashes log and store over simulated disks, and counts what was lost or invented.
    Crash {
        /// Crash cycles for each of the two.
        #[arg(long, default_value_t = 10_000)]
        cycles: u64,
        /// Repeats a run.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The causes, and no stack: what failed is nearly always another program.
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Ci => suite::ci(),
        Command::Test { embedded } => suite::test(embedded),
        Command::Engines { action } => engines::run(action),
        Command::Codegen { check, publish } => {
            codegen::run(check)?;
            if publish { grpc::publish() } else { Ok(()) }
        }
        Command::Documents { publish } => documents::run(publish),
        Command::Interface => interface::run(&suite::platform_binary()?),
        Command::Tidy => tidy::run(),
        Command::Bench { only, dry } => bench::run(&only, dry),
        Command::Storm { kills, seed } => storm::run(&suite::platform_binary()?, kills, seed),
        Command::Graphql => graphql::run(&suite::platform_binary()?),
        Command::Crash { cycles, seed } => crash::run(cycles, seed),
    }
}
