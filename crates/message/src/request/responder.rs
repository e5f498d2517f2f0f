//! The side that answers.

use std::collections::HashMap;
use std::sync::Arc;

use switchboard_core::{Clock, Context, Envelope};
use tokio::task::{Id, JoinSet};

use super::{Address, CORRELATION_ID};
use crate::{
    Broker, ConsumeError, Incoming, Outcome, PublishError, Receipt, SubscribeError, Subscription,
    metrics as names,
};

/// Answers requests.
#[derive(Clone, Debug)]
pub struct Responder {
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
}

/// What became of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replied {
    /// It is on its way.
    Sent,
    /// The message asked for none.
    NotAsked,
    /// The deadline has passed: nobody waits for it.
    TooLate,
    /// The caller's queue is gone, and the caller with it.
    Nobody,
}

// === impl Responder ===

impl Responder {
    /// Replies through this broker.
    pub fn new(broker: Arc<dyn Broker>, clock: Arc<dyn Clock>) -> Self {
        Self { broker, clock }
    }

    /// Whether somebody still waits for the answer to this message.
    pub fn is_awaited(&self, request: &Envelope) -> bool {
        let in_time = request.context.deadline.is_none_or(|deadline| self.clock.now() < deadline);
        in_time && Address::of(request).is_some()
    }

    /// Sends a reply to where the request asks for it. Its topic, correlation and context are set
    /// here.
    ///
    /// # Errors
    /// When the broker does not take it. The caller waits until its deadline then.
    pub async fn reply(
        &self,
        request: &Envelope,
        mut reply: Envelope,
    ) -> Result<Replied, PublishError> {
        let Some(address) = Address::of(request) else { return Ok(Replied::NotAsked) };
        if !self.is_awaited(request) {
            metrics::counter!(names::EXPIRED_REQUESTS).increment(1);
            return Ok(Replied::TooLate);
        }
        if let Some(correlation) = request.headers.get(CORRELATION_ID) {
            reply.headers.insert(CORRELATION_ID.into(), Arc::clone(correlation));
        }
        reply.headers.remove(super::REPLY_TO);
        reply.context = Context::caused_by(request);
        reply.identity = None;
        match address {
            Address::Topic(topic) => {
                reply.topic = topic;
                let answers = self.broker.publish(vec![reply]).await;
                answers.into_iter().try_for_each(|answer| answer.map(drop))?;
                Ok(Replied::Sent)
            }
            Address::Queue(queue) => {
                reply.topic = queue.clone();
                let Some(queues) = self.broker.queues() else {
                    let text = "a reply is wanted in a queue, and the broker has none";
                    return Err(PublishError::Refused(text.into()));
                };
                let mut routed = false;
                for answer in queues.send("", &queue, vec![reply]).await {
                    routed = answer?.routed;
                }
                Ok(if routed { Replied::Sent } else { Replied::Nobody })
            }
        }
    }

    /// Reads requests as a member of a group and answers them, until the broker is closed. As many
    /// are answered at once as the subscription has in flight.
    ///
    /// A request whose deadline has passed is not begun. A request is done with when it was
    /// answered, whether or not the reply could be sent; one whose `answer` panicked, too.
    ///
    /// # Errors
    /// [`SubscribeError`] when the group cannot be joined, or can be read no more.
    ///
    /// # Cancel safety
    /// Dropping the future stops all answers; the broker hands their requests out again.
    pub async fn serve<F, R>(
        self,
        subscription: Subscription,
        answer: F,
    ) -> Result<(), SubscribeError>
    where
        F: Fn(Envelope) -> R + Send + Sync + 'static,
        R: Future<Output = Envelope> + Send + 'static,
    {
        let mut consumer = self.broker.subscribe(subscription).await?;
        let mut work: JoinSet<()> = JoinSet::new();
        let mut receipts: HashMap<Id, Receipt> = HashMap::new();
        loop {
            tokio::select! {
                Some(finished) = work.join_next_with_id() => {
                    let id = match finished {
                        Ok((id, ())) => id,
                        Err(error) => {
                            tracing::error!(%error, "a request was not answered");
                            error.id()
                        }
                    };
                    if let Some(receipt) = receipts.remove(&id) {
                        consumer.settle(&receipt, Outcome::Done);
                    }
                }
                incoming = consumer.next() => match incoming {
                    Ok(Incoming::Deliveries(deliveries)) => for delivery in deliveries {
                        match delivery.message {
                            Ok(request) if self.is_awaited(&request) => {
                                let answered = answer(request.clone());
                                let task = work.spawn(self.clone().respond(request, answered));
                                receipts.insert(task.id(), delivery.receipt);
                            }
                            _ => {
                                metrics::counter!(names::EXPIRED_REQUESTS).increment(1);
                                consumer.settle(&delivery.receipt, Outcome::Done);
                            }
                        }
                    },
                    Ok(_) => {}
                    Err(ConsumeError::Closed) => return Ok(()),
                    Err(error) => return Err(SubscribeError::Unavailable(error.into())),
                },
            }
        }
    }

    async fn respond(self, request: Envelope, answer: impl Future<Output = Envelope>) {
        let reply = answer.await;
        if let Err(error) = self.reply(&request, reply).await {
            let (topic, error) = (&request.topic, switchboard_core::chain(&error));
            tracing::warn!(%topic, error, "a reply was not sent");
        }
    }
}
