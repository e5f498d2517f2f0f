//! The command line: what can be asked, with examples. What is then done is in [`commands`].

mod alternatives;
mod interface;
mod operator;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use switchboard_core::BoxError;

use crate::commands;
use crate::settings::{EngineFlags, Flags, Settings};
use crate::upstream::Upstream;
use alternatives::{COMPARE, STORM};
pub use alternatives::{Compare, Protocols, Storm};
use interface::{COLLECTION, OPENAPI};
pub use interface::{Collection, Format, OpenApi};
use operator::{DEAD, KEYS, LOG, SAGAS};
pub use operator::{Dead, Keys, Log, Remote, Sagas};

const EXAMPLES: &str = "\
Examples:
  switchboard up                          every service, gateway and console in one process
  switchboard serve orders --listen 127.0.0.1:9001    one service in a process of its own
  switchboard demo                        in a second terminal: customers, orders, and the sums
  switchboard sagas list --state stuck    orders that wait for you
  switchboard dead list                   keys that are parked behind a failed message
  switchboard dead replay payments.commands 0191…
  switchboard log inspect                 the log's files, every record's sum verified
  switchboard backup /backups/monday      everything as of now, while it runs
  switchboard compare protocols           REST, GraphQL and gRPC, measured on this machine
  switchboard collection --out shop.json  every request, for Postman or Insomnia
  switchboard doctor                      looks at everything that could be wrong
  switchboard --print-config              settings, and who set each";

/// A shop of separate services that talk through an embedded, durable broker.
#[derive(Debug, Parser)]
#[command(name = "switchboard", version, about, after_help = EXAMPLES)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    flags: Flags,
    /// Print all settings and who set each, and do nothing else
    #[arg(long, global = true)]
    print_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole shop in this process, until Ctrl-C
    Up(Up),
    /// Run one service, or the gateway, in a process of its own; several copies share the work
    Serve(Serve),
    /// Let customers order, some orders made to fail, and do the sums at the end
    Demo(Demo),
    /// Orders on their way: list, show, retry, resolve, draw
    #[command(after_help = SAGAS)]
    Sagas {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        action: Sagas,
    },
    /// Keys that are parked behind a failed message: list, show, replay, skip
    #[command(after_help = DEAD)]
    Dead {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        action: Dead,
    },
    /// Look into the log: its files, verified and never changed, or its records
    #[command(after_help = LOG)]
    Log {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        action: Log,
    },
    /// The keys that tokens are signed with: list, rotate
    #[command(after_help = KEYS)]
    Keys {
        #[command(subcommand)]
        action: Keys,
    },
    /// Copy everything as of one moment, while the shop runs
    Backup(Backup),
    /// Put a backup back, as a whole or one service, and say what cannot come back
    Restore(Restore),
    /// Look at everything that could be wrong, and say what to do
    Doctor {
        #[command(flatten)]
        remote: Remote,
    },
    /// Measure alternatives side by side on this machine, and say what cannot be measured
    #[command(subcommand, after_help = COMPARE)]
    Compare(Compare),
    /// Show what retries do to a dependency that fails, and to one that is overloaded: 15 seconds
    #[command(after_help = STORM)]
    Storm(Storm),
    /// Write the interface's document (OpenAPI 3.1)
    #[command(name = "openapi", after_help = OPENAPI)]
    OpenApi(OpenApi),
    /// Write the interface as a collection of requests for Postman or Insomnia
    #[command(after_help = COLLECTION)]
    Collection(Collection),
    /// Load for `cargo xtask storm`
    #[command(hide = true)]
    StormLoad(StormLoad),
    /// Figures for `cargo xtask bench`
    #[command(hide = true)]
    Bench {
        /// Seconds at each number of customers.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
}

/// `up`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchboard up
  switchboard up --listen 127.0.0.1:0 --ephemeral    a free port, and nothing is kept
  switchboard up --data ./shop --fresh --yes         empty the folder first, without asking
  switchboard up --broker kafka://127.0.0.1:9092 --store postgres://shop@127.0.0.1/shop")]
pub struct Up {
    #[command(flatten)]
    engines: EngineFlags,
    /// Where the public port listens; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<SocketAddr>,
    /// Delete all data first; asks, unless --yes
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Use a temporary folder, deleted at the end
    #[arg(long, conflicts_with_all = ["fresh", "data"])]
    pub(crate) ephemeral: bool,
    /// Answer yes to what is asked
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Allow an address that other machines can reach; there is no encryption
    #[arg(long)]
    public: bool,
}

/// `serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  export SWITCHBOARD_BROKER=kafka://127.0.0.1:9092 SWITCHBOARD_STORE=postgres://shop@127.0.0.1/shop
  switchboard serve orders --listen 127.0.0.1:9001
  switchboard serve orders --listen 127.0.0.1:9002    a second copy shares the work
  switchboard serve gateway --upstream orders=http://127.0.0.1:9001,http://127.0.0.1:9002 \\
      --upstream users=http://127.0.0.1:9003 …        one for each service")]
pub struct Serve {
    /// users, content, orders, payments, inventory, shipping, notifications, or gateway
    pub(crate) service: String,
    #[command(flatten)]
    engines: EngineFlags,
    /// Where it listens [default: any free port of this machine; the gateway 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<SocketAddr>,
    /// Allow an address that other machines can reach; there is no encryption
    #[arg(long)]
    public: bool,
    /// For the gateway: where the copies of a service listen
    #[arg(long, value_name = "SERVICE=URL,URL")]
    upstream: Vec<Upstream>,
}

/// `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchboard demo
  switchboard demo --orders 200 --customers 20 --seed 7
  switchboard demo | cat        plain lines instead of a live table")]
pub struct Demo {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Orders in all
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) orders: u32,
    /// Customers that order at the same time
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) customers: u32,
    /// One in so many orders is meant to fail; 0 lets all go well
    #[arg(long, default_value_t = 4)]
    pub(crate) failing: u64,
    /// Repeats the same wishes
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The sums as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchboard backup /backups/monday
  switchboard backup ./copy --data ./shop --json
The folder is made on the machine of the platform, and must not exist. It holds the keys.")]
pub struct Backup {
    #[command(flatten)]
    pub(crate) remote: Remote,
    #[command(flatten)]
    pub(crate) engines: EngineFlags,
    /// The folder that is made
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchboard restore /backups/monday                   into the empty data folder
  switchboard restore /backups/monday --data ./other    into another one, to look at it
  switchboard restore /backups/monday --force           what is there is moved aside, and kept
  switchboard restore /backups/monday --only orders     one service; the others stay as they are")]
pub struct Restore {
    /// The backup
    #[arg(value_name = "DIR")]
    pub(crate) backup: PathBuf,
    /// Only this service; the others, the log and the keys stay as they are
    #[arg(long, value_name = "SERVICE")]
    pub(crate) only: Option<String>,
    /// Move data aside that is there; asks, unless --yes
    #[arg(long)]
    pub(crate) force: bool,
    /// Answer yes to what is asked
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `storm-load`.
#[derive(Debug, Args)]
pub struct StormLoad {
    /// The platform.
    #[arg(long)]
    pub(crate) url: String,
    /// Repeats the same wishes.
    #[arg(long)]
    pub(crate) seed: u64,
    /// Ends by itself after so many seconds.
    #[arg(long)]
    pub(crate) seconds: u64,
    /// Customers.
    #[arg(long, default_value_t = 8)]
    pub(crate) customers: usize,
}

// === impl Cli ===

impl Cli {
    /// Runs the command and answers how the process ends.
    ///
    /// # Errors
    /// What went wrong, with what to do about it.
    pub fn run(self) -> Result<ExitCode, BoxError> {
        let mut flags = self.flags;
        match &self.command {
            Some(Command::Up(up)) => {
                flags.listen = up.listen;
                flags.public = up.public.then_some(true);
                flags.engines = up.engines.clone();
            }
            Some(Command::Serve(serve)) => {
                flags.listen = serve.listen;
                flags.public = serve.public.then_some(true);
                flags.engines = serve.engines.clone();
                flags.upstream = (!serve.upstream.is_empty()).then(|| serve.upstream.clone());
            }
            Some(Command::Backup(backup)) => {
                flags.url.clone_from(&backup.remote.url);
                flags.token_file.clone_from(&backup.remote.token_file);
                flags.engines = backup.engines.clone();
            }
            Some(
                Command::Sagas { remote, .. }
                | Command::Dead { remote, .. }
                | Command::Log { remote, .. }
                | Command::Doctor { remote }
                | Command::Demo(Demo { remote, .. }),
            ) => {
                flags.url.clone_from(&remote.url);
                flags.token_file.clone_from(&remote.token_file);
            }
            _ => {}
        }
        let settings = Settings::resolve(&flags)?;
        if self.print_config {
            return commands::config::print(&settings);
        }
        switchboard_telemetry::traces(settings.traces.value.into());
        match self.command {
            None => Err("name a command; `switchboard --help` shows them".into()),
            Some(Command::Up(up)) => commands::up::run(&settings, &up),
            Some(Command::Serve(serve)) => commands::serve::run(&settings, &serve),
            Some(Command::Demo(demo)) => commands::demo::run(&settings, &demo),
            Some(Command::Sagas { action, .. }) => commands::sagas::run(&settings, action),
            Some(Command::Dead { action, .. }) => commands::dead::run(&settings, action),
            Some(Command::Log { action, .. }) => commands::log::run(&settings, &action),
            Some(Command::Keys { action }) => commands::keys::run(&settings, &action),
            Some(Command::Backup(backup)) => commands::backup::run(&settings, &backup),
            Some(Command::Restore(wanted)) => commands::restore::run(&settings, &wanted),
            Some(Command::Doctor { .. }) => commands::doctor::run(&settings),
            Some(Command::Compare(wanted)) => commands::compare::run(&wanted),
            Some(Command::Storm(wanted)) => commands::storm::run(&wanted),
            Some(Command::OpenApi(wanted)) => commands::interface::openapi(&wanted),
            Some(Command::Collection(wanted)) => {
                commands::interface::collection(&settings, &wanted)
            }
            Some(Command::StormLoad(load)) => commands::proofs::storm(&load),
            Some(Command::Bench { seconds }) => commands::proofs::bench(seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_contract_parses() {
        for line in [
            "up --listen 127.0.0.1:0 --data x",
            "up --ephemeral",
            "up --fresh --yes",
            "up --broker kafka://127.0.0.1:9092 --store postgres://ann@127.0.0.1/shop",
            "up --broker amqp://guest:guest@127.0.0.1/%2f --namespace ann --engine-wait 5",
            "serve orders --broker amqp://h --store postgres://h/d --listen 127.0.0.1:0 --data x",
            "serve gateway --upstream orders=http://a:1,http://b:1 --upstream users=http://c:1",
            "demo --url http://127.0.0.1:1 --orders 3 --customers 2",
            "sagas list --json",
            "sagas show 1",
            "sagas retry 1",
            "sagas resolve 1 --reason refunded-by-hand",
            "sagas diagram --svg",
            "dead list --token-file t",
            "dead show g k",
            "dead replay g k",
            "dead replay --all --dry-run",
            "dead skip g k --reason why",
            "log inspect --data x",
            "log read orders.events --partition 3 --after 7",
            "keys list",
            "keys rotate --force --data x",
            "backup b --data x --json",
            "restore b --only orders --yes",
            "restore b --force --json",
            "doctor",
            "compare protocols",
            "compare protocols --seconds 1 --clients 2 --only rest,grpc --http2 --json",
            "compare protocols --url http://127.0.0.1:1",
            "openapi --out f",
            "collection --format insomnia --out f",
            "--print-config",
            "storm-load --url http://x --data d --seed 1 --seconds 2",
            "bench",
        ] {
            let words = std::iter::once("switchboard").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
        for line in [
            "up --ephemeral --fresh",
            "up --broker redis://h",
            "up --store kafka://h",
            "serve",
            "serve gateway --upstream odrers=http://a:1",
            "dead replay",
            "sagas resolve 1",
            "demo --orders 0",
            "compare",
            "compare protocols --seconds 0",
            "compare protocols --clients 0",
            "compare protocols --only soap",
            "collection --format curl",
        ] {
            let words = std::iter::once("switchboard").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }
}
