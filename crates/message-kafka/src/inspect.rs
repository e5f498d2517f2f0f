//! What operators ask: topics, lags, records, who published, dead letters; and the orders that move a group.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use switchboard_core::{BoxError, Envelope, Key, Name, Position, Slot, Timestamp};
use switchboard_message::{
    GroupLag, Inspect, PartitionInfo, Published, Stored, TopicInfo, Undecodable,
};

use crate::broker::{Inner, KafkaBroker};
use crate::client::{Committed, Control, Fault, Holder, Raw, Reader, Span, TopicPartition};
use crate::dead_letters::{self, DeadLetter, Dialect};
use crate::topics::{DEAD, Known};
use crate::{blocking, record};

/// How large the records of a partition are, as far as they were looked at, and when that was.
pub(crate) type Sizes = Mutex<HashMap<(Name, u32), (Instant, u64)>>;

/// A dead letter with the record that it is about.
#[derive(Debug)]
pub struct Buried {
    /// Its place among the dead letters.
    pub position: Position,
    /// Who wrote it; `None` when its headers are in no dialect.
    pub letter: Option<(Dialect, DeadLetter)>,
    /// The record as it was, with the headers of the dead letter among its own.
    pub message: Result<Envelope, Undecodable>,
}

/// Records of each partition that tell how large all of them are.
const SAMPLE: usize = 8;
/// How long that is believed.
const SAMPLED_FOR: Duration = Duration::from_secs(60);
/// How long to wait for members of this process that commit, or leave.
const MEMBERS: Duration = Duration::from_secs(10);

// === impl KafkaBroker ===

impl KafkaBroker {
    /// For each partition, the position after which the records since `time` lie: what
    /// [`Inspect::read`] reads from, and [`Inspect::seek`] moves a group to.
    ///
    /// # Errors
    /// When there is no such topic, or Kafka does not answer.
    pub async fn positions_at(
        &self,
        topic: &str,
        time: Timestamp,
    ) -> Result<Vec<Position>, BoxError> {
        let known = self.inner.known(topic).await?;
        let (options, control) = (self.inner.options.clone(), Arc::clone(&self.inner.control));
        blocking(move || {
            let millis = time.as_millis();
            let found = Reader::since(&options, &known.place, known.partitions, millis)?;
            let position = |(partition, found): (u32, Option<u64>)| match found {
                Some(position) => Ok(Position(position)),
                // Nothing is that new: everything that will come is.
                None => Ok(Position(control.bounds(&known.place, partition)?.1)),
            };
            (0..).zip(found).map(position).collect::<Result<_, Fault>>()
        })
        .await
    }

    /// Dead letters of a topic, in whatever dialect, after a position and oldest first. Empty when
    /// there are none.
    ///
    /// # Errors
    /// When Kafka does not answer, or the topic of the dead letters has no such partition.
    pub async fn dead_letters(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Buried>, BoxError> {
        let dead = Name::from(format!("{topic}{DEAD}"));
        let Some(known) = self.inner.topics.find(&dead).await? else { return Ok(Vec::new()) };
        let found = self.inner.read(&known, partition, after, limit).await?;
        let buried = |raw: Raw| Buried {
            position: Position(raw.position),
            letter: dead_letters::read(raw.headers()),
            message: record::envelope(&raw, &dead, &known.place, partition),
        };
        Ok(found.into_iter().map(buried).collect())
    }
}

#[async_trait]
impl Inspect for KafkaBroker {
    /// The bytes of a partition are an estimate: the newest records are looked at, at most once a
    /// minute, and taken for all of them. Kafka tells the true number only to its own tools.
    async fn topics(&self) -> Result<Vec<TopicInfo>, BoxError> {
        let mut topics = Vec::new();
        for (name, count) in self.inner.topics.all().await? {
            let place = self.inner.topics.place(&name);
            let (control, asked) = (Arc::clone(&self.inner.control), place.clone());
            let bounds: Vec<(u64, u64)> = blocking(move || {
                (0..count)
                    .map(|partition| control.bounds(&asked, partition))
                    .collect::<Result<_, _>>()
            })
            .await?;
            let sizes = self.inner.sizes(&name, &place, &bounds).await?;
            let partition = |((first, last), size): (&(u64, u64), u64)| PartitionInfo {
                first: Position(*first),
                last: Position(*last),
                bytes: (last + 1).saturating_sub(*first) * size,
            };
            let partitions = bounds.iter().zip(sizes).map(partition).collect();
            topics.push(TopicInfo { name, partitions });
        }
        Ok(topics)
    }

    /// Members of this process commit first, so that their part of the answer is exact; others may
    /// be ahead of what they have committed. A partition shows once something was committed for it,
    /// or somebody holds it.
    async fn groups(&self) -> Result<Vec<GroupLag>, BoxError> {
        let inner = &self.inner;
        inner.catch_up(None).await;
        let topics = inner.topics.all().await?;
        let (control, prefix) = (Arc::clone(&inner.control), inner.options.prefix.clone());
        let groups = blocking(move || control.groups()).await?;
        let mut rows = Vec::new();
        for place in groups.iter().filter(|group| group.starts_with(&prefix)) {
            let name = Name::from(&place[prefix.len()..]);
            rows.extend(inner.lags(&name, place, &topics).await?);
        }
        inner.add_oldest(&mut rows).await?;
        rows.sort_by(|a, b| {
            (&a.group, &a.topic, a.partition).cmp(&(&b.group, &b.topic, b.partition))
        });
        Ok(rows)
    }

    async fn read(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Stored>, BoxError> {
        let known = self.inner.known(topic).await?;
        let found = self.inner.read(&known, partition, after, limit).await?;
        let name = Name::from(topic);
        let stored = |raw: Raw| Stored {
            position: Position(raw.position),
            message: record::envelope(&raw, &name, &known.place, partition)
                .map_err(|undecodable| undecodable.error),
        };
        Ok(found.into_iter().map(stored).collect())
    }

    /// Looks at the newest records of each partition ([`Options::tail`](crate::Options::tail), 256
    /// if nothing else is set), because Kafka keeps no such table. A store whose newest messages
    /// are all older than that is not recognised as put back.
    async fn published_by(&self, source: &str) -> Result<Vec<Published>, BoxError> {
        let inner = &self.inner;
        let mut newest: BTreeMap<(Name, u32, Slot), u64> = BTreeMap::new();
        for (name, count) in inner.topics.all().await? {
            if name.ends_with(DEAD) {
                continue;
            }
            let place = inner.topics.place(&name);
            for raw in inner.tails(&place, count).await?.into_iter().flatten() {
                let Ok(envelope) = record::envelope(&raw, &name, &place, 0) else { continue };
                let Some(identity) = envelope.identity.filter(|of| of.source == *source) else {
                    continue;
                };
                let of = (name.clone(), identity.incarnation, identity.slot);
                let sequence = newest.entry(of).or_default();
                *sequence = identity.sequence.max(*sequence);
            }
        }
        let row = |((topic, incarnation, slot), sequence)| Published {
            incarnation,
            topic,
            slot,
            sequence,
        };
        Ok(newest.into_iter().map(row).collect())
    }

    /// Moves a group that has no members, or whose member in this process holds the partition. A
    /// group with members elsewhere is refused: they would commit over it.
    async fn seek(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        position: Position,
    ) -> Result<(), BoxError> {
        let inner = &self.inner;
        let known = inner.known(topic).await?;
        let (first, last) = inner.bounds(&known, partition).await?;
        if position.0 > last || position.0 + 1 < first {
            let text = format!("{topic}/{partition} keeps {first} to {last}, not {position}");
            return Err(text.into());
        }
        inner.catch_up(Some(group)).await;
        let members = inner.members.of(group);
        if members.iter().any(|member| member.keeps_progress()) {
            return Err("the group keeps its progress in its own store: move it there".into());
        }
        if let Some(member) = members.iter().find(|member| member.holds(topic, partition)) {
            return member.move_to(topic, partition, position.0).await;
        }
        let place = inner.topics.place(group);
        let (control, options) = (Arc::clone(&inner.control), inner.options.clone());
        let group = group.to_owned();
        blocking(move || {
            if !control.members(&place)?.is_empty() {
                let text = format!("the group `{group}` has members: stop them first");
                return Err(text.into());
            }
            let places: Vec<TopicPartition> =
                (0..known.partitions).map(|number| (known.place.to_string(), number)).collect();
            let committed = Control::committed(&options, &place, &places)?;
            if committed.iter().all(|found| found.position.is_none()) {
                return Err(format!("there is no group `{group}` that reads this topic").into());
            }
            let at = (known.place.to_string(), partition);
            Ok::<_, BoxError>(Control::move_group(&options, &place, at, position.0)?)
        })
        .await
    }
}

// === impl Inner ===

impl Inner {
    async fn known(&self, topic: &str) -> Result<Arc<Known>, BoxError> {
        let found = self.topics.find(&topic.into()).await?;
        found.ok_or_else(|| format!("there is no topic `{topic}`").into())
    }

    async fn bounds(&self, known: &Arc<Known>, partition: u32) -> Result<(u64, u64), BoxError> {
        if partition >= known.partitions {
            return Err(format!("there is no partition {}/{partition}", known.place).into());
        }
        let (control, place) = (Arc::clone(&self.control), Arc::clone(&known.place));
        blocking(move || control.bounds(&place, partition)).await
    }

    async fn read(
        &self,
        known: &Arc<Known>,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Raw>, BoxError> {
        let (first, until) = self.bounds(known, partition).await?;
        let after = after.0.max(first - 1);
        let spans = vec![Span { partition, after, until, limit }];
        Ok(self.spans(&known.place, spans).await?.pop().unwrap_or_default())
    }

    async fn spans(&self, place: &str, spans: Vec<Span>) -> Result<Vec<Vec<Raw>>, BoxError> {
        let (reader, options) = (Arc::clone(&self.reader), self.options.clone());
        let place = place.to_owned();
        blocking(move || reader.read(&options, &place, &spans)).await
    }

    /// The newest records of each partition.
    async fn tails(&self, place: &str, partitions: u32) -> Result<Vec<Vec<Raw>>, BoxError> {
        let (control, asked) = (Arc::clone(&self.control), place.to_owned());
        let tail = u64::from(self.options.tail);
        let spans = blocking(move || {
            let span = |partition| {
                let (first, until) = control.bounds(&asked, partition)?;
                let after = until.saturating_sub(tail).max(first - 1);
                Ok(Span { partition, after, until, limit: usize::MAX })
            };
            (0..partitions).map(span).collect::<Result<Vec<_>, Fault>>()
        })
        .await?;
        self.spans(place, spans).await
    }

    /// How large the records of each partition are on average, as far as is known.
    async fn sizes(
        &self,
        name: &Name,
        place: &str,
        bounds: &[(u64, u64)],
    ) -> Result<Vec<u64>, BoxError> {
        let now = Instant::now();
        let fresh = |partition: u32| {
            let sizes = self.sizes.lock();
            let (at, size) = sizes.get(&(name.clone(), partition))?;
            (now.duration_since(*at) < SAMPLED_FOR).then_some(*size)
        };
        let mut spans = Vec::new();
        for (partition, (first, until)) in (0..).zip(bounds) {
            if first <= until && fresh(partition).is_none() {
                let after = until.saturating_sub(SAMPLE as u64).max(first - 1);
                spans.push(Span { partition, after, until: *until, limit: SAMPLE });
            }
        }
        let samples = self.spans(place, spans.clone()).await?;
        let mut sizes = self.sizes.lock();
        for (span, sample) in spans.iter().zip(samples) {
            let bytes: usize = sample.iter().map(Raw::bytes).sum();
            let mean = (bytes / sample.len().max(1)).max(1) as u64;
            sizes.insert((name.clone(), span.partition), (now, mean));
        }
        let known = |partition| sizes.get(&(name.clone(), partition)).map_or(0, |(_, size)| *size);
        Ok((0..).zip(bounds).map(|(partition, _)| known(partition)).collect())
    }

    /// Waits for members of this process that leave, and lets the others commit.
    async fn catch_up(&self, group: Option<&str>) {
        let all = async {
            self.members.left(group).await;
            let members = match group {
                Some(group) => self.members.of(group),
                None => self.members.all(),
            };
            for member in members {
                member.flush().await;
            }
        };
        let _in_time_or_not = tokio::time::timeout(MEMBERS, all).await;
    }

    /// A group's rows, without the time of their oldest records.
    async fn lags(
        &self,
        group: &Name,
        place: &str,
        topics: &[(Name, u32)],
    ) -> Result<Vec<GroupLag>, BoxError> {
        let mut places: Vec<(Name, TopicPartition)> = Vec::new();
        for (name, count) in topics {
            let topic = self.topics.place(name);
            places.extend((0..*count).map(|number| (name.clone(), (topic.clone(), number))));
        }
        let (control, options) = (Arc::clone(&self.control), self.options.clone());
        let (group, place) = (group.clone(), place.to_owned());
        blocking(move || {
            let wanted: Vec<_> = places.iter().map(|(_, place)| place.clone()).collect();
            let committed = Control::committed(&options, &place, &wanted)?;
            let members = control.members(&place)?;
            let held: HashSet<TopicPartition> =
                members.into_iter().flat_map(|Holder { partitions }| partitions).collect();
            let mut rows = Vec::new();
            for ((topic, place), Committed { position, .. }) in places.into_iter().zip(committed) {
                let is_held = held.contains(&place);
                if position.is_none() && !is_held {
                    continue;
                }
                let (first, last) = control.bounds(&place.0, place.1)?;
                let position = position.unwrap_or(first - 1);
                rows.push(GroupLag {
                    group: group.clone(),
                    topic,
                    partition: place.1,
                    position: Position(position),
                    lag: last.saturating_sub(position.max(first - 1)),
                    oldest: None,
                    members: u32::from(is_held),
                });
            }
            Ok::<_, Fault>(rows)
        })
        .await
    }

    /// When the oldest record was published that each group has not done.
    async fn add_oldest(&self, rows: &mut [GroupLag]) -> Result<(), BoxError> {
        let mut by_topic: BTreeMap<Name, HashMap<(u32, u64), Option<Timestamp>>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.lag > 0) {
            let at = (row.partition, row.position.0);
            by_topic.entry(row.topic.clone()).or_default().insert(at, None);
        }
        for (topic, wanted) in &mut by_topic {
            let Some(known) = self.topics.find(topic).await? else { continue };
            let mut left: Vec<(u32, u64)> = wanted.keys().copied().collect();
            // A reader stands at one place of a partition at a time.
            while !left.is_empty() {
                let mut taken = HashSet::new();
                let (now, later): (Vec<_>, Vec<_>) =
                    left.into_iter().partition(|(partition, _)| taken.insert(*partition));
                left = later;
                let mut spans = Vec::with_capacity(now.len());
                for (partition, after) in &now {
                    let (first, until) = self.bounds(&known, *partition).await?;
                    let after = (*after).max(first - 1);
                    spans.push(Span { partition: *partition, after, until, limit: 1 });
                }
                for (at, found) in now.iter().zip(self.spans(&known.place, spans).await?) {
                    let time = |raw: &Raw| Timestamp::from_micros(raw.millis.saturating_mul(1_000));
                    wanted.insert(*at, found.first().map(time));
                }
            }
        }
        for row in rows.iter_mut().filter(|row| row.lag > 0) {
            let found =
                by_topic.get(&row.topic).and_then(|of| of.get(&(row.partition, row.position.0)));
            row.oldest = found.copied().flatten();
        }
        Ok(())
    }
}

/// So that a record's key can be shown beside what cannot be read.
impl Buried {
    /// The key of the record.
    pub fn key(&self) -> Option<&Key> {
        match &self.message {
            Ok(envelope) => envelope.key.as_ref(),
            Err(undecodable) => undecodable.key.as_ref(),
        }
    }
}
