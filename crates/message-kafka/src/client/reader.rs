//! Reads records of partitions from any place, for operators: no group, no commit.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::{Arena, Fault, Quiet, Raw, config, settled};
use crate::Options;

/// What to read of one partition of a topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) partition: u32,
    /// Records after this position.
    pub(crate) after: u64,
    /// Not beyond this position.
    pub(crate) until: u64,
    /// So many at the most.
    pub(crate) limit: usize,
}

/// Readers that wait for the next question: connecting takes longer than reading.
#[derive(Default)]
pub(crate) struct Reader {
    idle: Mutex<Vec<BaseConsumer<Quiet>>>,
}

/// How many idle readers are kept.
const IDLE: usize = 2;
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(15);

// === impl Reader ===

impl Reader {
    /// Reads these spans of one topic, each oldest first. Blocks.
    pub(crate) fn read(
        &self,
        options: &Options,
        topic: &str,
        spans: &[Span],
    ) -> Result<Vec<Vec<Raw>>, Fault> {
        let wanted = |span: &&Span| span.after < span.until && span.limit > 0;
        if spans.iter().filter(wanted).count() == 0 {
            return Ok(vec![Vec::new(); spans.len()]);
        }
        let consumer = match self.idle.lock().pop() {
            Some(consumer) => consumer,
            None => config::reader(options)
                .create_with_context(Quiet)
                .map_err(Fault::of("the Kafka reader cannot be made"))?,
        };
        let read = read(&consumer, topic, spans);
        if read.is_ok() && consumer.unassign().is_ok() {
            let mut idle = self.idle.lock();
            if idle.len() < IDLE {
                idle.push(consumer);
            }
        }
        read
    }

    /// The position after which the records since this time lie, for each partition that has any.
    /// Blocks.
    pub(crate) fn since(
        options: &Options,
        topic: &str,
        partitions: u32,
        millis: i64,
    ) -> Result<Vec<Option<u64>>, Fault> {
        let what = "the positions of a time are not known";
        let consumer: BaseConsumer<Quiet> = config::reader(options)
            .create_with_context(Quiet)
            .map_err(Fault::of("the Kafka reader cannot be made"))?;
        let mut times = TopicPartitionList::new();
        for partition in 0..partitions {
            let mut element = times.add_partition(topic, signed(partition));
            element.set_offset(Offset::Offset(millis.max(0))).map_err(Fault::of(what))?;
        }
        let found = settled(|| {
            let found = consumer.offsets_for_times(times.clone(), PATIENCE);
            let found = found.map_err(Fault::of(what))?;
            for element in found.elements() {
                element.error().map_err(Fault::of(what))?;
            }
            Ok(found)
        })?;
        let mut positions = vec![None; partitions as usize];
        for element in found.elements() {
            let index = usize::try_from(element.partition()).unwrap_or(usize::MAX);
            if let (Offset::Offset(offset), Some(slot)) =
                (element.offset(), positions.get_mut(index))
            {
                *slot = u64::try_from(offset).ok();
            }
        }
        Ok(positions)
    }
}

fn read(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    spans: &[Span],
) -> Result<Vec<Vec<Raw>>, Fault> {
    let what = "the records were not read";
    let mut list = TopicPartitionList::new();
    for span in spans.iter().filter(|span| span.after < span.until && span.limit > 0) {
        let mut element = list.add_partition(topic, signed(span.partition));
        let offset = Offset::Offset(i64::try_from(span.after).unwrap_or(i64::MAX));
        element.set_offset(offset).map_err(Fault::of(what))?;
    }
    consumer.assign(&list).map_err(Fault::of(what))?;
    let mut found = vec![Vec::new(); spans.len()];
    let mut open: Vec<bool> =
        spans.iter().map(|span| span.after < span.until && span.limit > 0).collect();
    let mut arena = Arena::default();
    let begun = Instant::now();
    while open.contains(&true) {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() {
            let late = rdkafka::error::RDKafkaErrorCode::OperationTimedOut;
            return Err(Fault::of(what)(KafkaError::MessageConsumption(late)));
        }
        let at = |partition: i32| spans.iter().position(|span| signed(span.partition) == partition);
        match consumer.poll(left.min(Duration::from_millis(500))) {
            None => {}
            Some(Ok(message)) if message.topic() == topic => {
                let Some(index) = at(message.partition()) else { continue };
                let (span, records) = (spans[index], &mut found[index]);
                let raw = arena.copy(&message);
                if open[index] && raw.position <= span.until {
                    open[index] = raw.position < span.until && records.len() + 1 < span.limit;
                    records.push(raw);
                } else {
                    open[index] = false;
                }
            }
            Some(Ok(_)) => {}
            // Positions may have gaps at the end: what is no record ends the reading as well.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                if let Some(index) = at(partition) {
                    open[index] = false;
                }
            }
            Some(Err(error)) => {
                let fault = Fault::of(what)(error);
                if !super::member::passes(&fault) {
                    return Err(fault);
                }
            }
        }
    }
    Ok(found)
}

fn signed(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}
