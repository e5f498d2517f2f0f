//! The consumer of one member: polled by one thread of ours, which also answers what the group asks of it.
//!
//! A rebalance is only noted in its callback and answered later by the thread that polls, which in
//! between can let running work end. librdkafka waits for the answer; the group waits for at most
//! `max.poll.interval.ms`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Message as _, Offset, TopicPartitionList};

use super::{Arena, Fault, Kind, Raw, TopicPartition, config, trace};
use crate::Options;

/// A change of what the member holds.
#[derive(Debug)]
pub(crate) enum Rebalance {
    /// These are to be taken.
    Assign(Vec<TopicPartition>),
    /// These are to be let go; they are `lost` when somebody else may have them already.
    Revoke { partitions: Vec<TopicPartition>, lost: bool },
}

/// What a poll brought.
#[derive(Debug)]
pub(crate) enum Polled {
    Record { topic: usize, partition: u32, raw: Raw },
    Failed(Fault),
    Nothing,
}

/// The offset that a group has committed, and what is noted beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The last position that is done; `None` when nothing was ever committed.
    pub(crate) position: Option<u64>,
    pub(crate) note: String,
}

/// One member's connection.
pub(crate) struct GroupConsumer {
    inner: BaseConsumer<Notes>,
    /// The topics as Kafka names them, in the order in which they were asked for.
    topics: Vec<String>,
}

/// Notes what the group asks for.
#[derive(Default)]
struct Notes {
    rebalances: Mutex<Vec<Rebalance>>,
    uncommitted: AtomicBool,
    closing: AtomicBool,
}

/// How long a poll waits before silence is believed.
const MOMENT: Duration = Duration::from_millis(1);
/// How long one question to the cluster may take.
const ASK: Duration = Duration::from_secs(5);

// === impl GroupConsumer ===

impl GroupConsumer {
    /// Joins a group. `wake` is called from threads of librdkafka when there is something to poll.
    pub(crate) fn join(
        options: &Options,
        group: &str,
        topics: Vec<String>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, Fault> {
        let created = config::member(options, group).create_with_context(Notes::default());
        let mut inner: BaseConsumer<Notes> =
            created.map_err(Fault::of("the Kafka consumer cannot be made"))?;
        inner.set_nonempty_callback(wake);
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        inner.subscribe(&names).map_err(Fault::of("the group cannot be joined"))?;
        Ok(Self { inner, topics })
    }

    /// Takes what is there; `Nothing` means that there was nothing for a moment.
    ///
    /// A poll that brings nothing may have dealt with an event inside, and others may wait behind
    /// it: librdkafka calls `wake` for the first of them only. So silence is believed when a poll
    /// has waited in vain.
    pub(crate) fn poll(&self, arena: &mut Arena) -> Polled {
        if let Some(found) = self.inner.poll(Duration::ZERO) {
            return self.polled(found, arena);
        }
        loop {
            let begun = Instant::now();
            match self.inner.poll(MOMENT) {
                Some(found) => return self.polled(found, arena),
                None if begun.elapsed() >= MOMENT => return Polled::Nothing,
                None => {}
            }
        }
    }

    fn polled(&self, found: Result<BorrowedMessage<'_>, KafkaError>, arena: &mut Arena) -> Polled {
        match found {
            Err(error) => Polled::Failed(Fault::of("the Kafka consumer met an error")(error)),
            Ok(message) => {
                let name = message.topic();
                let topic = self.topics.iter().position(|topic| topic == name);
                let partition = u32::try_from(message.partition()).ok();
                match (topic, partition) {
                    (Some(topic), Some(partition)) => {
                        Polled::Record { topic, partition, raw: arena.copy(&message) }
                    }
                    _ => Polled::Nothing,
                }
            }
        }
    }

    /// What the group has asked for since the last time.
    pub(crate) fn rebalances(&self) -> Vec<Rebalance> {
        std::mem::take(&mut *self.inner.context().rebalances.lock())
    }

    /// Takes partitions without reading from them yet: [`GroupConsumer::begin`] moves them first.
    ///
    /// Each comes with its newest position, which is the one place where nothing can go wrong in
    /// between. From a place that is gone a fetch would stop the partition for good; and a question
    /// for a logical place (the end) that is still open when the partition is moved is asked again
    /// by librdkafka, and its answer undoes the move. A partition that was paused when it went is
    /// still paused when it comes back.
    pub(crate) fn take(&self, partitions: &[(TopicPartition, u64)]) -> Result<(), Fault> {
        let list = list(partitions.iter().map(|(place, last)| (place, *last)));
        // Before, so that nothing is fetched in between; it may not be known to librdkafka yet.
        let _ = self.inner.pause(&list);
        self.inner.incremental_assign(&list).map_err(Fault::of("partitions were not taken"))?;
        self.inner.pause(&list).map_err(Fault::of("partitions were not paused"))
    }

    /// Answers for partitions that will not be read.
    pub(crate) fn refuse(&self, partitions: Vec<TopicPartition>) -> Result<(), Fault> {
        let nowhere: Vec<_> = partitions.into_iter().map(|place| (place, 0)).collect();
        self.take(&nowhere)
    }

    /// Lets partitions go.
    pub(crate) fn let_go(&self, partitions: &[TopicPartition]) -> Result<(), Fault> {
        let list = list(partitions.iter().map(|place| (place, 0)));
        self.inner.incremental_unassign(&list).map_err(Fault::of("partitions were not let go"))
    }

    /// Reads on after these positions.
    pub(crate) fn begin(&self, places: &[(TopicPartition, u64)]) -> Result<(), Fault> {
        let all = list(places.iter().map(|(place, after)| (place, *after)));
        let what = "partitions were not moved to where they begin";
        let moved = self.inner.seek_partitions(all, ASK).map_err(Fault::of(what))?;
        for element in moved.elements() {
            element.error().map_err(Fault::of(what))?;
        }
        self.resume(places.iter().map(|(place, _)| place))
    }

    pub(crate) fn pause(&self, partitions: &[TopicPartition]) -> Result<(), Fault> {
        let list = list(partitions.iter().map(|place| (place, 0)));
        self.inner.pause(&list).map_err(Fault::of("partitions were not paused"))
    }

    pub(crate) fn resume<'a>(
        &self,
        partitions: impl Iterator<Item = &'a TopicPartition>,
    ) -> Result<(), Fault> {
        let list = list(partitions.map(|place| (place, 0)));
        self.inner.resume(&list).map_err(Fault::of("partitions were not resumed"))
    }

    /// Commits the last positions that are done, with notes. Waits for Kafka's answer if `now`.
    pub(crate) fn commit(
        &self,
        places: &[(TopicPartition, u64, String)],
        now: bool,
    ) -> Result<(), Fault> {
        commit(&self.inner, places, if now { CommitMode::Sync } else { CommitMode::Async })
    }

    /// Whether a commit has failed since the last time that this was asked.
    pub(crate) fn has_failed_to_commit(&self) -> bool {
        self.inner.context().uncommitted.swap(false, Ordering::AcqRel)
    }

    /// What the group has committed in these partitions, in their order. Blocks.
    pub(crate) fn committed(&self, partitions: &[TopicPartition]) -> Result<Vec<Committed>, Fault> {
        committed(&self.inner, partitions)
    }

    /// The oldest position kept and the newest one. Blocks.
    pub(crate) fn bounds(&self, (topic, partition): &TopicPartition) -> Result<(u64, u64), Fault> {
        let (low, high) = self
            .inner
            .fetch_watermarks(topic, signed(*partition), ASK)
            .map_err(Fault::of("the bounds of a partition are not known"))?;
        Ok((unsigned(low) + 1, unsigned(high)))
    }

    /// Leaves the group. Blocks until that is done.
    pub(crate) fn close(self) {
        self.inner.context().closing.store(true, Ordering::Release);
        // What waits for its answer would keep it from closing.
        for rebalance in self.rebalances() {
            let _ = match rebalance {
                Rebalance::Assign(partitions) => self.refuse(partitions),
                Rebalance::Revoke { partitions, .. } => self.let_go(&partitions),
            };
        }
        drop(self.inner);
    }
}

pub(super) fn commit<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    places: &[(TopicPartition, u64, String)],
    mode: CommitMode,
) -> Result<(), Fault> {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for ((topic, partition), position, note) in places {
        let mut element = list.add_partition(topic, signed(*partition));
        // The next offset to read is the number of the last position that is done.
        let offset = Offset::Offset(i64::try_from(*position).unwrap_or(i64::MAX));
        element.set_offset(offset).map_err(Fault::of("a position is no offset"))?;
        if !note.is_empty() {
            element.set_metadata(note);
        }
    }
    consumer.commit(&list, mode).map_err(Fault::of("the progress was not committed"))
}

pub(super) fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &[TopicPartition],
) -> Result<Vec<Committed>, Fault> {
    let mut wanted = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        wanted.add_partition(topic, signed(*partition));
    }
    let what = "the committed progress is not known";
    let found = consumer.committed_offsets(wanted, ASK).map_err(Fault::of(what))?;
    let mut answers = vec![Committed::default(); partitions.len()];
    for element in found.elements() {
        element.error().map_err(Fault::of(what))?;
        let at = |(topic, partition): &TopicPartition| {
            topic == element.topic() && signed(*partition) == element.partition()
        };
        let index = partitions.iter().position(at);
        if let (Offset::Offset(offset), Some(index)) = (element.offset(), index) {
            // Whoever else commits may note what it likes, even what is no text.
            let note = std::panic::catch_unwind(|| element.metadata().to_owned());
            answers[index] =
                Committed { position: Some(unsigned(offset)), note: note.unwrap_or_default() };
        }
    }
    Ok(answers)
}

fn list<'a>(places: impl Iterator<Item = (&'a TopicPartition, u64)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), after) in places {
        let offset = Offset::Offset(i64::try_from(after).unwrap_or(i64::MAX));
        let mut element = list.add_partition(topic, signed(*partition));
        // Only an offset below zero is refused.
        let _ = element.set_offset(offset);
    }
    list
}

fn signed(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

// === impl Notes ===

impl ClientContext for Notes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        trace(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the Kafka consumer met an error");
    }
}

impl ConsumerContext for Notes {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Acquire) {
            // Whatever is still held goes now; nobody will answer later.
            let _ = consumer.incremental_unassign(list);
            return;
        }
        let place = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            Some((element.topic().to_owned(), u32::try_from(element.partition()).ok()?))
        };
        let partitions = list.elements().iter().filter_map(place).collect();
        let rebalance = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            _ => Rebalance::Revoke { partitions, lost: consumer.assignment_lost() },
        };
        self.rebalances.lock().push(rebalance);
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "progress was not committed");
            self.uncommitted.store(true, Ordering::Release);
        }
    }
}

impl std::fmt::Debug for Notes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notes").finish_non_exhaustive()
    }
}

/// Whether polling again may help.
pub(crate) fn passes(fault: &Fault) -> bool {
    !matches!(fault.kind, Kind::Fatal | Kind::OutOfRange | Kind::Unknown)
}
