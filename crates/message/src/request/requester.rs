//! The side that asks.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, Envelope, Name, Rng};
use tokio::task::JoinHandle;

use super::waiting::Waiting;
use super::{Address, CORRELATION_ID, CallError, MAX_OUTSTANDING, Pause, REPLY_TO};
use crate::exchange::Worker;
use crate::{
    Broker, ConsumeError, Consumer, Incoming, Outcome, Start, SubscribeError, Subscription,
};

/// Jobs and deliveries of replies that are taken at once.
const PREFETCH: usize = 256;

/// Calls others through the broker. Dropping it ends its calls.
#[derive(Debug)]
pub struct Requester {
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    reply_to: Arc<str>,
    waiting: Arc<Waiting>,
    reader: JoinHandle<()>,
}

/// Where a requester gets its replies, and how many calls may wait.
#[derive(Clone, Debug)]
pub struct Replies {
    address: Address,
    group: Name,
    max_outstanding: usize,
}

/// What replies are read from.
enum Source {
    Topic(Box<dyn Consumer>),
    Queue(Box<dyn Worker>),
}

// === impl Replies ===

impl Replies {
    /// Replies come to this topic. No other process may have the group.
    pub fn topic(topic: impl Into<Name>, group: impl Into<Name>) -> Self {
        let address = Address::Topic(topic.into());
        Self { address, group: group.into(), max_outstanding: MAX_OUTSTANDING }
    }

    /// Replies come to this queue, of this process alone. Give it a time to live: what comes too
    /// late is worth nothing.
    pub fn queue(queue: impl Into<Name>) -> Self {
        let address = Address::Queue(queue.into());
        Self { address, group: "".into(), max_outstanding: MAX_OUTSTANDING }
    }

    /// The same with another limit on calls that wait at once. Default [`MAX_OUTSTANDING`].
    #[must_use]
    pub fn with_max_outstanding(mut self, calls: usize) -> Self {
        self.max_outstanding = calls;
        self
    }
}

// === impl Requester ===

impl Requester {
    /// Begins to read replies. When it returns, no reply can be missed.
    ///
    /// # Errors
    /// When the topic or queue is not declared, or the broker cannot be reached.
    pub async fn open(
        broker: Arc<dyn Broker>,
        clock: Arc<dyn Clock>,
        replies: Replies,
    ) -> Result<Self, SubscribeError> {
        let waiting = Waiting::new(replies.max_outstanding, Rng::from_entropy().u64());
        let reply_to = replies.address.to_header().into();
        let source = Source::open(&*broker, &replies).await?;
        let reader = tokio::spawn(read(
            Arc::clone(&broker),
            replies,
            source,
            // Replies outlive no requester: the task holds what it gives them to.
            Arc::clone(&waiting),
        ));
        Ok(Self { broker, clock, reply_to, waiting, reader })
    }

    /// Publishes a request to its topic and waits for its reply, for `timeout` or until the
    /// deadline in its context, whichever is earlier.
    ///
    /// # Errors
    /// [`CallError`]; after `Late`, and after some of `NotSent`, the request may have been carried
    /// out.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the call. Its request may be carried out all the same.
    pub async fn call(&self, request: Envelope, timeout: Duration) -> Result<Envelope, CallError> {
        let send = async |request| {
            let answers = self.broker.publish(vec![request]).await;
            answers.into_iter().try_for_each(|answer| answer.map(drop)).map_err(CallError::NotSent)
        };
        self.ask(request, timeout, send).await
    }

    /// The same with a request that is sent to an exchange.
    ///
    /// # Errors
    /// As `call`; `NotRouted` when no queue takes the request, `NoQueues` on the wrong broker.
    ///
    /// # Cancel safety
    /// As `call`.
    pub async fn call_exchange(
        &self,
        exchange: &str,
        routing_key: &str,
        request: Envelope,
        timeout: Duration,
    ) -> Result<Envelope, CallError> {
        let send = async |request| {
            let queues = self.broker.queues().ok_or(CallError::NoQueues)?;
            for answer in queues.send(exchange, routing_key, vec![request]).await {
                if !answer.map_err(CallError::NotSent)?.routed {
                    let (exchange, routing_key) = (exchange.into(), routing_key.into());
                    return Err(CallError::NotRouted { exchange, routing_key });
                }
            }
            Ok(())
        };
        self.ask(request, timeout, send).await
    }

    /// How many calls wait.
    pub fn outstanding(&self) -> usize {
        self.waiting.outstanding()
    }

    /// How many replies came that nobody waited for: late ones, and second ones.
    pub fn strays(&self) -> u64 {
        self.waiting.strays()
    }

    async fn ask(
        &self,
        mut request: Envelope,
        timeout: Duration,
        send: impl AsyncFnOnce(Envelope) -> Result<(), CallError>,
    ) -> Result<Envelope, CallError> {
        let now = self.clock.now();
        let deadline = now.plus(timeout);
        let deadline = request.context.deadline.map_or(deadline, |given| given.min(deadline));
        request.context.deadline = Some(deadline);
        let mut call = self.waiting.begin()?;
        request.headers.insert(REPLY_TO.into(), Arc::clone(&self.reply_to));
        request.headers.insert(CORRELATION_ID.into(), call.correlation().into());
        let answered = async {
            send(request).await?;
            call.reply().await
        };
        match tokio::time::timeout(deadline.since(now), answered).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::Late),
        }
    }
}

impl Drop for Requester {
    fn drop(&mut self) {
        self.reader.abort();
        self.waiting.end("the requester was dropped");
    }
}

// === impl Source ===

impl Source {
    /// Returns when everything that is replied from now on will be read.
    async fn open(broker: &dyn Broker, replies: &Replies) -> Result<Self, SubscribeError> {
        let topic = match &replies.address {
            Address::Topic(topic) => topic.clone(),
            Address::Queue(queue) => {
                let Some(queues) = broker.queues() else {
                    return Err(SubscribeError::Invalid("the broker has no queues".into()));
                };
                return queues.work(queue, PREFETCH).await.map(Self::Queue);
            }
        };
        let mut subscription = Subscription::new(replies.group.clone(), [topic]);
        subscription.start = Start::End;
        subscription.max_in_flight = PREFETCH;
        let mut consumer = broker.subscribe(subscription).await?;
        loop {
            match consumer.next().await {
                Ok(Incoming::Assigned(list)) if !list.is_empty() => {
                    return Ok(Self::Topic(consumer));
                }
                // Replies to an earlier life of this group.
                Ok(Incoming::Deliveries(list)) => {
                    for delivery in list {
                        consumer.settle(&delivery.receipt, Outcome::Done);
                    }
                }
                Ok(_) => {}
                Err(error) => return Err(SubscribeError::Unavailable(error.into())),
            }
        }
    }

    /// Waits for replies. They are done with as soon as they are here.
    async fn next(&mut self) -> Result<Vec<Option<Envelope>>, ConsumeError> {
        let mut replies = Vec::new();
        match self {
            Self::Topic(consumer) => {
                if let Incoming::Deliveries(deliveries) = consumer.next().await? {
                    for delivery in deliveries {
                        consumer.settle(&delivery.receipt, Outcome::Done);
                        replies.push(delivery.message.ok());
                    }
                }
            }
            Self::Queue(worker) => {
                for job in worker.next().await? {
                    worker.settle(job.tag, Outcome::Done);
                    replies.push(job.message.ok());
                }
            }
        }
        Ok(replies)
    }
}

/// Gives replies to their callers until the broker is closed.
async fn read(
    broker: Arc<dyn Broker>,
    replies: Replies,
    mut source: Source,
    waiting: Arc<Waiting>,
) {
    let mut pause = Pause::new();
    loop {
        match source.next().await {
            Ok(list) => {
                pause = Pause::new();
                for reply in list {
                    match reply {
                        Some(reply) => waiting.answer(reply),
                        None => waiting.stray(),
                    }
                }
                continue;
            }
            Err(ConsumeError::Closed) => return waiting.end("the broker is closed"),
            Err(error) => {
                let error = switchboard_core::chain(&error);
                tracing::warn!(error, "replies cannot be read; trying again");
            }
        }
        // Calls that wait go on waiting: their replies may come yet.
        source = loop {
            pause.wait().await;
            match Source::open(&*broker, &replies).await {
                Ok(source) => break source,
                Err(error) => {
                    let error = switchboard_core::chain(&error);
                    tracing::warn!(error, "replies cannot be read; trying again");
                }
            }
        };
    }
}
