//! Queues behind exchanges: jobs for competing workers, each settled by itself.
//!
//! A topic is a history that groups read in order; a queue is a list of work from which each job
//! is taken once. What is sent to an [`Exchange`] is routed by [`Binding`]s to any number of
//! [`Queue`]s; each queue keeps its copy until a [`Worker`] has settled it. The words and the
//! semantics are those of AMQP 0.9.1 as RabbitMQ keeps it with quorum queues, so that a service
//! runs on either without a change.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::sync::Arc;
//! use switchboard_core::{Envelope, Rng, SystemClock};
//! use switchboard_message::exchange::{Binding, Exchange, Kind, Layout, Queue};
//! use switchboard_message::{Broker, MemoryBroker, Outcome};
//!
//! let clock = Arc::new(SystemClock);
//! let broker = MemoryBroker::new(clock.clone());
//! let Some(queues) = broker.queues() else { return Ok(()) };
//! let layout = Layout::default()
//!     .with_exchange(Exchange::new("mail", Kind::Topic))
//!     .with_queue(Queue::new("urgent").with_dead_letter("", "dead"))
//!     .with_queue(Queue::new("dead"))
//!     .with_binding(Binding::key("mail", "urgent", "*.urgent.#"));
//! queues.declare(&layout).await?;
//!
//! let letter = Envelope::new("mail", "letter", "shop", &*clock, &mut Rng::from_seed(1));
//! for answer in queues.send("mail", "eu.urgent", vec![letter]).await {
//!     assert!(answer?.routed);
//! }
//! let mut worker = queues.work("urgent", 10).await?;
//! for job in worker.next().await? {
//!     assert!(worker.settle(job.tag, Outcome::Done));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! - [`Queues`], [`Worker`] the contract
//! - `layout` exchanges, queues and bindings as plain data, and what fits beside what exists
//! - `matching` which binding takes which message
//! - [`embedded`] what embedded brokers share

pub mod embedded;
mod layout;
mod matching;

use async_trait::async_trait;
use switchboard_core::{BoxError, Envelope, Name};

pub use layout::{Binding, DeadLetter, Exchange, Kind, Layout, Matching, Queue};
pub use matching::{headers_match, topic_matches};

use crate::{
    ConsumeError, Durability, Outcome, PublishError, SubscribeError, TopologyError, Undecodable,
};

/// The most jobs that one worker may hold: what AMQP's 16 bits can say.
pub const MAX_PREFETCH: usize = 65_535;

/// Queues behind exchanges, on a broker that has [`Capability::Exchanges`].
///
/// 1. `declare` MUST create what is missing. What exists with other settings MUST be reported and
///    left as it is, and then nothing of the layout is promised to exist. Bindings are only added.
/// 2. A message MUST reach each queue that a binding of its exchange gives it, once however many
///    bindings match, and no other queue. The exchange with the empty name MUST give it to the
///    queue that is named as its routing key.
/// 3. What no binding takes MUST go to the exchange's alternate, and so on; when that ends without
///    a queue, the answer MUST say that it was not routed. It is not an error.
/// 4. Publishing MUST be atomic over the queues of one message: an `Ok` answer means that all of
///    them have it as its [`Durability`] says; after a crash all of them have it or none. An error
///    MAY leave it published.
/// 5. A queue MUST hand out its messages in the order in which they came, first occurrences
///    considered; messages of one `send` come in the order of its batch.
/// 6. An envelope MUST arrive as it was sent, its topic and headers included.
/// 7. A message MUST be handed to at most one worker at a time, and MUST be handed out again until
///    it is settled, expires, or is used up as rules 8 to 10 say.
/// 8. When a job comes back (its worker settled it with [`Outcome::Retry`], or was dropped), its
///    count MUST rise by one and it MUST stand at the head of its queue again: behind what came back
///    earlier and still waits, before what was not handed out yet. A restart of the broker MAY put
///    what came back in the order in which it first came. Once the count is above the queue's
///    delivery limit it is dead-lettered.
/// 9. A message older than the queue's time to live MUST NOT be handed out. It is dead-lettered
///    when it reaches the head, so a queue's expired messages leave in order. A job in a worker's
///    hands does not expire.
/// 10. When more messages wait than the queue's length allows, the first in line MUST be
///    dead-lettered until the rest fits. Jobs in workers' hands do not count.
/// 11. To dead-letter a message is to send it to the queue's dead-letter exchange, under the given
///    routing key or its own, with one more entry in its deaths; without such an exchange it is
///    dropped. A dead letter MUST NOT be lost between the two queues; after a crash it MAY be in
///    both. One that would come back to a queue it has been in, without having been rejected on
///    the way, MUST be dropped: nobody would ever take it out of that circle.
/// 12. A worker's death MUST NOT stop the others. Workers of one queue SHOULD get equal shares as
///    long as all have room.
///
/// [`Capability::Exchanges`]: crate::Capability::Exchanges
#[async_trait]
pub trait Queues: Send + Sync {
    /// Creates what is missing. What exists with other settings is an error, never changed.
    ///
    /// # Errors
    /// [`TopologyError::Differs`] for a mismatch, [`TopologyError::Invalid`] for a layout that
    /// names what does not exist.
    async fn declare(&self, layout: &Layout) -> Result<(), TopologyError>;

    /// Sends a batch in order and answers each message in the same order. All of them have the
    /// same routing key, which a fanout or headers exchange does not look at.
    ///
    /// # Errors
    /// Each message's own; [`PublishError::UnknownExchange`] for all of them.
    ///
    /// # Cancel safety
    /// Dropping the future may leave any of the messages published.
    async fn send(
        &self,
        exchange: &str,
        routing_key: &str,
        batch: Vec<Envelope>,
    ) -> Vec<Result<Sent, PublishError>>;

    /// Becomes one more worker of a queue, who holds at most `prefetch` unsettled jobs
    /// (1 to [`MAX_PREFETCH`]). The worker leaves when it is dropped.
    ///
    /// # Errors
    /// [`SubscribeError::UnknownQueue`]; `Invalid` for a prefetch out of its limits.
    async fn work(&self, queue: &str, prefetch: usize) -> Result<Box<dyn Worker>, SubscribeError>;

    /// What operators ask: all queues that this broker knows, by name.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    async fn depths(&self) -> Result<Vec<Depth>, BoxError>;
}

/// One of the workers that compete for the jobs of a queue.
///
/// 1. `next` MUST stop (pending) when `prefetch` jobs are unsettled. A job that is to be retried
///    later is settled: it is the queue's again.
/// 2. A tag MUST be good for one settlement. A second one, and one of a job that the worker lost
///    (its connection broke), MUST be a counted no-op: the job has been, or will be, handed out
///    again.
/// 3. [`Outcome::Done`] takes the message out of the queue for good. The broker MAY make that
///    durable a little later; after a crash in between the message comes again, with a count of at
///    least 1.
/// 4. [`Outcome::Retry`] gives it back, not before the moment that it names. A broker without
///    delays holds it until then. [`Outcome::Reject`] dead-letters it.
/// 5. Of a queue with a single active consumer only the worker that came first MUST get jobs; when
///    it leaves, the next one does.
#[async_trait]
pub trait Worker: Send {
    /// Waits for jobs, in the order of the queue; never an empty list.
    ///
    /// # Errors
    /// After an error the worker is over: its unsettled jobs go back, and one asks for another.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is lost when the future is dropped.
    async fn next(&mut self) -> Result<Vec<Job>, ConsumeError>;

    /// Says what became of a job. Returns whether the tag was still valid.
    fn settle(&mut self, tag: Tag, outcome: Outcome) -> bool;
}

/// Proof that a message was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a message that was not routed is in no queue"]
pub struct Sent {
    /// Whether any queue has it. `false` means that no binding took it, nor did an alternate.
    pub routed: bool,
    /// What the answer promises.
    pub durability: Durability,
}

/// Names one job in the hands of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// Which worker, or which life of its connection, got it.
    pub generation: u64,
    /// Its number there.
    pub number: u64,
}

/// A message in a worker's hands.
#[derive(Debug)]
pub struct Job {
    /// Names the job when it is settled.
    pub tag: Tag,
    /// The message, or why it cannot be read.
    pub message: Result<Envelope, Undecodable>,
    /// The exchange that brought it to this queue: after a death the dead-letter exchange.
    pub exchange: Name,
    /// The routing key under which it came.
    pub routing_key: Name,
    /// How often it came back before; at least 1 when it may have been handed out before.
    pub redelivered: u32,
    /// From which queues it was dead-lettered and why, the latest first; empty when it never was.
    pub deaths: Vec<Death>,
}

/// That a message left a queue without being done. Later deaths in the same queue for the same
/// reason raise the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The queue that it left.
    pub queue: Name,
    /// Why.
    pub reason: Reason,
    /// How often.
    pub count: u64,
    /// The exchange that had brought it there the first time.
    pub exchange: Name,
    /// The routing key under which it had come there the first time.
    pub routing_key: Name,
}

/// Why a message was dead-lettered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its worker gave it up.
    Rejected,
    /// It was older than the queue's time to live.
    Expired,
    /// The queue was full, and it was the first in line.
    MaxLen,
    /// It came back more often than the queue allows.
    DeliveryLimit,
}

/// How much lies in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The queue.
    pub queue: Name,
    /// Messages that wait for a worker, those that are to be retried later included.
    pub ready: u64,
    /// Jobs in workers' hands.
    pub unsettled: u64,
    /// Workers.
    pub workers: u64,
}

// === impl Reason ===

impl Reason {
    /// The word that RabbitMQ has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLen => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }

    /// The reason that this word names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Rejected, Self::Expired, Self::MaxLen, Self::DeliveryLimit]
            .into_iter()
            .find(|reason| reason.as_str() == word)
    }
}
