//! A worker: a channel with a consumer, what it has in its hands, and what waits for its moment.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::stream::{SelectAll, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer};
use switchboard_core::{Id, Name, Rng};
use switchboard_message::exchange::{Death, Job as Handed, Reason, Tag, Worker};
use switchboard_message::{ConsumeError, Outcome, metrics as message_names};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::Desk;
use crate::names;
use crate::wire::{self, Raw};

/// Jobs handed out by one call, at most.
const AT_ONCE: usize = 128;
/// How long giving back may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// What the workers of this process hold of one queue.
#[derive(Debug, Default)]
pub(super) struct Bench {
    /// Jobs that wait for their moment.
    held: AtomicU64,
    /// Jobs in hand, or on their way into one.
    in_hand: AtomicU64,
    /// Consumers that make up for jobs that are held.
    extra: AtomicU64,
}

/// A worker of a queue.
pub(super) struct Job {
    channel: Arc<Channel>,
    queue: Name,
    prefetch: u16,
    generation: u64,
    bench: Arc<Bench>,
    desk: Desk,
    rng: Rng,
    main: Consumer,
    more: SelectAll<Consumer>,
    /// A consumer on its way, that makes room for jobs that are held.
    widening: Option<JoinHandle<Result<Consumer, lapin::Error>>>,
    widened: u16,
    extra: Vec<ShortString>,
    /// Come and not handed out.
    waiting: VecDeque<Delivery>,
    in_hand: BTreeSet<u64>,
    /// Those that are held give themselves back.
    holding: TaskTracker,
    stale: metrics::Counter,
}

// === impl Bench ===

impl Bench {
    /// Jobs held, jobs in hand, consumers that are no workers.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (read(&self.held), read(&self.in_hand), read(&self.extra))
    }
}

// === impl Job ===

impl Job {
    pub(super) async fn begin(
        channel: Channel,
        queue: Name,
        prefetch: u16,
        bench: Arc<Bench>,
        desk: &Desk,
    ) -> Result<Self, lapin::Error> {
        let channel = Arc::new(channel);
        let main = consume(&channel, &queue, prefetch).await?;
        let label = queue.to_string();
        Ok(Self {
            main,
            channel,
            queue,
            prefetch,
            generation: desk.numbers.generation(),
            bench,
            desk: desk.clone(),
            rng: Rng::from_entropy(),
            more: SelectAll::new(),
            widening: None,
            widened: 0,
            extra: Vec::new(),
            waiting: VecDeque::new(),
            in_hand: BTreeSet::new(),
            holding: TaskTracker::new(),
            stale: metrics::counter!(message_names::STALE_TAGS, "queue" => label),
        })
    }

    fn room(&self) -> usize {
        usize::from(self.prefetch).saturating_sub(self.in_hand.len())
    }

    fn note(&mut self, delivery: Delivery) {
        self.bench.in_hand.fetch_add(1, Ordering::Relaxed);
        self.waiting.push_back(delivery);
    }

    /// Takes what has come already.
    fn gather(&mut self) -> Result<(), ConsumeError> {
        while self.waiting.len() < AT_ONCE {
            if let Some(next) = self.main.next().now_or_never() {
                self.take(next)?;
            } else if let Some(Some(next)) = self.more.next().now_or_never() {
                self.take(Some(next))?;
            } else {
                break;
            }
        }
        if !self.extra.is_empty() {
            // Two consumers of one channel: the numbers tell the order of the queue.
            self.waiting.make_contiguous().sort_by_key(|delivery| delivery.delivery_tag);
        }
        Ok(())
    }

    fn take(&mut self, next: Option<Result<Delivery, lapin::Error>>) -> Result<(), ConsumeError> {
        match next {
            Some(Ok(delivery)) => {
                self.note(delivery);
                Ok(())
            }
            Some(Err(error)) => {
                self.desk.link.doubt();
                Err(ConsumeError::Unavailable(error.into()))
            }
            None if self.desk.stop.is_cancelled() => Err(ConsumeError::Closed),
            None => {
                self.desk.link.doubt();
                Err(ConsumeError::Unavailable("the server has cancelled the consumer".into()))
            }
        }
    }

    fn hand_out(&mut self) -> Vec<Handed> {
        let count = self.room().min(self.waiting.len());
        let deliveries: Vec<Delivery> = self.waiting.drain(..count).collect();
        deliveries.into_iter().map(|delivery| self.open(delivery)).collect()
    }

    fn open(&mut self, delivery: Delivery) -> Handed {
        let Delivery { delivery_tag, exchange, routing_key, redelivered, properties, data, .. } =
            delivery;
        self.in_hand.insert(delivery_tag);
        let deaths = deaths(&properties);
        let count = wire::delivery_count(&properties, redelivered);
        let raw = Raw { properties, payload: data.into() };
        let (exchange, routing_key) = (Name::from(exchange.as_str()), routing_key.as_str().into());
        // A stranger's message belongs to where it was published first.
        let first = deaths.last().map(|death| &death.exchange);
        let topic = first.filter(|name| !name.is_empty()).unwrap_or(&exchange);
        let topic = if topic.is_empty() { &self.queue } else { topic };
        let (clock, rng) = (&self.desk.clock, &mut self.rng);
        let message = wire::decode(&raw, topic, true, || Id::new(&**clock, rng), clock.now());
        Handed {
            tag: Tag { generation: self.generation, number: delivery_tag },
            message,
            exchange,
            routing_key,
            redelivered: count,
            deaths,
        }
    }

    /// Keeps the job on this channel until its moment, then gives it back: counted, and to the
    /// head of the queue.
    fn hold(&mut self, number: u64, wait: Duration) {
        let (channel, bench) = (Arc::clone(&self.channel), Arc::clone(&self.bench));
        bench.held.fetch_add(1, Ordering::Relaxed);
        self.holding.spawn(async move {
            tokio::time::sleep(wait).await;
            let back = BasicRejectOptions { requeue: true };
            let _gone_with_its_channel = channel.basic_reject(number, back).await;
            bench.held.fetch_sub(1, Ordering::Relaxed);
        });
        let held = u16::try_from(self.holding.len()).unwrap_or(u16::MAX);
        if held > self.widened && self.widening.is_none() {
            // Held jobs use up the consumer's prefetch on the server. It cannot be changed, so
            // another consumer on the same channel brings as much again.
            let by = (held - self.widened).max(self.widened).min(self.prefetch);
            self.widened = self.widened.saturating_add(by);
            self.bench.extra.fetch_add(1, Ordering::Relaxed);
            let (channel, queue) = (Arc::clone(&self.channel), self.queue.clone());
            let widening = async move { consume(&channel, &queue, by).await };
            self.widening = Some(tokio::spawn(widening));
        }
    }

    /// Once nothing is held any more, the worker is to get no more than it asked for.
    fn narrow(&mut self) {
        if self.extra.is_empty() || !self.holding.is_empty() {
            return;
        }
        self.widened = 0;
        for tag in self.extra.drain(..) {
            self.bench.extra.fetch_sub(1, Ordering::Relaxed);
            let options = BasicCancelOptions { nowait: true };
            let channel = Arc::clone(&self.channel);
            tokio::spawn(async move { channel.basic_cancel(tag, options).await });
        }
    }

    fn widened(&mut self, consumer: Result<Consumer, lapin::Error>) {
        self.widening = None;
        match consumer {
            Ok(consumer) => {
                self.extra.push(consumer.tag());
                self.more.push(consumer);
            }
            Err(error) => {
                self.bench.extra.fetch_sub(1, Ordering::Relaxed);
                tracing::debug!(queue = %self.queue, %error, "no room for jobs that are held");
            }
        }
    }
}

#[async_trait]
impl Worker for Job {
    async fn next(&mut self) -> Result<Vec<Handed>, ConsumeError> {
        // Whatever is taken from a consumer is kept in `self` before the next wait.
        loop {
            self.narrow();
            if self.room() > 0 {
                self.gather()?;
                let jobs = self.hand_out();
                if !jobs.is_empty() {
                    return Ok(jobs);
                }
            }
            let has_room = self.room() > 0;
            tokio::select! {
                widened = joined(&mut self.widening) => self.widened(widened),
                next = self.main.next(), if has_room => self.take(next)?,
                Some(next) = self.more.next(), if has_room => self.take(Some(next))?,
                () = self.desk.stop.cancelled() => return Err(ConsumeError::Closed),
            }
        }
    }

    fn settle(&mut self, tag: Tag, outcome: Outcome) -> bool {
        let is_ours = tag.generation == self.generation && self.channel.status().connected();
        if !is_ours || !self.in_hand.remove(&tag.number) {
            self.stale.increment(1);
            return false;
        }
        self.bench.in_hand.fetch_sub(1, Ordering::Relaxed);
        let (channel, number) = (&self.channel, tag.number);
        // The first poll hands the frame to the connection; nobody needs to wait until it is sent.
        match outcome {
            Outcome::Done => {
                drop(channel.basic_ack(number, BasicAckOptions::default()).now_or_never());
            }
            Outcome::Reject => {
                let label = self.queue.to_string();
                metrics::counter!(message_names::REJECTED, "group" => label).increment(1);
                let dead = BasicRejectOptions { requeue: false };
                drop(channel.basic_reject(number, dead).now_or_never());
            }
            Outcome::Retry(at) => {
                let wait = at.since(self.desk.clock.now());
                if wait.is_zero() {
                    let back = BasicRejectOptions { requeue: true };
                    drop(channel.basic_reject(number, back).now_or_never());
                } else {
                    self.hold(number, wait);
                }
            }
        }
        true
    }
}

impl Drop for Job {
    /// Gives back what is in hand. What is held waits for its moment on a channel without consumer.
    fn drop(&mut self) {
        let left = u64::try_from(self.waiting.len() + self.in_hand.len()).unwrap_or(0);
        self.bench.in_hand.fetch_sub(left, Ordering::Relaxed);
        let extra = self.extra.len() + usize::from(self.widening.is_some());
        self.bench.extra.fetch_sub(u64::try_from(extra).unwrap_or(0), Ordering::Relaxed);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let channel = Arc::clone(&self.channel);
        let mut back: Vec<u64> = self.in_hand.iter().copied().collect();
        back.extend(self.waiting.iter().map(|delivery| delivery.delivery_tag));
        let mut tags = std::mem::take(&mut self.extra);
        tags.push(self.main.tag());
        let widening = self.widening.take();
        let holding = self.holding.clone();
        holding.close();
        // The client library cancels a consumer whose last handle is dropped. The server would then
        // give the next worker what is ready before it has back what this one held: the channel is
        // closed first, which returns and hands over in one.
        let handles = (self.main.clone(), std::mem::take(&mut self.more));
        let goodbye = async move {
            let _until_closed = handles;
            if !holding.is_empty() {
                if let Some(Ok(Ok(consumer))) = async { Some(widening?.await) }.await {
                    tags.push(consumer.tag());
                }
                for tag in tags {
                    channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
                }
                for number in back {
                    channel.basic_reject(number, BasicRejectOptions { requeue: true }).await?;
                }
                // The next worker need not wait for what is held.
                tokio::spawn(async move {
                    holding.wait().await;
                    channel.close(200, names::short("done")).await
                });
                return Ok(());
            }
            channel.close(200, names::short("done")).await
        };
        let task = runtime.spawn(async move {
            let _late_or_gone = tokio::time::timeout(GOODBYE, goodbye).await;
        });
        self.desk.benches.leave(&self.queue, task);
    }
}

async fn consume(channel: &Channel, queue: &Name, prefetch: u16) -> Result<Consumer, lapin::Error> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let queue = names::short(queue.as_str());
    channel.basic_consume(queue, names::short(""), options, FieldTable::default()).await
}

/// The end of the task in flight; never when there is none.
async fn joined(
    task: &mut Option<JoinHandle<Result<Consumer, lapin::Error>>>,
) -> Result<Consumer, lapin::Error> {
    match task {
        Some(task) => match task.await {
            Ok(consumer) => consumer,
            Err(_) => Err(lapin::ErrorKind::FutureCompleted.into()),
        },
        None => std::future::pending().await,
    }
}

/// The server's record of deaths, the latest first.
fn deaths(properties: &lapin::BasicProperties) -> Vec<Death> {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let Some(AMQPValue::FieldArray(list)) = headers.and_then(|headers| headers.get("x-death"))
    else {
        return Vec::new();
    };
    list.as_slice().iter().filter_map(death).collect()
}

fn death(value: &AMQPValue) -> Option<Death> {
    let AMQPValue::FieldTable(table) = value else { return None };
    let table = table.inner();
    let text = |name: &str| table.get(name).and_then(wire::text_of);
    let key = match table.get("routing-keys") {
        Some(AMQPValue::FieldArray(keys)) => keys.as_slice().first().and_then(wire::text_of),
        _ => None,
    };
    let count = table.get("count").and_then(wire::number_of);
    Some(Death {
        queue: Name::from(&*text("queue")?),
        reason: Reason::parse(&text("reason")?)?,
        count: count.and_then(|count| u64::try_from(count).ok()).unwrap_or(1),
        exchange: Name::from(&*text("exchange").unwrap_or_default()),
        routing_key: Name::from(&*key.unwrap_or_default()),
    })
}
