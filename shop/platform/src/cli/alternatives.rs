//! What can be compared, on the command line.

use clap::{Args, Subcommand};

use crate::compare::Protocol;

pub(super) const COMPARE: &str = "\
Examples:
  switchboard compare protocols                      on a shop of its own, about a minute
  switchboard compare protocols --seconds 10 --clients 16 --json
  switchboard compare protocols --url http://127.0.0.1:8080    on a shop that runs; it is filled";

pub(super) const STORM: &str = "\
Examples:
  switchboard storm                    three layers of retries, and an overload that will not end
  switchboard storm --json";

/// `storm`.
#[derive(Debug, Args)]
pub struct Storm {
    /// Repeats the same chance
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `compare …`.
#[derive(Debug, Subcommand)]
pub enum Compare {
    /// REST, GraphQL and gRPC: the same work over each, through the public port
    Protocols(Protocols),
}

/// `compare protocols`.
#[derive(Debug, Args)]
pub struct Protocols {
    /// A shop that runs; it keeps the users, posts and orders that are made for this
    /// [default: a shop of its own, which is gone afterwards]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Seconds for each of the twelve cells
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// Clients that ask at the same time, each with a connection per protocol
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clients)]
    pub(crate) clients: usize,
    /// Only these
    #[arg(long, value_name = "PROTOCOL,…", value_delimiter = ',')]
    pub(crate) only: Vec<Protocol>,
    /// HTTP/2 for REST and GraphQL too
    #[arg(long)]
    pub(crate) http2: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Clients, at most: each is a user with posts of its own.
const CLIENTS: usize = 200;

fn clients(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=CLIENTS).contains(&count) => Ok(count),
        _ => Err(format!("a whole number from 1 to {CLIENTS}")),
    }
}
