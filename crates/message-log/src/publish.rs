//! Batches on their way into the log.
//!
//! A batch becomes one batch of the log, or several when it is large. They follow one another: a
//! part is staged when the one before it is synced, and after a failure nothing more is staged, so
//! that no later record of a key overtakes an earlier one which its publisher will repeat.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard_core::{BoxError, Clock, Envelope, Position, Rng, Slot};
use switchboard_log::{Append, AppendError, Appended, Staging};
use switchboard_message::group::Announcer;
use switchboard_message::{Ack, Durability, PublishError};

use crate::published::{Mark, PublishedTable};
use crate::records::Kept;
use crate::topics::Declared;
use crate::{Options, record};

/// Bytes that one part of a batch carries, unless a single record is larger; less when the log's
/// segments are small.
const PART_BYTES: usize = 1 << 20;
/// What the log adds to a record, rounded up.
const OVERHEAD: usize = 64;
/// Records that one part of a batch carries.
const PART_RECORDS: usize = 1_024;

/// Takes batches for the log.
#[derive(Debug)]
pub(crate) struct Publisher {
    kept: Arc<Kept>,
    announcer: Announcer,
    clock: Arc<dyn Clock>,
    max_message_bytes: usize,
    max_record_bytes: usize,
    part_bytes: usize,
    /// Draws the slots of messages that have neither key nor identity.
    rng: Mutex<Rng>,
}

/// A record that is about to be staged.
struct Ready {
    /// Its place in the publisher's batch.
    index: usize,
    declared: Arc<Declared>,
    staging: Staging,
    mark: Mark,
}

/// What others want to know of a part once it is synced.
#[derive(Debug)]
struct News {
    published: Arc<PublishedTable>,
    to: Announcer,
    marks: Vec<Mark>,
}

/// A part on its way. Its records are in the log even if the publisher goes away, so it is then
/// waited for by a task: otherwise the groups would not hear of them.
struct Staged(Option<(Append, News)>);

type Answer = Result<Ack, PublishError>;

// === impl Publisher ===

impl Publisher {
    pub(crate) fn new(kept: Arc<Kept>, announcer: Announcer, options: &Options) -> Self {
        Self {
            kept,
            announcer,
            clock: Arc::clone(&options.clock),
            max_message_bytes: options.max_message_bytes,
            max_record_bytes: options.log.max_record_bytes,
            // The log takes batches of up to half a segment.
            part_bytes: usize::try_from(options.log.segment_bytes / 4)
                .map_or(PART_BYTES, |quarter| quarter.min(PART_BYTES)),
            rng: Mutex::new(Rng::from_entropy()),
        }
    }

    /// Publishes a batch and answers each record in its order.
    pub(crate) async fn publish(&self, batch: &[Envelope]) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = Vec::with_capacity(batch.len());
        answers.resize_with(batch.len(), || None);
        let mut ready = Vec::with_capacity(batch.len());
        for (index, envelope) in batch.iter().enumerate() {
            match self.prepare(index, envelope) {
                Ok(record) => ready.push(record),
                Err(refused) => answers[index] = Some(Err(refused)),
            }
        }
        for part in split(ready, self.part_bytes) {
            let places: Vec<(usize, u32, Arc<Declared>)> = part
                .iter()
                .map(|record| (record.index, record.mark.partition, Arc::clone(&record.declared)))
                .collect();
            match self.stage(part).await {
                Ok(appended) => {
                    for ((index, partition, declared), appended) in places.into_iter().zip(appended)
                    {
                        declared.published.increment(1);
                        answers[index] = Some(Ok(self.ack(partition, appended.position)));
                    }
                }
                Err(error) => {
                    for (index, ..) in places {
                        answers[index] = Some(Err(unavailable(error.clone())));
                    }
                    break;
                }
            }
        }
        let behind = || Err(PublishError::Unavailable("an earlier record was not written".into()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(behind)).collect()
    }

    /// Checks a record and finds its channel.
    fn prepare(&self, index: usize, envelope: &Envelope) -> Result<Ready, PublishError> {
        let Some(declared) = self.kept.topics.get(&envelope.topic) else {
            return Err(PublishError::UnknownTopic(envelope.topic.clone()));
        };
        let encoded = envelope.encode();
        let too_large = |bytes, limit| Err(PublishError::TooLarge { bytes, limit });
        if encoded.len() > self.max_message_bytes {
            return too_large(encoded.len(), self.max_message_bytes);
        }
        let data = record::encode(envelope.key.as_ref(), &encoded);
        if data.len() > self.max_record_bytes {
            return too_large(data.len(), self.max_record_bytes);
        }
        let slot = match (&envelope.key, &envelope.identity) {
            (Some(key), _) => Slot::of(key),
            (None, Some(identity)) => identity.slot,
            (None, None) => Slot::draw(&mut self.rng.lock()),
        };
        let partition = slot.partition(declared.topic.partitions);
        let Some(channel) = declared.channel(partition) else {
            return Err(PublishError::UnknownTopic(envelope.topic.clone()));
        };
        let staging = (channel, data, self.clock.now().as_micros());
        let topic = declared.topic.name.clone();
        let mark = Mark { topic, partition, identity: envelope.identity.clone() };
        Ok(Ready { index, declared, staging, mark })
    }

    /// Hands a part to the log and waits until it is synced.
    async fn stage(&self, part: Vec<Ready>) -> Result<Vec<Appended>, AppendError> {
        let (staging, marks): (Vec<_>, Vec<_>) =
            part.into_iter().map(|record| (record.staging, record.mark)).unzip();
        let append = self.kept.log.append(staging);
        let news =
            News { published: self.kept.published.clone(), to: self.announcer.clone(), marks };
        self.kept.write_soon();
        Staged(Some((append, news))).await
    }

    fn ack(&self, partition: u32, position: u64) -> Ack {
        Ack {
            partition,
            position: Position(position),
            epoch: self.kept.log.epoch(),
            durability: Durability::Synced,
        }
    }

    /// Stores bytes as they are.
    pub(crate) async fn publish_raw(
        &self,
        topic: &str,
        key: Option<switchboard_core::Key>,
        bytes: Bytes,
    ) -> Answer {
        let unknown = || PublishError::UnknownTopic(topic.into());
        let declared = self.kept.topics.get(topic).ok_or_else(unknown)?;
        let slot = key.as_ref().map_or_else(|| Slot::draw(&mut self.rng.lock()), Slot::of);
        let partition = slot.partition(declared.topic.partitions);
        let channel = declared.channel(partition).ok_or_else(unknown)?;
        let data = record::encode(key.as_ref(), &bytes);
        let mark = Mark { topic: declared.topic.name.clone(), partition, identity: None };
        let staging = (channel, data, self.clock.now().as_micros());
        let appended = self.stage(vec![Ready { index: 0, declared, staging, mark }]).await;
        let appended = appended.map_err(unavailable)?;
        let position = appended.first().map_or(0, |appended| appended.position);
        Ok(self.ack(partition, position))
    }
}

// === impl News ===

impl News {
    /// Notes who has published what, and wakes the groups.
    fn tell(&self, appended: &[Appended]) {
        let marks = &self.marks;
        self.published.apply(marks.iter().zip(appended.iter().map(|appended| appended.position)));
        let last = |(index, (mark, appended)): (usize, (&'_ Mark, &Appended))| {
            // Only the last record of a run in one partition matters.
            let next = marks.get(index + 1);
            let ends = next.is_none_or(|n| n.partition != mark.partition || n.topic != mark.topic);
            ends.then_some((index, Position(appended.position)))
        };
        let ends = marks.iter().zip(appended).enumerate().filter_map(last);
        self.to.published(ends.map(|(i, end)| (&*marks[i].topic, marks[i].partition, end)));
    }
}

// === impl Staged ===

impl Future for Staged {
    type Output = Result<Vec<Appended>, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((append, _)) = &mut self.0 else { return Poll::Ready(Err(AppendError::Closed)) };
        let outcome = std::task::ready!(Pin::new(append).poll(cx));
        if let (Some((_, news)), Ok(appended)) = (self.0.take(), &outcome) {
            news.tell(appended);
        }
        Poll::Ready(outcome)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let Some((append, news)) = self.0.take() else { return };
        // Not itself again: a runtime that shuts down drops what it is given at once.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(appended) = append.await {
                    news.tell(&appended);
                }
            });
        }
    }
}

/// Divides a batch into parts that the log takes at once.
fn split(ready: Vec<Ready>, part_bytes: usize) -> Vec<Vec<Ready>> {
    let mut parts: Vec<Vec<Ready>> = Vec::new();
    let mut bytes = 0;
    for record in ready {
        let size = record.staging.1.len() + OVERHEAD;
        match parts.last_mut() {
            Some(part) if bytes + size <= part_bytes && part.len() < PART_RECORDS => {
                bytes += size;
                part.push(record);
            }
            _ => {
                bytes = size;
                parts.push(vec![record]);
            }
        }
    }
    parts
}

fn unavailable(error: AppendError) -> PublishError {
    PublishError::Unavailable(BoxError::from(error))
}
