//! Questions and orders for the cluster: topics, their settings, groups. Everything here blocks or awaits; nothing is cached.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic as KafkaTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, CommitMode};
use rdkafka::error::KafkaError;

use super::member::{Committed, commit, committed};
use super::{Fault, Kind, Quiet, TopicPartition, config, settled};
use crate::Options;

/// Asks and orders.
pub(crate) struct Control {
    admin: AdminClient<Quiet>,
}

/// A topic to be created.
#[derive(Debug)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) replication: u16,
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// The settings of a topic that were asked for.
pub(crate) type Settings = BTreeMap<String, String>;

/// A member and what it holds.
#[derive(Debug, Default)]
pub(crate) struct Holder {
    pub(crate) partitions: Vec<TopicPartition>,
}

const ASK: Duration = Duration::from_secs(10);

// === impl Control ===

impl Control {
    pub(crate) fn new(options: &Options) -> Result<Self, Fault> {
        let admin = config::control(options)
            .create_with_context(Quiet)
            .map_err(Fault::of("the Kafka client cannot be made"))?;
        Ok(Self { admin })
    }

    /// How many brokers there are. Blocks.
    pub(crate) fn brokers(&self) -> Result<usize, Fault> {
        let metadata = self.admin.inner().fetch_metadata(None, ASK);
        Ok(metadata.map_err(Fault::of("the cluster does not answer"))?.brokers().len())
    }

    /// All topics with their partitions; those without a leader are left out. Blocks.
    pub(crate) fn topics(&self) -> Result<Vec<(String, u32)>, Fault> {
        let metadata = self.admin.inner().fetch_metadata(None, ASK);
        let metadata = metadata.map_err(Fault::of("the topics are not known"))?;
        let usable = metadata.topics().iter().filter(|topic| topic.error().is_none());
        Ok(usable.filter_map(|topic| Some((topic.name().to_owned(), led(topic)?))).collect())
    }

    /// The partitions of a topic; `None` when there is none of this name. Blocks.
    pub(crate) fn partitions(&self, topic: &str) -> Result<Option<u32>, Fault> {
        let metadata = self.admin.inner().fetch_metadata(Some(topic), ASK);
        let metadata = match metadata.map_err(Fault::of("the topic is not known")) {
            Err(fault) if fault.kind == Kind::Unknown => return Ok(None),
            answer => answer?,
        };
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found {
            Some(found) => match found.error() {
                None => Ok(led(found)),
                Some(code) => {
                    let error = KafkaError::MetadataFetch(code.into());
                    let fault = Fault::of("the topic is not known")(error);
                    if fault.kind == Kind::Unknown { Ok(None) } else { Err(fault) }
                }
            },
            None => Ok(None),
        }
    }

    /// Creates topics; what exists meanwhile is not an error here.
    pub(crate) async fn create(&self, topics: &[NewTopic]) -> Result<(), Fault> {
        let wanted: Vec<KafkaTopic<'_>> = topics.iter().map(kafka_topic).collect();
        let patience = AdminOptions::new().operation_timeout(Some(ASK));
        let what = "the topic was not created";
        let answers =
            self.admin.create_topics(&wanted, &patience).await.map_err(Fault::of(what))?;
        for answer in answers {
            if let Err((topic, code)) = answer {
                let fault = Fault::of(what)(KafkaError::AdminOp(code));
                if fault.kind != Kind::Exists {
                    tracing::warn!(topic, error = %code, "a topic was not created");
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    /// Deletes topics, for tests and tools.
    pub(crate) async fn delete(&self, topics: &[&str]) -> Result<(), Fault> {
        let what = "the topic was not deleted";
        let patience = AdminOptions::new().operation_timeout(Some(ASK));
        let answers = self.admin.delete_topics(topics, &patience).await.map_err(Fault::of(what))?;
        answers.into_iter().try_for_each(|answer| match answer {
            Ok(_) => Ok(()),
            Err((_, code)) => Err(Fault::of(what)(KafkaError::AdminOp(code))),
        })
    }

    /// The settings of topics, in their order; `None` where Kafka does not tell.
    pub(crate) async fn settings(&self, topics: &[&str]) -> Result<Vec<Option<Settings>>, Fault> {
        let wanted: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let patience = AdminOptions::new().request_timeout(Some(ASK));
        let answers = self.admin.describe_configs(&wanted, &patience).await;
        let answers = answers.map_err(Fault::of("the topics' settings are not known"))?;
        let settings = |resource: rdkafka::admin::ConfigResource| {
            let entries = resource.entries.into_iter();
            entries.filter_map(|entry| Some((entry.name, entry.value?))).collect()
        };
        Ok(answers.into_iter().map(|answer| answer.ok().map(settings)).collect())
    }

    /// The oldest position kept and the newest one. Blocks.
    pub(crate) fn bounds(&self, topic: &str, partition: u32) -> Result<(u64, u64), Fault> {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let (low, high) = settled(|| {
            let bounds = self.admin.inner().fetch_watermarks(topic, number, ASK);
            bounds.map_err(Fault::of("the bounds of a partition are not known"))
        })?;
        Ok((u64::try_from(low).unwrap_or(0) + 1, u64::try_from(high).unwrap_or(0)))
    }

    /// The names of all groups of consumers. Blocks.
    pub(crate) fn groups(&self) -> Result<Vec<String>, Fault> {
        let list = self.admin.inner().fetch_group_list(None, ASK);
        let list = list.map_err(Fault::of("the groups are not known"))?;
        let consumers = list.groups().iter().filter(|group| {
            // A group that only ever committed has no protocol.
            matches!(group.protocol_type(), "consumer" | "")
        });
        Ok(consumers.map(|group| group.name().to_owned()).collect())
    }

    /// The members of a group. Blocks.
    pub(crate) fn members(&self, group: &str) -> Result<Vec<Holder>, Fault> {
        let list = self.admin.inner().fetch_group_list(Some(group), ASK);
        let list = list.map_err(Fault::of("the members of a group are not known"))?;
        let members = list.groups().iter().filter(|found| found.name() == group);
        let holder = |member: &rdkafka::groups::GroupMemberInfo| Holder {
            partitions: member.assignment().map(assignment).unwrap_or_default(),
        };
        Ok(members.flat_map(|group| group.members().iter().map(holder)).collect())
    }

    /// What a group has committed, in the order of the partitions. Blocks.
    pub(crate) fn committed(
        options: &Options,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Committed>, Fault> {
        committed(&observer(options, group)?, partitions)
    }

    /// Moves a group that has no members. Blocks.
    pub(crate) fn move_group(
        options: &Options,
        group: &str,
        place: TopicPartition,
        position: u64,
    ) -> Result<(), Fault> {
        let places = [(place, position, String::new())];
        commit(&observer(options, group)?, &places, CommitMode::Sync)
    }
}

fn observer(options: &Options, group: &str) -> Result<BaseConsumer<Quiet>, Fault> {
    config::observer(options, group)
        .create_with_context(Quiet)
        .map_err(Fault::of("the Kafka client cannot be made"))
}

/// The number of partitions, once each of them has a leader.
fn led(topic: &rdkafka::metadata::MetadataTopic) -> Option<u32> {
    let partitions = topic.partitions();
    let all = !partitions.is_empty() && partitions.iter().all(|partition| partition.leader() >= 0);
    all.then(|| u32::try_from(partitions.len()).unwrap_or(u32::MAX))
}

fn kafka_topic(topic: &NewTopic) -> KafkaTopic<'_> {
    let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
    let copies = TopicReplication::Fixed(i32::from(topic.replication.min(32_767).cast_signed()));
    let settings = topic.settings.iter();
    settings.fold(KafkaTopic::new(&topic.name, partitions, copies), |topic, (name, value)| {
        topic.set(name, value)
    })
}

/// A member's assignment as the classic protocol of consumers writes it: a version, then topics
/// with their partitions. Whatever is cut short is left out.
fn assignment(bytes: &[u8]) -> Vec<TopicPartition> {
    fn number<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
        let (number, rest) = bytes.split_first_chunk::<N>()?;
        *bytes = rest;
        Some(*number)
    }
    let mut rest = bytes;
    let mut read = || {
        number::<2>(&mut rest)?;
        let topics = i32::from_be_bytes(number(&mut rest)?);
        let mut held = Vec::new();
        for _ in 0..topics {
            let length = usize::try_from(i16::from_be_bytes(number(&mut rest)?)).ok()?;
            let (name, after) = rest.split_at_checked(length)?;
            rest = after;
            let name = String::from_utf8_lossy(name);
            for _ in 0..i32::from_be_bytes(number(&mut rest)?) {
                let partition = u32::try_from(i32::from_be_bytes(number(&mut rest)?)).ok()?;
                held.push((name.to_string(), partition));
            }
        }
        Some(held)
    };
    read().unwrap_or_default()
}

impl rdkafka::consumer::ConsumerContext for Quiet {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_and_damage_is_no_panic() {
        let mut bytes =
            vec![0, 1, 0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7];
        bytes.extend([255, 255, 255, 255]);
        assert_eq!(assignment(&bytes), [("ab".to_owned(), 0), ("ab".to_owned(), 7)]);
        for cut in 0..22 {
            assert!(assignment(&bytes[..cut]).is_empty(), "{cut}");
        }
    }
}
