//! What the GraphQL endpoint allows: every bound with its default, and which reading of GraphQL over HTTP it follows.
//!
//! A caller writes the program that runs here, so nothing may be without a bound. The defaults let a hundred ordinary requests of one
//! caller arrive at once, and stop one request that would be a hundred.

use std::sync::Arc;
use std::time::Duration;

use super::persisted::Documents;

/// Which statuses GraphQL answers have.
///
/// Both speak `application/graphql-response+json` and `application/json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpProfile {
    /// What the audit of the `graphql-http` package asks for: a document that is wrong is a 400, or
    /// a 200 for callers that accept only `application/json`.
    #[default]
    Audit2025,
    /// What the draft of 2026 asks for: a request that is understood and wrong is a 422 for
    /// everybody, and data with errors beside it a 294. Proxies and clients may not know that one.
    Draft2026,
}

/// Whether documents can be asked for that nobody has registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Any document within the limits.
    #[default]
    Any,
    /// Only documents of the manifest.
    Manifest,
}

/// The settings of the endpoint.
#[derive(Clone, Debug)]
pub struct Options {
    /// Statuses. Default [`HttpProfile::Audit2025`].
    pub profile: HttpProfile,
    /// Whether the schema can be asked for, and mistakes answer with what was probably meant.
    /// Default no: right for a port that strangers reach. A port of this machine turns it on.
    pub introspection: bool,
    /// Whether browsers get the explorer. Default no, like introspection.
    pub explorer: bool,
    /// How long an operation may take, at most. Default 10 s; a caller can ask for less with
    /// `X-Request-Timeout-Ms`. Every call to a service gets what is left of it.
    pub timeout: Duration,
    /// Bounds of one document.
    pub limits: Limits,
    /// What one caller may spend.
    pub allowance: Allowance,
    /// Bounds of subscriptions.
    pub streams: Streams,
    /// Documents that were registered at build time. Default none.
    pub documents: Arc<Documents>,
    /// Whether others can be asked for. Default [`Trust::Any`].
    pub trust: Trust,
    /// Documents of automatic persisted queries that are remembered. Default 1 000; 4 MiB in all.
    pub remembered: usize,
}

/// Bounds of one document, looked at before anything of it runs.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of the document. Default 32 KiB.
    pub bytes: usize,
    /// Tokens of the document. Default 2 000.
    pub tokens: usize,
    /// Brackets inside brackets. Default 48. It bounds what the parser itself must remember.
    pub nesting: usize,
    /// Fields inside fields, leaves included. Default 15: the usual introspection query just fits.
    pub depth: usize,
    /// Fields, spreads and inline fragments, with fragments written out. Default 2 000.
    pub fields: usize,
    /// Fields with an alias, with fragments written out. Default 30.
    pub aliases: usize,
    /// Fields of the operation itself. Default 20.
    pub root_fields: usize,
    /// Directives, with fragments written out. Default 50.
    pub directives: usize,
    /// Operations in a document. Default 10.
    pub operations: usize,
    /// Lists and objects inside one another in an argument or a variable. Default 10.
    pub input_depth: usize,
    /// Fields that an operation may come to, lists counted as long as they may be. Default 200 000:
    /// a list of lists of a hundred things each, with twenty fields a thing.
    pub complexity: u64,
}

/// What one caller may spend: an account of fields that fills again as time passes.
///
/// An operation is charged what it may come to, and gets back what it did not use.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// What the account holds, at most. Default 10 million fields: fifty of the dearest operations
    /// at once.
    pub capacity: u64,
    /// What it gets back in a second. Default 500 000 fields.
    pub per_second: u64,
    /// What each field of a mutation costs beside what it answers, and never comes back. Default
    /// 5 000: a hundred a second, as often as strangers may call REST.
    pub mutation: u64,
    /// Callers that are remembered. Default 10 000.
    pub callers: usize,
}

/// Bounds of subscriptions, over WebSockets and server-sent events.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// Connections with subscriptions at the same time. Default 256.
    pub connections: usize,
    /// Of these, connections of one account, or of one network without a token. Default 32.
    pub per_caller: usize,
    /// Operations of one WebSocket at the same time. Default 16.
    pub operations: usize,
    /// How long a WebSocket may take to introduce itself. Default 5 s.
    pub init: Duration,
    /// How long a connection may be without an operation or a result. Default 5 min. Signs of life
    /// are none.
    pub idle: Duration,
    /// Between two signs of life from our side. Default 20 s.
    pub heartbeat: Duration,
    /// Bytes of one message of a WebSocket. Default 64 KiB.
    pub message: usize,
}

// === impl Options ===

impl Options {
    /// For a port that only this machine reaches: the schema can be explored.
    pub fn development() -> Self {
        Self { introspection: true, explorer: true, ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: HttpProfile::default(),
            introspection: false,
            explorer: false,
            timeout: Duration::from_secs(10),
            limits: Limits::default(),
            allowance: Allowance::default(),
            streams: Streams::default(),
            documents: Arc::default(),
            trust: Trust::default(),
            remembered: 1_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 32 << 10,
            tokens: 2_000,
            nesting: 48,
            depth: 15,
            fields: 2_000,
            aliases: 30,
            root_fields: 20,
            directives: 50,
            operations: 10,
            input_depth: 10,
            complexity: 200_000,
        }
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self { capacity: 10_000_000, per_second: 500_000, mutation: 5_000, callers: 10_000 }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            connections: 256,
            per_caller: 32,
            operations: 16,
            init: Duration::from_secs(5),
            idle: Duration::from_secs(300),
            heartbeat: Duration::from_secs(20),
            message: 64 << 10,
        }
    }
}
