//! REST, GraphQL and gRPC beside each other: the same four pieces of work, over the public port of the same shop, measured in turns.
//!
//! Which protocol is better is asked more often than measured. Here every answer is checked against what was written, so no protocol is fast
//! by answering less; each client has one persistent connection per protocol, whose bytes are counted at the socket; and the protocols take
//! turns, so that whatever else the machine does meets all of them.
//!
//! - `fill` what the shop is filled with, over its public REST interface
//! - `seen` what each answer must say
//! - `wire` one connection, counted
//! - `rest`, `graphql`, `grpc` the same work in each protocol
//! - `surplus` bytes of answers that the work does not need
//! - `measure` rounds, medians, processor time
//! - `choice`, `table` what cannot be measured, and all of it for people and for programs

mod choice;
mod fill;
mod graphql;
mod grpc;
mod measure;
mod rest;
mod seen;
mod sse;
mod surplus;
mod table;
mod wire;

use std::cell::{Cell as Mutable, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::ValueEnum;
use switchboard_core::BoxError;

pub use fill::Sizes;
pub use measure::Cell;
pub(crate) use measure::cpu_in;
pub use table::{text, value};

use fill::Reader;
use wire::Counts;

/// A way to ask the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Protocol {
    /// REST with JSON, over HTTP/1.1.
    Rest,
    /// GraphQL, over HTTP/1.1.
    Graphql,
    /// gRPC, over HTTP/2.
    Grpc,
}

/// A piece of work, the same in each protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// One user: id, name, e-mail address.
    User,
    /// A user with their posts, the comments on them, and the names of who wrote those.
    Posts,
    /// A long list, page by page.
    List,
    /// An order, followed to its end.
    Stream,
}

/// What is compared, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The shop: `http://127.0.0.1:8080`.
    pub url: String,
    /// The protocols. Default all.
    pub only: Vec<Protocol>,
    /// How long each cell is measured, in all its rounds. Default 3 s.
    pub time: Duration,
    /// Clients that ask at the same time, each with a connection per protocol. Default 8.
    pub clients: usize,
    /// Whether REST and GraphQL speak HTTP/2 too. Default no.
    pub http2: bool,
    /// The shop's process, whose processor time is read, if it is on this machine.
    pub process: Option<u32>,
    /// How much the shop is filled with.
    pub sizes: Sizes,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// One for each work and protocol, works in order.
    pub cells: Vec<Cell>,
    /// How long each cell was measured.
    pub time: Duration,
    /// Clients that asked at the same time.
    pub clients: usize,
    /// Rounds that the figures are medians of.
    pub rounds: usize,
    /// Whether REST and GraphQL spoke HTTP/2.
    pub http2: bool,
    /// Whether polls over REST named the representation that they had.
    pub conditional: bool,
    /// Polls that were answered with 304: that one is still right.
    pub unchanged: u64,
    /// What the shop was filled with.
    pub sizes: Sizes,
}

/// What one operation has cost, as far as the client can tell.
#[derive(Debug, Default)]
struct Tally {
    /// Whether surplus is worked out; it takes time, so rounds do without where answers are alike.
    weighs: bool,
    trips: Mutable<u64>,
    surplus: Mutable<u64>,
    conditional: Mutable<u64>,
    unchanged: Mutable<u64>,
    /// From a change to its notice.
    notices: RefCell<Vec<Duration>>,
}

/// A client of one protocol, on a connection of its own.
///
/// Answers are decoded into types, as any client would, and checked: a wrong one is an error.
#[async_trait(?Send)]
trait Caller {
    /// What has gone over its connection.
    fn counts(&self) -> &Counts;
    /// Reads the user.
    async fn user(&self, tally: &Tally) -> Result<(), BoxError>;
    /// Reads the user with posts, comments and names.
    async fn posts(&self, tally: &Tally) -> Result<(), BoxError>;
    /// Reads the long list.
    async fn list(&self, tally: &Tally) -> Result<(), BoxError>;
    /// Follows an order to its end.
    async fn follow(&self, order: &str, tally: &Tally) -> Result<(), BoxError>;
}

/// Fills the shop and measures every cell.
///
/// # Errors
/// When the shop cannot be reached, or answers anything but what was written.
///
/// # Cancel safety
/// Dropping the future closes its connections. What the shop was filled with stays.
pub async fn run(options: &Options) -> Result<Report, BoxError> {
    // Filling insists for long, as it may on a shop that is there.
    drop(wire::Wire::connect(&options.url, false).await?);
    let readers = fill::fill(&options.url, options.clients, options.sizes).await?;
    let readers: Vec<_> = readers.into_iter().map(Rc::new).collect();
    let mut protocols = options.only.clone();
    protocols.sort_unstable();
    protocols.dedup();
    let mut lanes = Vec::new();
    for protocol in protocols {
        let mut callers = Vec::new();
        for reader in &readers {
            callers.push(caller(protocol, options, reader.clone()).await?);
        }
        lanes.push((protocol, callers));
    }
    measure::all(options, &readers, &lanes).await
}

async fn caller(
    protocol: Protocol,
    options: &Options,
    reader: Rc<Reader>,
) -> Result<Box<dyn Caller>, BoxError> {
    let (url, http2) = (options.url.as_str(), options.http2);
    Ok(match protocol {
        Protocol::Rest => Box::new(rest::Rest::connect(url, http2, reader).await?),
        Protocol::Graphql => Box::new(graphql::Graphql::connect(url, http2, reader).await?),
        Protocol::Grpc => Box::new(grpc::Grpc::connect(url, reader).await?),
    })
}

// === impl Protocol ===

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rest, Self::Graphql, Self::Grpc];

    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Graphql => "graphql",
            Self::Grpc => "grpc",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rest => "REST",
            Self::Graphql => "GraphQL",
            Self::Grpc => "gRPC",
        }
    }
}

// === impl Work ===

impl Work {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::User, Self::Posts, Self::List, Self::Stream];

    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Posts => "posts",
            Self::List => "list",
            Self::Stream => "stream",
        }
    }
}

// === impl Options ===

impl Options {
    /// Everything by default, of the shop at this address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            only: Protocol::ALL.to_vec(),
            time: Duration::from_secs(3),
            clients: 8,
            http2: false,
            process: None,
            sizes: Sizes::default(),
        }
    }
}

// === impl Tally ===

impl Tally {
    fn weighing() -> Self {
        Self { weighs: true, ..Self::default() }
    }

    /// One more question that had to wait for its answer.
    fn trip(&self) {
        self.trips.set(self.trips.get() + 1);
    }

    /// So many more bytes that nobody needed.
    fn add_surplus(&self, bytes: usize) {
        self.surplus.set(self.surplus.get() + bytes as u64);
    }
}

/// What the callers of one protocol share with the socket.
type Counted = Arc<Counts>;
