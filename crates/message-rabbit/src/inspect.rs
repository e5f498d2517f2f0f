//! What operators ask, as far as AMQP can say it.
//!
//! The protocol tells how many messages of a queue are ready and how many consumers it has, nothing
//! else. What this process holds unsettled is added; what other processes hold is not seen here, so
//! a group's lag is a lower bound by up to their prefetch.

use async_trait::async_trait;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use switchboard_core::{BoxError, Name, Position};
use switchboard_message::{GroupLag, Inspect, PartitionInfo, Published, Stored, TopicInfo};

use crate::broker::PATIENCE;
use crate::error::Meaning;
use crate::link::Link;
use crate::{RabbitBroker, names};

/// Messages ready and consumers registered; `None` when there is no such queue.
pub(crate) async fn counts(link: &Link, queue: &str) -> Result<Option<(u32, u32)>, BoxError> {
    let channel = link.channel_within(PATIENCE).await?;
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let seen = channel.queue_declare(names::short(queue), passive, FieldTable::default()).await;
    match seen {
        Ok(seen) => {
            let _gone = channel.close(200, names::short("seen")).await;
            Ok(Some((seen.message_count(), seen.consumer_count())))
        }
        Err(error) if Meaning::of(&error) == Meaning::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl Inspect for RabbitBroker {
    /// The topics that this process declared or met. An exchange keeps nothing, so their partitions
    /// are empty.
    async fn topics(&self) -> Result<Vec<TopicInfo>, BoxError> {
        let empty = PartitionInfo { first: Position(1), last: Position(0), bytes: 0 };
        let topics = self.topics().all().into_iter().map(|topic| TopicInfo {
            name: topic.name.clone(),
            partitions: (0..topic.partitions).map(|_| empty.clone()).collect(),
        });
        Ok(topics.collect())
    }

    /// The groups that this process declared or is a member of. Positions are those that this
    /// process gave; `oldest` is known for what it holds.
    async fn groups(&self) -> Result<Vec<GroupLag>, BoxError> {
        let mut rows = Vec::new();
        for topic in self.topics().all() {
            let groups: Vec<Name> = topic.groups.read().iter().cloned().collect();
            for group in groups {
                for partition in 0..topic.partitions {
                    let queue = names::queue(&group, &topic.name, partition);
                    let Some((ready, consumers)) = counts(self.link(), &queue).await? else {
                        continue;
                    };
                    let place = (topic.name.clone(), partition);
                    let sight = self.groups().sight(&group, &place).unwrap_or_default();
                    rows.push(GroupLag {
                        group: group.clone(),
                        topic: topic.name.clone(),
                        partition,
                        position: sight.position,
                        lag: u64::from(ready) + sight.unsettled,
                        oldest: sight.oldest,
                        members: consumers.min(1),
                    });
                }
            }
        }
        Ok(rows)
    }

    async fn read(
        &self,
        topic: &str,
        partition: u32,
        _after: Position,
        _limit: usize,
    ) -> Result<Vec<Stored>, BoxError> {
        Err(format!(
            "{topic}/{partition} cannot be read: RabbitMQ keeps no history, only what each group \
             has not settled; use the embedded broker or Kafka to look into topics"
        )
        .into())
    }

    /// Nobody, always: RabbitMQ does not know who has published what, so that a store which was put
    /// back to an older copy is not noticed through it. Begin a new incarnation by hand then.
    async fn published_by(&self, _source: &str) -> Result<Vec<Published>, BoxError> {
        Ok(Vec::new())
    }

    async fn seek(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        _position: Position,
    ) -> Result<(), BoxError> {
        Err(format!(
            "group `{group}` cannot be moved on {topic}/{partition}: RabbitMQ has no positions; \
             what was settled is gone"
        )
        .into())
    }
}
