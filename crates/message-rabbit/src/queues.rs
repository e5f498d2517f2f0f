//! Queues behind exchanges, which is what RabbitMQ is made of: nearly everything is the server's.
//!
//! What the server does not do is a retry at a given time: the worker's channel holds such a job
//! until then and gives it back by a reject, so that it is counted and stands at the head again.
//! A process that ends gives it back at once.

mod delay;
mod layouts;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use parking_lot::Mutex;
use switchboard_core::{BoxError, Clock, Envelope, Name};
use switchboard_message::exchange::{Depth, Layout, MAX_PREFETCH, Queues, Sent, Worker};
use switchboard_message::{Durability, PublishError, SubscribeError, TopologyError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::PATIENCE;
use crate::consume::Numbers;
use crate::error::Meaning;
use crate::link::Link;
use crate::publish::{Outgoing, Publisher, Taken, away};
use crate::{inspect, names, wire};
pub use delay::{Delays, Ladder};
pub(crate) use layouts::Layouts;
use worker::{Bench, Job};

/// How long a worker that was dropped may take to give its jobs back before the next one begins.
const HANDING_BACK: Duration = Duration::from_secs(5);

/// Where jobs are handed in and handed out.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) link: Link,
    pub(crate) publisher: Publisher,
    pub(crate) layouts: Arc<Layouts>,
    pub(crate) benches: Arc<Benches>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) max_message_bytes: usize,
    pub(crate) stop: CancellationToken,
}

/// The queues at which this process works.
#[derive(Debug, Default)]
pub(crate) struct Benches(Mutex<HashMap<Name, Place>>);

#[derive(Debug, Default)]
struct Place {
    bench: Arc<Bench>,
    /// Workers that were dropped and are giving back what they held.
    leaving: Vec<JoinHandle<()>>,
}

// === impl Benches ===

impl Benches {
    fn bench(&self, queue: &Name) -> Arc<Bench> {
        Arc::clone(&self.0.lock().entry(queue.clone()).or_default().bench)
    }

    fn leaving(&self, queue: &str) -> Vec<JoinHandle<()>> {
        let mut places = self.0.lock();
        places.get_mut(queue).map(|place| std::mem::take(&mut place.leaving)).unwrap_or_default()
    }

    fn leave(&self, queue: &Name, task: JoinHandle<()>) {
        let mut places = self.0.lock();
        let leaving = &mut places.entry(queue.clone()).or_default().leaving;
        leaving.retain(|task| !task.is_finished());
        leaving.push(task);
    }
}

// === impl Desk ===

#[async_trait]
impl Queues for Desk {
    async fn declare(&self, layout: &Layout) -> Result<(), TopologyError> {
        self.layouts.declare(layout, &self.link).await
    }

    async fn send(
        &self,
        exchange: &str,
        routing_key: &str,
        batch: Vec<Envelope>,
    ) -> Vec<Result<Sent, PublishError>> {
        let refuse_all = |error: fn(Name) -> PublishError, name: &str| {
            batch.iter().map(|_| Err(error(name.into()))).collect()
        };
        if exchange.len() > names::MAX || routing_key.len() > names::MAX {
            return refuse_all(PublishError::UnknownExchange, exchange);
        }
        match self.layouts.has_exchange(exchange, &self.link).await {
            Ok(true) => {}
            Ok(false) => return refuse_all(PublishError::UnknownExchange, exchange),
            Err(error) => {
                let text = switchboard_core::chain(&*error);
                let unavailable = || PublishError::Unavailable(text.clone().into());
                return batch.iter().map(|_| Err(unavailable())).collect();
            }
        }
        let limit = self.max_message_bytes;
        let mut answers: Vec<Option<Result<Sent, PublishError>>> = Vec::with_capacity(batch.len());
        let (mut outgoing, mut places) = (Vec::with_capacity(batch.len()), Vec::new());
        for (index, envelope) in batch.into_iter().enumerate() {
            match wire::encode(&envelope, true, limit) {
                Ok(properties) => {
                    places.push(index);
                    answers.push(None);
                    outgoing.push(Outgoing {
                        exchange: names::short(exchange),
                        key: names::short(routing_key),
                        envelope,
                        properties: Some(properties),
                        ordered: true,
                        is_topic: false,
                    });
                }
                Err(refused) => answers.push(Some(Err(refused))),
            }
        }
        for (index, taken) in places.into_iter().zip(self.publisher.publish(outgoing).await) {
            answers[index] = Some(taken.map(|taken| Sent {
                routed: matches!(taken, Taken::Routed),
                durability: Durability::Synced,
            }));
        }
        let unanswered = || Err(away("the message was not answered"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }

    async fn work(&self, queue: &str, prefetch: usize) -> Result<Box<dyn Worker>, SubscribeError> {
        let share = u16::try_from(prefetch).ok().filter(|share| *share > 0);
        let Some(share) = share else {
            let text = format!("the prefetch is {prefetch}: use 1 to {MAX_PREFETCH}");
            return Err(SubscribeError::Invalid(text));
        };
        if queue.is_empty() || queue.len() > names::MAX {
            return Err(SubscribeError::UnknownQueue(queue.into()));
        }
        // A worker that was dropped just now gives back what it held before another one begins.
        for task in self.benches.leaving(queue) {
            let _late_or_ended = tokio::time::timeout(HANDING_BACK, task).await;
        }
        let channel = self.link.channel_within(PATIENCE).await;
        let channel = channel.map_err(SubscribeError::Unavailable)?;
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let seen = channel.queue_declare(names::short(queue), passive, FieldTable::default()).await;
        match seen {
            Ok(_) => {}
            Err(error) if Meaning::of(&error) == Meaning::NotFound => {
                return Err(SubscribeError::UnknownQueue(queue.into()));
            }
            Err(error) => return Err(SubscribeError::Unavailable(error.into())),
        }
        let queue = Name::from(queue);
        let bench = self.benches.bench(&queue);
        let worker = Job::begin(channel, queue, share, bench, self).await;
        Ok(Box::new(worker.map_err(|error| SubscribeError::Unavailable(error.into()))?))
    }

    /// The queues that this process declared. Jobs in the hands of other processes are not seen.
    async fn depths(&self) -> Result<Vec<Depth>, BoxError> {
        let mut depths = Vec::new();
        for queue in self.layouts.queues() {
            let Some((ready, consumers)) = inspect::counts(&self.link, &queue).await? else {
                continue;
            };
            let (held, in_hand, extra) = self.benches.bench(&queue).counts();
            depths.push(Depth {
                queue,
                ready: u64::from(ready) + held,
                unsettled: in_hand,
                workers: u64::from(consumers).saturating_sub(extra),
            });
        }
        Ok(depths)
    }
}
