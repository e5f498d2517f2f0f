//! What an operator asks of a running platform, on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub(super) const SAGAS: &str = "\
Examples:
  switchboard sagas list --state stuck               what waits for you
  switchboard sagas show 0191…                       its steps, and what each answered
  switchboard sagas retry 0191…                      try the undo that failed again
  switchboard sagas resolve 0191… --reason 'paid back by hand'
  switchboard sagas diagram --svg > saga.svg         the definition, drawn";

pub(super) const DEAD: &str = "\
Examples:
  switchboard dead list --service payments
  switchboard dead show payments.commands 0191…      the failed message, and what waits behind it
  switchboard dead replay --all --dry-run            say what a replay would do
  switchboard dead replay payments.commands 0191…    let the key go on, in order
  switchboard dead skip payments.commands 0191… --reason 'a test order'";

pub(super) const LOG: &str = "\
Examples:
  switchboard log inspect                            all segments, each record's sum verified
  switchboard log inspect --data ./shop --json
  switchboard log read orders.events --partition 3 --after 120 --limit 5";

pub(super) const KEYS: &str = "\
Examples:
  switchboard keys list
  switchboard keys rotate             a new key signs at once; the old one verifies for a day
  switchboard keys rotate --force     again within that day: signs out who signed in before";

/// How a running platform is reached.
#[derive(Clone, Debug, Default, Args)]
pub struct Remote {
    /// The platform [default: the one that runs on the data folder]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The file with the operator's token [default: operator-token in the data folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// `sagas …`.
#[derive(Debug, Subcommand)]
pub enum Sagas {
    /// Sagas, newest first
    List {
        /// Only these: doing, undoing, stuck, completed, undone
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One saga: its steps, what each answered, its history
    Show {
        /// The order
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Try the undo that failed again
    Retry {
        /// The order
        id: String,
    },
    /// Declare by hand that the undo that failed is done
    Resolve {
        /// The order
        id: String,
        /// Why, for the audit trail
        #[arg(long)]
        reason: String,
    },
    /// The saga as a diagram: its definition in Mermaid's language, one order as SVG
    Diagram {
        /// One order, with what has happened; the definition if absent
        id: Option<String>,
        /// The definition as SVG
        #[arg(long)]
        svg: bool,
    },
}

/// `dead …`.
#[derive(Debug, Subcommand)]
pub enum Dead {
    /// Blocked keys of all services, longest blocked first
    List {
        /// Only this service
        #[arg(long)]
        service: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One key: the failed message, its failures, and what waits behind it
    Show {
        /// The group
        group: String,
        /// The key
        key: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a key be tried again, in order
    Replay {
        /// The group
        #[arg(required_unless_present = "all")]
        group: Option<String>,
        /// The key
        #[arg(required_unless_present = "all")]
        key: Option<String>,
        /// Every parked key
        #[arg(long, conflicts_with_all = ["group", "key"])]
        all: bool,
        /// Say what would be replayed, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Drop the failed message for good and let the key go on
    Skip {
        /// The group
        group: String,
        /// The key
        key: String,
        /// Why, for the audit trail
        #[arg(long)]
        reason: String,
    },
}

/// `keys …`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// The keys, the one that signs first
    List,
    /// Make a new key sign; what the present one has signed stays good
    Rotate {
        /// Also when the key before the present one is still needed by some tokens
        #[arg(long)]
        force: bool,
    },
}

/// `log …`.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// The segments of the log, each record's sum verified; reads files only, and changes nothing
    Inspect {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Records of a topic, asked of the running platform
    Read {
        /// The topic
        topic: String,
        /// Its partition
        #[arg(long, default_value_t = 0)]
        partition: u32,
        /// After this position
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// At most so many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}
