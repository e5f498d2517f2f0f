//! What is queued, what is sent and not confirmed, and which batch waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation};
use switchboard_core::Id;
use switchboard_message::PublishError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Answer, Outgoing, Taken, away};
use crate::{metrics as names, wire};

/// Messages in the order in which they came, with who waits for them.
///
/// Confirms may come in any order, and are looked at in the order of sending: waiting for the
/// oldest one costs one waker, and the window is as full as the server's oldest debt lets it be.
pub(super) struct Window {
    limit: usize,
    /// Not sent yet, in order.
    queue: VecDeque<Pending>,
    /// Sent and not confirmed, in order.
    unconfirmed: VecDeque<Sent>,
    /// In the order of their deadlines.
    batches: BTreeMap<u64, Waiting>,
    next_batch: u64,
    published: metrics::Counter,
    /// Send so many one at a time: one of them makes the server close the channel.
    pub(super) careful: usize,
}

pub(super) struct Pending {
    pub(super) message: Arc<Outgoing>,
    properties: Option<BasicProperties>,
    batch: u64,
    index: usize,
    was_sent: bool,
}

struct Sent {
    pending: Pending,
    confirm: BoxFuture<'static, Outcome>,
    /// No queue wanted it.
    returned: bool,
}

struct Waiting {
    answers: Vec<Option<Answer>>,
    left: usize,
    deadline: Instant,
    reply: oneshot::Sender<Vec<Answer>>,
}

pub(super) type Outcome = Result<Confirmation, lapin::Error>;

// === impl Window ===

impl Window {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            queue: VecDeque::new(),
            unconfirmed: VecDeque::new(),
            batches: BTreeMap::new(),
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
        self.queue.extend(messages.into_iter().enumerate().map(|(index, mut message)| {
            let properties = message.properties.take();
            Pending { message: Arc::new(message), properties, batch, index, was_sent: false }
        }));
    }

    /// Sends as much as the window allows.
    pub(super) fn fill(&mut self, channel: &Arc<Channel>) {
        let limit = if self.careful > 0 { 1 } else { self.limit };
        while self.unconfirmed.len() < limit
            && let Some(mut pending) = self.queue.pop_front()
        {
            if pending.was_sent {
                metrics::counter!(names::RESENT).increment(1);
            }
            pending.was_sent = true;
            let properties = pending.properties.take();
            let sending = send(Arc::clone(channel), Arc::clone(&pending.message), properties);
            let mut confirm: BoxFuture<'static, Outcome> = Box::pin(sending);
            // The first poll puts the message into the channel: the order of polls is the order
            // on the wire.
            if let Some(failed) = (&mut confirm).now_or_never() {
                confirm = Box::pin(std::future::ready(failed));
            }
            self.unconfirmed.push_back(Sent { pending, confirm, returned: false });
        }
    }

    /// What the server says about the oldest message; `None` when nothing is under way.
    pub(super) async fn confirmed(&mut self) -> Option<Outcome> {
        match self.unconfirmed.front_mut() {
            Some(oldest) => Some((&mut oldest.confirm).await),
            None => None,
        }
    }

    /// Answers whoever waits for the oldest message and those that are confirmed behind it. An
    /// error means that the channel is lost.
    ///
    /// One ack of the server may cover many messages, and the client library then hangs a returned
    /// message on any one of those; its id says which one it was. So everything that one ack
    /// covers is looked at before anything is answered: the library resolves it under a lock,
    /// which asking for outstanding confirms takes as well.
    pub(super) fn settle(
        &mut self,
        channel: &Channel,
        oldest: Outcome,
    ) -> Result<(), lapin::Error> {
        let _takes_the_lock = channel.wait_for_confirms().now_or_never();
        let mut settled = Vec::new();
        let mut next = Some(oldest);
        let mut lost = Ok(());
        while let Some(outcome) = next {
            let confirmation = match outcome {
                Ok(confirmation) => confirmation,
                Err(error) => {
                    lost = Err(error);
                    break;
                }
            };
            let is_ack = !confirmation.is_nack();
            let returned = confirmation.take_message();
            settled.extend(self.unconfirmed.pop_front().map(|sent| (sent, is_ack)));
            if let Some(returned) = returned {
                self.note_returned(&returned, &mut settled);
            }
            next = self.unconfirmed.front_mut().and_then(|sent| (&mut sent.confirm).now_or_never());
        }
        for (sent, is_ack) in settled {
            self.careful = self.careful.saturating_sub(1);
            if !is_ack {
                metrics::counter!(names::NACKED).increment(1);
                self.refuse(&sent.pending);
            } else if sent.returned {
                metrics::counter!(names::RETURNED).increment(1);
                self.reply(&sent.pending, Ok(Taken::Returned));
            } else {
                self.reply(&sent.pending, Ok(Taken::Routed));
            }
        }
        lost
    }

    /// Marks the message that the server has returned: before, or together with, its own ack.
    fn note_returned(&mut self, returned: &BasicReturnMessage, settled: &mut [(Sent, bool)]) {
        let id = returned.properties.message_id().as_ref();
        let Some(id) = id.and_then(|id| id.as_str().parse::<Id>().ok()) else { return };
        let is_it = |sent: &&mut Sent| {
            let Outgoing { exchange, key, envelope, .. } = &*sent.pending.message;
            let is_its_copy = envelope.id == id && !sent.returned;
            is_its_copy && *exchange == returned.exchange && *key == returned.routing_key
        };
        let all = settled.iter_mut().map(|(sent, _)| sent).chain(&mut self.unconfirmed);
        if let Some(sent) = all.into_iter().find(is_it) {
            sent.returned = true;
        }
    }

    /// The message, and all later ones that must not overtake it, are answered as not published.
    fn refuse(&mut self, refused: &Pending) {
        self.reply(refused, Err(away("the server did not take the message")));
        if !refused.message.ordered {
            return;
        }
        let behind = |other: &Pending| {
            let (one, other) = (&refused.message, &other.message);
            one.exchange == other.exchange && one.key == other.key
        };
        // What is under way stays so, but has its answer: a later confirm changes nothing.
        let under_way = self.unconfirmed.iter().map(|sent| &sent.pending);
        let places: Vec<(u64, usize)> = under_way
            .filter(|other| behind(other))
            .map(|other| (other.batch, other.index))
            .collect();
        for (batch, index) in places {
            self.answer(batch, index, Err(away("an earlier message was not taken")));
        }
        let (gone, queue) = std::mem::take(&mut self.queue).into_iter().partition(behind);
        self.queue = queue;
        let gone: VecDeque<Pending> = gone;
        for other in gone {
            self.reply(&other, Err(away("an earlier message was not taken")));
        }
    }

    pub(super) fn reply(&mut self, pending: &Pending, answer: Answer) {
        if answer.is_ok() {
            self.published.increment(1);
        }
        self.answer(pending.batch, pending.index, answer);
    }

    fn answer(&mut self, batch: u64, index: usize, answer: Answer) {
        let Some(waiting) = self.batches.get_mut(&batch) else { return };
        if let Some(place) = waiting.answers.get_mut(index)
            && place.is_none()
        {
            *place = Some(answer);
            waiting.left -= 1;
        }
        if waiting.left == 0
            && let Some(Waiting { answers, reply, .. }) = self.batches.remove(&batch)
        {
            let lost = || Err(away("the message was lost on the way"));
            // Whoever asked may have gone away.
            let _ = reply.send(answers.into_iter().map(|a| a.unwrap_or_else(lost)).collect());
        }
    }

    /// The only message under way, when one is sent at a time.
    pub(super) fn alone(&mut self) -> Option<Pending> {
        if self.careful > 0 && self.unconfirmed.len() == 1 {
            return self.unconfirmed.pop_front().map(|sent| sent.pending);
        }
        None
    }

    /// It is sent again first.
    pub(super) fn put_back(&mut self, pending: Pending) {
        self.queue.push_front(pending);
    }

    /// The channel is lost: what it did not confirm goes to the head of the queue.
    pub(super) fn take_back(&mut self) {
        while let Some(sent) = self.unconfirmed.pop_back() {
            self.queue.push_front(sent.pending);
        }
    }

    /// Answers everything that waits.
    pub(super) fn fail_all(&mut self, error: impl Fn() -> PublishError) {
        let unconfirmed = std::mem::take(&mut self.unconfirmed).into_iter();
        let all = unconfirmed.map(|sent| sent.pending).chain(std::mem::take(&mut self.queue));
        let all: Vec<Pending> = all.collect();
        self.careful = 0;
        for pending in all {
            self.reply(&pending, Err(error()));
        }
    }
}

async fn send(
    channel: Arc<Channel>,
    message: Arc<Outgoing>,
    properties: Option<BasicProperties>,
) -> Outcome {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let Outgoing { exchange, key, envelope, is_topic, .. } = &*message;
    // It was encoded before, so it can be again.
    let again = || wire::encode(envelope, !is_topic, usize::MAX).unwrap_or_default();
    let properties = properties.unwrap_or_else(again);
    let (exchange, key) = (exchange.clone(), key.clone());
    channel.basic_publish(exchange, key, options, &envelope.payload, properties).await?.await
}
