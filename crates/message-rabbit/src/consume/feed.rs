//! The task that reads one partition for one member, on a channel of its own.
//!
//! A channel for each partition makes handing over exact: closing it returns what is unsettled to
//! the head of the queue, in order, before anybody else gets a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use switchboard_core::{BoxError, Name};
use switchboard_message::metrics as message_names;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::hands::{Arrived, Hands, Place, Settled};
use super::tags::{Plan, Tags};
use super::{Groups, queue};
use crate::broker::PATIENCE;
use crate::metrics as names;
use crate::topics::Declared;
use crate::wire::{self, Raw};

/// How long the task before this one may take to end.
const ENDING: Duration = Duration::from_secs(5);
/// Messages that are passed on at once.
const AT_ONCE: usize = 256;
/// Looks in a row that must find a consumer idle before it is registered anew.
const IDLE_LOOKS: u32 = 2;

pub(super) struct Feed {
    pub(super) groups: Arc<Groups>,
    pub(super) hands: Arc<Hands>,
    pub(super) group: Name,
    pub(super) topic: Arc<Declared>,
    pub(super) place: Place,
    pub(super) settled: Arc<Settled>,
    /// Of the first channel; each further one gets its own.
    pub(super) generation: u64,
    pub(super) prefetch: u16,
    pub(super) stop: CancellationToken,
    pub(super) active: Arc<AtomicBool>,
}

/// One channel with its consumer.
struct Life {
    channel: Channel,
    consumer: lapin::Consumer,
    generation: u64,
    tags: Tags,
    /// Whether something has come since the last look.
    busy: bool,
    idle_looks: u32,
}

/// Why a life ended.
enum End {
    /// The member does not have the partition any more.
    Stopped,
    /// Another process is to have it.
    Yielded,
    /// Register again.
    Lost(BoxError),
}

/// The consumer gets nothing although messages are ready, or the server does not know it.
#[derive(Debug, thiserror::Error)]
#[error("{ready} messages are ready, {consumers} consumers are known, and nothing comes")]
struct Phantom {
    ready: u32,
    consumers: u32,
}

// === impl Feed ===

impl Feed {
    pub(super) async fn run(mut self, before: Option<JoinHandle<()>>) {
        if let Some(before) = before {
            let _late_or_ended = tokio::time::timeout(ENDING, before).await;
        }
        let mut lives = 0u64;
        loop {
            let Some(opened) = self.open_or_stop(lives > 0).await else { return };
            let (channel, consumer) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    // The first life was promised before it began: there is nothing to take back
                    // as long as nothing was delivered.
                    let error = switchboard_core::chain(&*error);
                    tracing::warn!(group = %self.group, place = ?self.place, error, "no consumer");
                    self.groups.link.doubt();
                    self.pause().await;
                    continue;
                }
            };
            if lives > 0 {
                self.generation = self.groups.numbers.generation();
                self.hands.found(&self.place, &self.settled, self.generation);
                self.count(names::REBUILT);
            }
            lives += 1;
            let mut life = Life {
                channel,
                consumer,
                generation: self.generation,
                tags: Tags::new(),
                busy: false,
                idle_looks: 0,
            };
            let end = self.live(&mut life).await;
            self.active.store(false, Ordering::Relaxed);
            match end {
                End::Stopped => {
                    self.close(life).await;
                    return;
                }
                End::Yielded => {
                    self.hands.lost(&self.place, &self.settled);
                    self.count(names::YIELDED);
                    self.close(life).await;
                }
                End::Lost(error) => {
                    self.hands.lost(&self.place, &self.settled);
                    let error = switchboard_core::chain(&*error);
                    tracing::warn!(group = %self.group, place = ?self.place, error, "consumer lost");
                    self.groups.link.doubt();
                    self.close(life).await;
                }
            }
        }
    }

    /// `None` when the partition is not the member's any more.
    ///
    /// A request to the server that nobody waits for still counts there: a consumer that was
    /// registered and forgotten would be handed messages for ever. So what has begun is ended first.
    async fn open_or_stop(
        &self,
        again: bool,
    ) -> Option<Result<(Channel, lapin::Consumer), BoxError>> {
        let opening = self.open(again);
        tokio::pin!(opening);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {
                if let Ok(Ok((channel, _))) = tokio::time::timeout(ENDING, opening).await {
                    end(&channel).await;
                }
                None
            }
            opened = &mut opening => Some(opened),
        }
    }

    /// A channel with everything on it that the former one had: queue, prefetch, consumer.
    async fn open(&self, again: bool) -> Result<(Channel, lapin::Consumer), BoxError> {
        let channel = self.groups.link.channel().await?;
        match tokio::time::timeout(PATIENCE, self.register(&channel, again)).await {
            Ok(Ok(consumer)) => Ok((channel, consumer)),
            Ok(Err(error)) => Err(error),
            Err(late) => {
                end(&channel).await;
                Err(late.into())
            }
        }
    }

    async fn register(&self, channel: &Channel, again: bool) -> Result<lapin::Consumer, BoxError> {
        if again {
            let (topics, partition) = (&self.groups.topics, self.place.1);
            topics.rebuild_queue(channel, &self.group, &self.topic, partition).await?;
        }
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let queue = queue(&self.group, &self.place);
        Ok(channel.basic_consume(queue, "".into(), options, FieldTable::default()).await?)
    }

    async fn live(&self, life: &mut Life) -> End {
        let mut looks = tokio::time::interval(self.groups.options.watchdog);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.reset();
        loop {
            let turn = tokio::select! {
                biased;
                () = self.stop.cancelled() => return End::Stopped,
                () = self.settled.bell.notified() => self.flush(life).await.map_err(BoxError::from),
                delivery = life.consumer.next() => self.take(life, delivery),
                _ = looks.tick() => match self.look(life).await {
                    Ok(true) => return End::Yielded,
                    Ok(false) => Ok(()),
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = turn {
                return End::Lost(error);
            }
        }
    }

    /// Passes on what has come, with all that is there already.
    fn take(
        &self,
        life: &mut Life,
        first: Option<Result<Delivery, lapin::Error>>,
    ) -> Result<(), BoxError> {
        let mut messages = Vec::new();
        let mut next = first;
        let outcome = loop {
            match next {
                Some(Ok(delivery)) => messages.push(arrived(&mut life.tags, delivery)),
                Some(Err(error)) => break Err(error.into()),
                None => break Err("the server has cancelled the consumer".into()),
            }
            if messages.len() >= AT_ONCE {
                break Ok(());
            }
            match life.consumer.next().now_or_never() {
                Some(more) => next = more,
                None => break Ok(()),
            }
        };
        life.busy = true;
        self.active.store(true, Ordering::Relaxed);
        self.hands.arrived(&self.place, life.generation, messages);
        outcome
    }

    /// Tells the server what was settled.
    async fn flush(&self, life: &mut Life) -> Result<(), lapin::Error> {
        let (settled, stale) = self.settled.take(life.generation);
        if stale > 0 {
            let group = self.group.to_string();
            let counter = metrics::counter!(message_names::STALE_RECEIPTS, "group" => group);
            counter.increment(u64::try_from(stale).unwrap_or(0));
        }
        tell(&life.channel, life.tags.settle(&settled)).await
    }

    /// Compares the consumer with its queue. True when another process is to have it.
    async fn look(&self, life: &mut Life) -> Result<bool, BoxError> {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = queue(&self.group, &self.place);
        let seen = life.channel.queue_declare(queue, passive, FieldTable::default()).await?;
        let (ready, consumers) = (seen.message_count(), seen.consumer_count());
        let has_room = life.tags.outstanding() < usize::from(self.prefetch);
        let suspicious = !life.busy && has_room && ready > 0 && consumers <= 1;
        life.idle_looks = if suspicious { life.idle_looks + 1 } else { 0 };
        if consumers == 0 || life.idle_looks >= IDLE_LOOKS {
            self.count(names::PHANTOMS);
            return Err(Phantom { ready, consumers }.into());
        }
        life.busy = false;
        let is_active = self.active.load(Ordering::Relaxed);
        Ok(consumers > 1
            && is_active
            && self.groups.yields(&self.group, &self.topic, &self.place, consumers))
    }

    /// Tells the server what is settled, and gives the rest back by closing the channel.
    async fn close(&self, mut life: Life) {
        let goodbye = async {
            self.flush(&mut life).await?;
            life.channel.close(200, "handed over".into()).await
        };
        if let Ok(Err(error)) = tokio::time::timeout(ENDING, goodbye).await {
            tracing::debug!(group = %self.group, place = ?self.place, %error, "closed without goodbye");
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(self.groups.options.backoff_first) => {}
        }
    }

    fn count(&self, name: &'static str) {
        metrics::counter!(name, "group" => self.group.to_string()).increment(1);
    }
}

/// Closes a channel that is not to be used.
async fn end(channel: &Channel) {
    let goodbye = channel.close(200, crate::names::short("not needed"));
    let _late_or_gone = tokio::time::timeout(ENDING, goodbye).await;
}

/// Notes a delivery's number and takes it apart.
fn arrived(tags: &mut Tags, delivery: Delivery) -> Arrived {
    tags.arrived(delivery.delivery_tag);
    let redelivered = wire::delivery_count(&delivery.properties, delivery.redelivered);
    let raw = Raw { properties: delivery.properties, payload: delivery.data.into() };
    Arrived { tag: delivery.delivery_tag, raw, redelivered }
}

/// Rejects go first: an ack that passes them would take them out of the queue.
///
/// A message is given back by `basic.reject`. `basic.nack` does not count towards the delivery
/// limit on newer servers, and a message that always fails would come for ever.
pub(crate) async fn tell(channel: &Channel, plan: Plan) -> Result<(), lapin::Error> {
    for (tag, requeue) in plan.rejects {
        channel.basic_reject(tag, BasicRejectOptions { requeue }).await?;
    }
    let up_to = plan.up_to.into_iter().map(|tag| (tag, true));
    let acks = up_to.chain(plan.singles.into_iter().map(|tag| (tag, false)));
    let acks = acks.map(|(tag, multiple)| channel.basic_ack(tag, BasicAckOptions { multiple }));
    join_all(acks).await.into_iter().collect()
}
