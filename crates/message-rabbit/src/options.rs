//! Where the server is, and how much may be under way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use switchboard_core::{Clock, SystemClock};

use crate::ConnectError;

/// Settings of a [`RabbitBroker`](crate::RabbitBroker).
#[derive(Clone)]
pub struct Options {
    pub(crate) uri: AMQPUri,
    /// What time it is: due times of retries count with it. Default the machine's clock.
    pub clock: Arc<dyn Clock>,
    /// Deliveries that the server sends ahead to one member, over all its partitions; each
    /// partition gets its share, at least [`MIN_SHARE`]. Default 200; between 100 and 300 is best,
    /// more is no faster and is all sent again after a failure.
    pub prefetch: u16,
    /// Messages published and not confirmed, at most. Default 256.
    pub confirm_window: usize,
    /// Silence after which a connection counts as dead; the client sends twice as often.
    /// Default 15 s.
    pub heartbeat: Duration,
    /// How long one attempt to connect may take. Default 10 s.
    pub connect_timeout: Duration,
    /// The first wait before connecting again; each further one doubles. Default 100 ms.
    pub backoff_first: Duration,
    /// The longest wait before connecting again. Default 5 s.
    pub backoff_longest: Duration,
    /// How long a publisher waits for a server that is away or does not confirm, before it is told
    /// [`PublishError::Unavailable`](switchboard_message::PublishError::Unavailable). Default 30 s.
    pub publish_patience: Duration,
    /// How often a message may come back before it is a dead letter: of members that crash, lose
    /// their connection or hand over. Default 20.
    pub delivery_limit: u32,
    /// How often an idle consumer is compared with its queue: one that gets nothing while messages
    /// are ready is registered anew. Default 10 s.
    pub watchdog: Duration,
    /// The largest message with its attributes, in bytes. Default 1 MiB.
    pub max_message_bytes: usize,
    /// Messages that no group wanted and that are kept to be looked at. Default 1 000.
    pub unrouted_kept: u32,
}

/// The least that a partition is sent ahead, however many a member has.
pub const MIN_SHARE: u16 = 16;

// === impl Options ===

impl Options {
    /// The server at `amqp://user:password@host:port/vhost`, with the defaults. `%2f` is the
    /// default virtual host.
    ///
    /// # Errors
    /// [`ConnectError::Url`] when it cannot be read; [`ConnectError::NoTls`] for `amqps://` without
    /// the feature `rabbit-tls`.
    pub fn from_url(url: &str) -> Result<Self, ConnectError> {
        let uri: AMQPUri = url.parse().map_err(ConnectError::Url)?;
        if uri.scheme == AMQPScheme::AMQPS && !cfg!(feature = "rabbit-tls") {
            return Err(ConnectError::NoTls);
        }
        Ok(Self {
            uri,
            clock: Arc::new(SystemClock),
            prefetch: 200,
            confirm_window: 256,
            heartbeat: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(10),
            backoff_first: Duration::from_millis(100),
            backoff_longest: Duration::from_secs(5),
            publish_patience: Duration::from_secs(30),
            delivery_limit: 20,
            watchdog: Duration::from_secs(10),
            max_message_bytes: 1 << 20,
            unrouted_kept: 1_000,
        })
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same with another prefetch, at least 1.
    #[must_use]
    pub fn with_prefetch(mut self, prefetch: u16) -> Self {
        self.prefetch = prefetch.max(1);
        self
    }

    /// The same with another window of unconfirmed messages, at least 1.
    #[must_use]
    pub fn with_confirm_window(mut self, window: usize) -> Self {
        self.confirm_window = window.max(1);
        self
    }

    /// The same with another heartbeat, in whole seconds from 1.
    #[must_use]
    pub fn with_heartbeat(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// The same with other waits between attempts to connect.
    #[must_use]
    pub fn with_backoff(mut self, first: Duration, longest: Duration) -> Self {
        (self.backoff_first, self.backoff_longest) = (first, longest.max(first));
        self
    }

    /// The same with another patience of publishers.
    #[must_use]
    pub fn with_publish_patience(mut self, patience: Duration) -> Self {
        self.publish_patience = patience;
        self
    }

    /// The same with another delivery limit. Queues that exist keep theirs, and declaring them
    /// with another one is refused.
    #[must_use]
    pub fn with_delivery_limit(mut self, limit: u32) -> Self {
        self.delivery_limit = limit;
        self
    }

    /// The same with another interval of the watchdog.
    #[must_use]
    pub fn with_watchdog(mut self, every: Duration) -> Self {
        self.watchdog = every;
        self
    }

    /// The same with another limit on messages.
    #[must_use]
    pub fn with_max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// The address as the client library takes it, with our heartbeat in it.
    pub(crate) fn target(&self) -> AMQPUri {
        let mut uri = self.uri.clone();
        let seconds = self.heartbeat.as_secs().max(1);
        uri.query.heartbeat = Some(u16::try_from(seconds).unwrap_or(u16::MAX));
        uri
    }

    /// The address without its password.
    pub(crate) fn place(&self) -> String {
        let authority = &self.uri.authority;
        format!("{}:{}/{}", authority.host, authority.port, self.uri.vhost)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("server", &self.place())
            .field("prefetch", &self.prefetch)
            .field("confirm_window", &self.confirm_window)
            .field("heartbeat", &self.heartbeat)
            .field("delivery_limit", &self.delivery_limit)
            .finish_non_exhaustive()
    }
}
