//! Why there is no connection, and which of the server's answers mean what.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use switchboard_core::{BoxError, Retryable, Verdict};

/// The broker was not reached when the program started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address cannot be read. Use `amqp://user:password@host:port/vhost`.
    #[error("the address of the server cannot be read: {0}")]
    Url(String),
    /// The address asks for TLS, and this program was built without it.
    #[error("amqps:// needs the feature `rabbit-tls`, which this program was built without")]
    NoTls,
    /// The server refused the user, the password or the virtual host.
    #[error("the server at {place} refused the connection")]
    Refused {
        /// Host, port and virtual host.
        place: String,
        /// What it said.
        #[source]
        source: BoxError,
    },
    /// Nobody answered there. Start the server, or correct the address.
    #[error("there is no RabbitMQ at {place}")]
    Unreachable {
        /// Host, port and virtual host.
        place: String,
        /// What happened instead.
        #[source]
        source: BoxError,
    },
}

/// What an error says about the message or the queue that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// An exchange or a queue does not exist.
    NotFound,
    /// It exists with other settings.
    Differs,
    /// The server does not want this request, now or later.
    Refused,
    /// The connection is gone, or the server is.
    Away,
}

// === impl Meaning ===

impl Meaning {
    pub(crate) fn of(error: &lapin::Error) -> Self {
        let ErrorKind::ProtocolError(error) = error.kind() else { return Self::Away };
        match error.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Self::NotFound,
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Self::Differs,
            AMQPErrorKind::Soft(_) => Self::Refused,
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Self::Refused,
            AMQPErrorKind::Hard(_) => Self::Away,
        }
    }
}

impl ConnectError {
    pub(crate) fn of(place: String, error: lapin::Error) -> Self {
        let refused = matches!(error.kind(), ErrorKind::ProtocolError(_));
        let source = Box::new(error);
        if refused { Self::Refused { place, source } } else { Self::Unreachable { place, source } }
    }
}

impl Retryable for ConnectError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Url(_) | Self::NoTls | Self::Refused { .. } => Verdict::Terminal,
            Self::Unreachable { .. } => Verdict::Retry,
        }
    }
}
