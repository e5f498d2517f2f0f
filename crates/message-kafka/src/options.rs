//! Where Kafka is, how to speak to it, and how large and how patient everything is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, SystemClock};

use crate::dead_letters::Dialect;
use crate::url::{self, UrlError};

/// Settings of a [`KafkaBroker`](crate::KafkaBroker).
///
/// ```
/// use switchboard_message_kafka::{Compression, Options};
///
/// let options = Options::from_url("kafka://one:9092,two:9092?linger=2ms&compression=zstd")?;
/// assert_eq!(options.bootstrap, "one:9092,two:9092");
/// assert_eq!(options.compression, Compression::Zstd);
/// # Ok::<(), switchboard_message_kafka::UrlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// Brokers that are asked for all others: `host:port`, several with commas.
    pub bootstrap: String,
    /// How Kafka's logs and metrics name this program. Default `switchboard`.
    pub client_id: String,
    /// Put before the name of every topic and group, so that several systems share a cluster, and
    /// its access rules can name them; only what begins with it is seen. Default empty.
    pub prefix: String,
    /// Copies of each partition of a topic that is created. Default: three, or as many as there
    /// are brokers.
    pub replication: Option<u16>,
    /// How batches are compressed. Default [`Compression::Lz4`].
    pub compression: Compression,
    /// How long a record waits for others that share its batch. Default 1 ms.
    pub linger: Duration,
    /// How long [`publish`](switchboard_message::Broker::publish) waits for an ack. Default 30 s.
    pub delivery_limit: Duration,
    /// Bytes of records that wait to be sent, at most. Default 64 MiB.
    pub buffer_bytes: usize,
    /// The largest message: key, payload and headers. Default 1 MiB.
    pub max_message_bytes: usize,
    /// How often a group's progress is committed while it moves. Default 1 s.
    pub commit_every: Duration,
    /// How long a partition that must be given up waits for what is in hand. Default 5 s.
    pub drain: Duration,
    /// A member that is silent for so long has left. Default 45 s.
    pub session: Duration,
    /// How often a member says that it lives, and learns that others have come. Default 3 s.
    pub heartbeat: Duration,
    /// Where rejected records go. Default: to `<topic>.dead`, in our own dialect.
    pub dead_letters: DeadLetters,
    /// How many of the newest records of each partition are searched for what a store has
    /// published. Default 256.
    pub tail: u32,
    /// Encrypts the connection. Needs the cargo feature `kafka-tls`.
    pub tls: Option<Tls>,
    /// Who we are.
    pub sasl: Option<Sasl>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Fast.
    #[default]
    Lz4,
    /// Small.
    Zstd,
    /// Not at all.
    None,
}

/// Where rejected records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetters {
    /// Nowhere: they are passed, and counted.
    Off,
    /// To the topic `<topic>.dead`, which is created when the first one comes.
    To(Dialect),
}

/// What is needed to trust the brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of the authorities that are trusted, as PEM. Default: the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key, as PEM, when the brokers ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Who we are.
#[derive(Clone, PartialEq, Eq)]
pub struct Sasl {
    /// How it is proven.
    pub mechanism: Mechanism,
    /// The name.
    pub user: String,
    /// The secret. Not shown by `Debug`.
    pub password: String,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// By sending the password: only over TLS, or where nobody listens.
    #[default]
    Plain,
    /// By a challenge. Needs the cargo feature `kafka-tls`.
    ScramSha256,
    /// By a challenge. Needs the cargo feature `kafka-tls`.
    ScramSha512,
}

// === impl Options ===

impl Options {
    /// A cluster that is found through these brokers, with every default.
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            client_id: "switchboard".into(),
            prefix: String::new(),
            replication: None,
            compression: Compression::default(),
            linger: Duration::from_millis(1),
            delivery_limit: Duration::from_secs(30),
            buffer_bytes: 64 << 20,
            max_message_bytes: 1 << 20,
            commit_every: Duration::from_secs(1),
            drain: Duration::from_secs(5),
            session: Duration::from_secs(45),
            heartbeat: Duration::from_secs(3),
            dead_letters: DeadLetters::To(Dialect::Switchboard),
            tail: 256,
            tls: None,
            sasl: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// `kafka://[user:password@]host[:port][,host[:port]…][?setting=value&…]`.
    ///
    /// | setting | value | | setting | value |
    /// |---|---|---|---|---|
    /// | `client_id` | text | | `commit_every` | time |
    /// | `prefix` | text | | `drain` | time |
    /// | `replication` | number | | `session`, `heartbeat` | time |
    /// | `compression` | `lz4`, `zstd`, `none` | | `dead_letters` | `switchboard`, `spring`, `connect`, `off` |
    /// | `linger` | time | | `tail` | number |
    /// | `delivery_limit` | time | | `tls` | `true`, `false` |
    /// | `buffer_bytes` | number | | `ca`, `certificate`, `key` | path |
    /// | `max_message_bytes` | number | | `mechanism` | `plain`, `scram-sha-256`, `scram-sha-512` |
    ///
    /// A time is a number with `ms`, `s` or `m`. Anything that a URL reserves is written as `%` and
    /// two hexadecimal digits.
    ///
    /// # Errors
    /// [`UrlError`], naming the setting that is wrong.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        url::parse(url)
    }

    /// The same with another name for Kafka's logs.
    #[must_use]
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// The same with something before the name of every topic and group.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The same with another number of copies for topics that are created.
    #[must_use]
    pub fn with_replication(mut self, copies: u16) -> Self {
        self.replication = Some(copies);
        self
    }

    /// The same with another compression.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The same with another wait for records that share a batch.
    #[must_use]
    pub fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// The same with another limit on waiting for acks.
    #[must_use]
    pub fn with_delivery_limit(mut self, limit: Duration) -> Self {
        self.delivery_limit = limit;
        self
    }

    /// The same with another bound on records that wait to be sent.
    #[must_use]
    pub fn with_buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// The same with another limit on a message.
    #[must_use]
    pub fn with_max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// The same with another rhythm of commits.
    #[must_use]
    pub fn with_commit_every(mut self, every: Duration) -> Self {
        self.commit_every = every;
        self
    }

    /// The same with another patience before a partition is given up.
    #[must_use]
    pub fn with_drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// The same with another patience with silent members, and another rhythm of heartbeats.
    #[must_use]
    pub fn with_session(mut self, session: Duration, heartbeat: Duration) -> Self {
        self.session = session;
        self.heartbeat = heartbeat;
        self
    }

    /// The same with another place for rejected records.
    #[must_use]
    pub fn with_dead_letters(mut self, dead_letters: DeadLetters) -> Self {
        self.dead_letters = dead_letters;
        self
    }

    /// The same with another number of records that are searched for what a store has published.
    #[must_use]
    pub fn with_tail(mut self, records: u32) -> Self {
        self.tail = records;
        self
    }

    /// The same over TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The same with a name and a password.
    #[must_use]
    pub fn with_sasl(
        mut self,
        mechanism: Mechanism,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.sasl = Some(Sasl { mechanism, user: user.into(), password: password.into() });
        self
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The first setting that needs a build with `kafka-tls`, if there is one.
    pub(crate) fn needs_tls(&self) -> Option<&'static str> {
        match (&self.tls, &self.sasl) {
            (Some(_), _) => Some("TLS"),
            (None, Some(sasl)) if sasl.mechanism != Mechanism::Plain => Some("SCRAM"),
            _ => None,
        }
    }
}

// === impl Sasl ===

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl")
            .field("mechanism", &self.mechanism)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
