//! What is queued, what is sent and not confirmed, and which batch waits for it.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::{Channel, Confirmation};
use switchboard_message::PublishError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Answer, Outgoing, Taken, away};
use crate::metrics as names;

/// Messages in the order in which they came, with who waits for them.
pub(super) struct Window {
    limit: usize,
    /// Not sent yet, in order.
    queue: VecDeque<Pending>,
    /// Sent and not confirmed, by number.
    unconfirmed: BTreeMap<u64, Pending>,
    confirms: FuturesUnordered<BoxFuture<'static, Confirmed>>,
    /// In the order of their deadlines.
    batches: BTreeMap<u64, Waiting>,
    next_number: u64,
    next_batch: u64,
    published: metrics::Counter,
    /// Send one at a time: a message makes the server close the channel, and we look for it.
    pub(super) careful: usize,
}

pub(super) struct Pending {
    pub(super) message: Arc<Outgoing>,
    batch: u64,
    index: usize,
    /// How often it was sent.
    pub(super) sent: u32,
}

struct Waiting {
    answers: Vec<Option<Answer>>,
    left: usize,
    deadline: Instant,
    reply: oneshot::Sender<Vec<Answer>>,
}

pub(super) struct Confirmed {
    number: u64,
    outcome: Result<Confirmation, lapin::Error>,
}

// === impl Window ===

impl Window {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            queue: VecDeque::new(),
            unconfirmed: BTreeMap::new(),
            confirms: FuturesUnordered::new(),
            batches: BTreeMap::new(),
            next_number: 0,
            next_batch: 0,
            published: metrics::counter!(names::PUBLISHED),
            careful: 0,
        }
    }

    /// Messages under way.
    pub(super) fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.unconfirmed.is_empty()
    }

    /// Whether more than is queued could be sent now.
    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < self.limit
    }

    /// When the oldest batch is to be answered at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.batches.first_key_value().map(|(_, waiting)| waiting.deadline)
    }

    pub(super) fn admit(
        &mut self,
        messages: Vec<Outgoing>,
        reply: oneshot::Sender<Vec<Answer>>,
        deadline: Instant,
    ) {
        let batch = self.next_batch;
        self.next_batch += 1;
        let mut answers = Vec::with_capacity(messages.len());
        answers.resize_with(messages.len(), || None);
        let left = messages.len();
        self.batches.insert(batch, Waiting { answers, left, deadline, reply });
        self.queue.extend(messages.into_iter().enumerate().map(|(index, message)| Pending {
            message: Arc::new(message),
            batch,
            index,
            sent: 0,
        }));
    }

    /// Sends as much as the window allows.
    pub(super) fn fill(&mut self, channel: &Arc<Channel>) {
        let limit = if self.careful > 0 { 1 } else { self.limit };
        while self.unconfirmed.len() < limit
            && let Some(mut pending) = self.queue.pop_front()
        {
            if pending.sent > 0 {
                metrics::counter!(names::RESENT).increment(1);
            }
            pending.sent += 1;
            let number = self.next_number;
            self.next_number += 1;
            let sending = send(Arc::clone(channel), Arc::clone(&pending.message));
            let mut confirm: BoxFuture<'static, Confirmed> =
                Box::pin(sending.map(move |outcome| Confirmed { number, outcome }));
            // The first poll puts the message into the channel: the order of polls is the order
            // on the wire, and a set of futures promises none.
            match Pin::new(&mut confirm).now_or_never() {
                Some(failed) => self.confirms.push(Box::pin(std::future::ready(failed))),
                None => self.confirms.push(confirm),
            }
            self.unconfirmed.insert(number, pending);
        }
    }

    /// The next answer of the server; `None` when nothing is under way.
    pub(super) async fn confirmed(&mut self) -> Option<Confirmed> {
        self.confirms.next().await
    }

    /// Answers whoever waits for it. An error means that the channel is lost.
    ///
    /// One ack of the server may cover many messages, and the client library then hangs a returned
    /// message on any one of those; its message id says which one it was. So everything that one
    /// ack covers is looked at before anything is answered: the library resolves it under a lock,
    /// which asking for outstanding confirms takes as well.
    pub(super) fn settle(
        &mut self,
        channel: &Channel,
        first: Confirmed,
    ) -> Result<(), lapin::Error> {
        let _takes_the_lock = channel.wait_for_confirms().now_or_never();
        let mut confirmed = vec![first];
        while let Some(Some(other)) = self.confirms.next().now_or_never() {
            confirmed.push(other);
        }
        let mut returned = HashSet::new();
        let mut settled = Vec::with_capacity(confirmed.len());
        let mut lost = None;
        for Confirmed { number, outcome } in confirmed {
            match outcome {
                Ok(confirmation) => {
                    let is_ack = !confirmation.is_nack();
                    let message = confirmation.take_message();
                    returned.extend(message.and_then(|message| self.find(&message)));
                    settled.push((number, is_ack));
                }
                Err(error) => lost = Some(error),
            }
        }
        for (number, is_ack) in settled {
            match is_ack {
                true if returned.contains(&number) => {
                    metrics::counter!(names::RETURNED).increment(1);
                    self.take(number, Ok(Taken::Returned));
                }
                true => self.take(number, Ok(Taken::Routed)),
                false => {
                    metrics::counter!(names::NACKED).increment(1);
                    self.refuse(number);
                }
            }
        }
        lost.map_or(Ok(()), Err)
    }

    /// The message that the server has returned.
    fn find(&self, returned: &BasicReturnMessage) -> Option<u64> {
        let id = returned.properties.message_id();
        let is_it = |pending: &Pending| {
            let Outgoing { exchange, key, encoded, .. } = &*pending.message;
            encoded.properties.message_id() == id
                && *exchange == returned.exchange
                && *key == returned.routing_key
        };
        self.unconfirmed.iter().find(|(_, pending)| is_it(pending)).map(|(number, _)| *number)
    }

    /// The message, and all later ones that must not overtake it, are answered as not published.
    fn refuse(&mut self, number: u64) {
        let Some(pending) = self.unconfirmed.remove(&number) else { return };
        self.reply(&pending, Err(away("the server did not take the message")));
        if !pending.message.ordered {
            return;
        }
        let behind = |other: &Outgoing| {
            other.exchange == pending.message.exchange && other.key == pending.message.key
        };
        let later: Vec<u64> = self
            .unconfirmed
            .range(number..)
            .filter(|(_, other)| behind(&other.message))
            .map(|(number, _)| *number)
            .collect();
        for number in later {
            self.take(number, Err(away("an earlier message was not taken")));
        }
        let (queue, mut gone) = (std::mem::take(&mut self.queue), Vec::new());
        for other in queue {
            if behind(&other.message) { gone.push(other) } else { self.queue.push_back(other) }
        }
        for other in gone {
            self.reply(&other, Err(away("an earlier message was not taken")));
        }
    }

    fn take(&mut self, number: u64, answer: Answer) {
        if let Some(pending) = self.unconfirmed.remove(&number) {
            self.careful = self.careful.saturating_sub(1);
            self.reply(&pending, answer);
        }
    }

    pub(super) fn reply(&mut self, pending: &Pending, answer: Answer) {
        if answer.is_ok() {
            self.published.increment(1);
        }
        let Some(waiting) = self.batches.get_mut(&pending.batch) else { return };
        if let Some(place) = waiting.answers.get_mut(pending.index)
            && place.is_none()
        {
            *place = Some(answer);
            waiting.left -= 1;
        }
        if waiting.left == 0
            && let Some(Waiting { answers, reply, .. }) = self.batches.remove(&pending.batch)
        {
            let lost = || Err(away("the message was lost on the way"));
            // Whoever asked may have gone away.
            let _ = reply.send(answers.into_iter().map(|a| a.unwrap_or_else(lost)).collect());
        }
    }

    /// The only message under way, when one is sent at a time.
    pub(super) fn alone(&mut self) -> Option<Pending> {
        if self.careful > 0 && self.unconfirmed.len() == 1 {
            return self.unconfirmed.pop_first().map(|(_, pending)| pending);
        }
        None
    }

    /// It is sent again first.
    pub(super) fn put_back(&mut self, pending: Pending) {
        self.queue.push_front(pending);
    }

    /// The channel is lost: what it did not confirm goes to the head of the queue.
    pub(super) fn take_back(&mut self) {
        self.confirms.clear();
        while let Some((_, pending)) = self.unconfirmed.pop_last() {
            self.queue.push_front(pending);
        }
    }

    /// Answers everything that waits.
    pub(super) fn fail_all(&mut self, error: impl Fn() -> PublishError) {
        self.confirms.clear();
        let all: Vec<Pending> = std::mem::take(&mut self.unconfirmed)
            .into_values()
            .chain(std::mem::take(&mut self.queue))
            .collect();
        self.careful = 0;
        for pending in all {
            self.reply(&pending, Err(error()));
        }
    }
}

async fn send(channel: Arc<Channel>, message: Arc<Outgoing>) -> Result<Confirmation, lapin::Error> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let Outgoing { exchange, key, encoded, .. } = &*message;
    channel
        .basic_publish(
            exchange.clone(),
            key.clone(),
            options,
            &encoded.payload,
            encoded.properties.clone(),
        )
        .await?
        .await
}
