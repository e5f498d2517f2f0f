//! Batches on their way to Kafka: everything is handed to the producer first, and then the acks are awaited.
//!
//! The order of a partition is the order of the calls: batches are handed over one after another,
//! and the producer never gives a record up, so that nothing behind a record overtakes it. A caller
//! that has waited long enough is told so; its records may still be published, and consumers
//! recognise the second copy.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use switchboard_core::slot::murmur2;
use switchboard_core::{BoxError, Envelope, Key, Name, Position, Rng, Slot};
use switchboard_message::{Ack, Durability, PublishError};
use tokio::time::Instant;

use crate::batch::{Batch, Report};
use crate::client::{Fault, Headers, Kind, Outgoing, Producer, Refused};
use crate::topics::{Known, Topics};
use crate::{EPOCH, Options, metrics as names, record};

/// Takes batches for Kafka.
pub(crate) struct Publisher {
    options: Options,
    topics: Arc<Topics>,
    producer: RwLock<Option<Arc<Producer>>>,
    /// Who hands a batch over: in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    /// Draws the slots of messages that have neither key nor identity.
    rng: Mutex<Rng>,
}

/// A record that is about to be sent.
struct Ready {
    index: usize,
    known: Arc<Known>,
    partition: u32,
    bytes: usize,
    outgoing: Outgoing,
}

/// Where a record went.
struct Sent {
    index: usize,
    known: Arc<Known>,
    topic: Name,
    partition: u32,
    bytes: usize,
}

type Answer = Result<Ack, PublishError>;

/// How long to wait for room in the producer before looking again.
const FULL: std::time::Duration = std::time::Duration::from_millis(2);

/// The producer was closed, or cannot be made anew.
#[derive(Debug, thiserror::Error)]
#[error("the broker is closed")]
struct Closed;

/// No ack came in time. The record may still be published.
#[derive(Debug, thiserror::Error)]
#[error("Kafka has not acknowledged the record within {0:?}")]
struct Unanswered(std::time::Duration);

// === impl Publisher ===

impl Publisher {
    pub(crate) fn new(options: Options, topics: Arc<Topics>) -> Result<Self, Fault> {
        let producer = RwLock::new(Some(Arc::new(Producer::new(&options)?)));
        let rng = Mutex::new(Rng::from_entropy());
        Ok(Self { options, topics, producer, turn: tokio::sync::Mutex::new(()), rng })
    }

    /// Publishes a batch in order and answers each record in the same order.
    pub(crate) async fn publish(&self, batch: Vec<Envelope>) -> Vec<Answer> {
        let until = Instant::now() + self.options.delivery_limit;
        let mut answers: Vec<Option<Answer>> = Vec::with_capacity(batch.len());
        answers.resize_with(batch.len(), || None);
        let mut ready = Vec::with_capacity(batch.len());
        let mut sent = Vec::with_capacity(batch.len());
        let mut met: Option<(Name, Option<Arc<Known>>)> = None;
        // The turn is taken before anything else is awaited, so that order is the order of calls.
        let Ok(turn) = tokio::time::timeout_at(until, self.turn.lock()).await else {
            let late = |_| Err(self.late());
            return batch.into_iter().map(late).collect();
        };
        for (index, envelope) in batch.into_iter().enumerate() {
            let topic = envelope.topic.clone();
            if met.as_ref().is_none_or(|(name, _)| *name != topic) {
                let found = tokio::time::timeout_at(until, self.topics.find(&topic)).await;
                let found = found.unwrap_or_else(|_| Err(self.unanswered().into()));
                match found {
                    Ok(known) => met = Some((topic.clone(), known)),
                    Err(error) => {
                        answers[index] = Some(Err(PublishError::Unavailable(error)));
                        met = None;
                        continue;
                    }
                }
            }
            let known = met.as_ref().and_then(|(_, known)| known.as_ref());
            match known.ok_or(PublishError::UnknownTopic(topic.clone())) {
                Ok(known) => match self.prepare(index, envelope, known) {
                    Ok(record) => {
                        let Ready { index, ref known, partition, bytes, .. } = record;
                        let known = Arc::clone(known);
                        sent.push(Sent { index, known, topic, partition, bytes });
                        ready.push((record.index, record.outgoing));
                    }
                    Err(refused) => answers[index] = Some(Err(refused)),
                },
                Err(unknown) => answers[index] = Some(Err(unknown)),
            }
        }
        let reports = Batch::new(answers.len());
        self.hand_over(ready, &reports, until).await;
        drop(turn);
        let _in_time_or_not = tokio::time::timeout_at(until, reports.complete()).await;
        let mut reported = reports.take();
        for sent in sent {
            let report = reported.get_mut(sent.index).and_then(Option::take);
            answers[sent.index] = Some(self.answer(&sent, report));
        }
        let lost = || Err(PublishError::Unavailable(Closed.into()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(lost)).collect()
    }

    /// Sends a record as it is, and waits for its ack.
    pub(crate) async fn send(
        &self,
        known: &Arc<Known>,
        partition: u32,
        key: Option<Key>,
        payload: bytes::Bytes,
        headers: Headers,
    ) -> Result<(), BoxError> {
        let until = Instant::now() + self.options.delivery_limit;
        let topic = Arc::clone(&known.place);
        let outgoing = Outgoing { topic, partition, key, payload, headers };
        let reports = Batch::new(1);
        let turn = tokio::time::timeout_at(until, self.turn.lock()).await;
        let turn = turn.map_err(|_| self.unanswered())?;
        self.hand_over(vec![(0, outgoing)], &reports, until).await;
        drop(turn);
        let _in_time_or_not = tokio::time::timeout_at(until, reports.complete()).await;
        match reports.take().pop().flatten() {
            Some(Ok(_)) => Ok(()),
            Some(Err(fault)) => Err(fault.into()),
            None => Err(self.unanswered().into()),
        }
    }

    /// Waits until everything is sent, and sends nothing more.
    pub(crate) fn close(&self) -> impl Future<Output = ()> + use<> {
        let producer = self.producer.write().take();
        let limit = self.options.delivery_limit;
        async move {
            let Some(producer) = producer else { return };
            let flushed = crate::blocking(move || producer.flush(limit)).await;
            if let Err(error) = flushed {
                tracing::warn!(%error, "the broker was closed before everything was sent");
            }
        }
    }

    /// Checks a record and finds its partition.
    fn prepare(
        &self,
        index: usize,
        envelope: Envelope,
        known: &Arc<Known>,
    ) -> Result<Ready, PublishError> {
        let headers = record::headers(&envelope);
        let key = envelope.key.as_ref().map_or(0, |key| key.as_bytes().len());
        let bytes = key + envelope.payload.len() + headers.bytes();
        let limit = self.options.max_message_bytes;
        if bytes > limit {
            return Err(PublishError::TooLarge { bytes, limit });
        }
        let partition = self.partition(&envelope, known.partitions);
        let topic = Arc::clone(&known.place);
        let Envelope { key, payload, .. } = envelope;
        let outgoing = Outgoing { topic, partition, key, payload, headers };
        Ok(Ready { index, known: Arc::clone(known), partition, bytes, outgoing })
    }

    fn partition(&self, envelope: &Envelope, partitions: u32) -> u32 {
        let slot = match (&envelope.key, &envelope.identity) {
            // A stranger's topic may have any number of partitions: the slot would not agree with
            // what other clients choose.
            (Some(key), _) if !Slot::COUNT.is_multiple_of(partitions) => {
                return (murmur2(key.as_bytes()) & 0x7fff_ffff) % partitions.max(1);
            }
            (Some(key), _) => Slot::of(key),
            (None, Some(identity)) => identity.slot,
            (None, None) => Slot::draw(&mut self.rng.lock()),
        };
        u32::from(slot.0) % partitions.max(1)
    }

    /// Gives records to the producer in order, and waits for room where there is none.
    async fn hand_over(&self, ready: Vec<(usize, Outgoing)>, reports: &Arc<Batch>, until: Instant) {
        let Ok(producer) = self.producer() else { return };
        for (index, outgoing) in ready {
            let mut next = Some((outgoing, reports.ticket(index)));
            while let Some((outgoing, ticket)) = next.take() {
                match producer.send(outgoing, ticket) {
                    Ok(()) | Err(Refused::Answered) => {}
                    Err(Refused::Full(..)) if Instant::now() >= until => return,
                    Err(Refused::Full(outgoing, ticket)) => {
                        next = Some((*outgoing, ticket));
                        tokio::time::sleep(FULL).await;
                    }
                }
            }
        }
    }

    /// The producer; a new one when the old one is broken.
    fn producer(&self) -> Result<Arc<Producer>, BoxError> {
        match &*self.producer.read() {
            Some(producer) if !producer.is_broken() => return Ok(Arc::clone(producer)),
            Some(_) => {}
            None => return Err(Closed.into()),
        }
        let mut slot = self.producer.write();
        match &*slot {
            Some(producer) if producer.is_broken() => {
                let producer = Arc::new(Producer::new(&self.options)?);
                metrics::counter!(names::REPLACED_PRODUCERS).increment(1);
                *slot = Some(Arc::clone(&producer));
                Ok(producer)
            }
            Some(producer) => Ok(Arc::clone(producer)),
            None => Err(Closed.into()),
        }
    }

    fn unanswered(&self) -> Unanswered {
        Unanswered(self.options.delivery_limit)
    }

    fn late(&self) -> PublishError {
        PublishError::Unavailable(self.unanswered().into())
    }

    fn answer(&self, sent: &Sent, report: Option<Report>) -> Answer {
        let fault = match report {
            Some(Ok(offset)) => {
                sent.known.published.increment(1);
                return Ok(Ack {
                    partition: sent.partition,
                    position: Position(offset + 1),
                    epoch: EPOCH,
                    durability: Durability::Synced,
                });
            }
            Some(Err(fault)) => fault,
            None if self.producer.read().is_none() => {
                return Err(PublishError::Unavailable(Closed.into()));
            }
            None => {
                sent.known.unanswered.increment(1);
                return Err(self.late());
            }
        };
        Err(match fault.kind {
            Kind::TooLarge => {
                let limit = self.options.max_message_bytes;
                // The topic takes less than we do.
                PublishError::TooLarge { bytes: sent.bytes, limit: limit.min(sent.bytes - 1) }
            }
            Kind::Unknown => {
                self.topics.forget(&sent.topic);
                PublishError::UnknownTopic(sent.topic.clone())
            }
            Kind::Refused => PublishError::Refused(fault.into()),
            _ => PublishError::Unavailable(fault.into()),
        })
    }
}
