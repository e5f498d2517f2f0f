//! Request and reply over messages: a call with a deadline, on any broker.
//!
//! A [`Requester`] publishes a request that says where its reply is to go, and waits for that reply
//! or for the deadline. A [`Responder`] answers. The broker in between only carries messages.
//!
//! **This is a call, not a message.** Nothing of it is durable: when the caller goes away, or the
//! deadline passes, the reply is worth nothing, and the caller does not know whether the request
//! was carried out. What must happen goes through a store's unit and a saga; this is for questions.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use std::time::Duration;
//! use switchboard_core::{Clock, Envelope, Rng, SystemClock};
//! use switchboard_message::request::{Replies, Requester, Responder};
//! use switchboard_message::{Broker, MemoryBroker, Subscription, Topic, Topology};
//!
//! let clock: Arc<dyn Clock> = Arc::new(SystemClock);
//! let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new(clock.clone()));
//! let topology = Topology::of([Topic::new("prices"), Topic::new("prices.replies")])
//!     .with_group("pricing", ["prices".into()])
//!     .with_group("shop-1", ["prices.replies".into()]);
//! broker.declare(&topology).await?;
//!
//! let responder = Responder::new(broker.clone(), clock.clone());
//! let pricing = tokio::spawn(responder.serve(
//!     Subscription::new("pricing", ["prices".into()]),
//!     async |request: Envelope| Envelope { kind: "price".into(), payload: "7".into(), ..request },
//! ));
//!
//! let requester =
//!     Requester::open(broker, clock.clone(), Replies::topic("prices.replies", "shop-1")).await?;
//! let question = Envelope::new("prices", "price.asked", "shop", &*clock, &mut Rng::from_seed(1));
//! let reply = requester.call(question, Duration::from_secs(5)).await?;
//! assert_eq!(reply.payload, "7");
//! # pricing.abort();
//! # Ok(())
//! # }
//! ```
//!
//! # How it travels
//!
//! Two headers: [`REPLY_TO`] says `topic:NAME` or `queue:NAME`, and [`CORRELATION_ID`] is a text
//! that no other call has; the reply repeats it. The deadline is the one of the request's context,
//! so a responder does not begin what nobody waits for any more.
//!
//! Every process needs a group (or a queue) of its own for replies, declared before it starts.
//! Processes may share the topic: each then reads all replies and takes its own, which suits a
//! handful of them; give each its own topic when there are many.
//!
//! - [`Requester`] calls
//! - [`Responder`] answers
//! - `waiting` who waits for which reply

mod requester;
mod responder;
mod waiting;

use switchboard_core::{BoxError, Envelope, Name, Retryable, Verdict};

pub use requester::{Replies, Requester};
pub use responder::{Replied, Responder};

use crate::PublishError;

/// The header that says where the reply goes: `topic:NAME` or `queue:NAME`.
pub const REPLY_TO: &str = "reply-to";
/// The header that a reply repeats from its request.
pub const CORRELATION_ID: &str = "correlation-id";
/// How many calls may wait at once, unless set otherwise.
pub const MAX_OUTSTANDING: usize = 1_024;

/// Where a reply goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// To a topic, from which the caller's group reads.
    Topic(Name),
    /// To a queue, at which the caller works; only with brokers that have queues.
    Queue(Name),
}

/// A call has no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// As many calls wait as may. Try again when some have ended.
    #[error("{limit} calls wait for their replies already")]
    TooMany {
        /// How many may wait.
        limit: usize,
    },
    /// The request was not taken. Whether it was published is unknown if its error says so.
    #[error("the request was not sent")]
    NotSent(#[source] PublishError),
    /// No queue took the request: nobody will answer it.
    #[error("no queue takes requests to `{exchange}` under `{routing_key}`")]
    NotRouted {
        /// The exchange.
        exchange: Name,
        /// The routing key.
        routing_key: Name,
    },
    /// The broker has no queues.
    #[error("the broker has no queues")]
    NoQueues,
    /// The deadline passed. Whether the request was carried out is unknown.
    #[error("no reply came in time")]
    Late,
    /// Replies cannot be read any more: the broker was closed, or the requester dropped.
    #[error("replies are not read any more")]
    Closed(#[source] BoxError),
}

// === impl Address ===

impl Address {
    /// Where the reply to this request goes; `None` when nobody asked for one.
    pub fn of(request: &Envelope) -> Option<Self> {
        let (kind, name) = request.headers.get(REPLY_TO)?.split_once(':')?;
        match kind {
            "topic" => Some(Self::Topic(name.into())),
            "queue" => Some(Self::Queue(name.into())),
            _ => None,
        }
    }

    /// As it stands in the header.
    pub fn to_header(&self) -> String {
        match self {
            Self::Topic(name) => format!("topic:{name}"),
            Self::Queue(name) => format!("queue:{name}"),
        }
    }
}

// === impl CallError ===

impl Retryable for CallError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::TooMany { .. } | Self::Late => Verdict::Retry,
            Self::NotSent(error) => error.verdict(),
            Self::NotRouted { .. } | Self::NoQueues | Self::Closed(_) => Verdict::Terminal,
        }
    }
}

/// Waits for something that keeps failing: a moment first, then longer.
struct Pause(std::time::Duration);

impl Pause {
    const FIRST: std::time::Duration = std::time::Duration::from_millis(50);
    const LAST: std::time::Duration = std::time::Duration::from_secs(5);

    const fn new() -> Self {
        Self(Self::FIRST)
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Self::LAST);
    }
}
