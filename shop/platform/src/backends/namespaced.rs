//! Several shops on one broker: every topic and group gets a name in front, and nobody behind this seam knows.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use switchboard_core::{BoxError, Envelope, Name, Position};
use switchboard_message::{
    Ack, Assignment, Broker, Capabilities, ConsumeError, Consumer, GroupLag, GroupOf, Incoming,
    Inspect, Outcome, PublishError, Published, Receipt, Resume, Stored, SubscribeError,
    Subscription, TopicInfo, Topology, TopologyError,
};

/// The longest name, in bytes: what stands in front of a topic leaves room for it.
const LONGEST: usize = 30;

/// What stands in front of the names of topics, groups and schemas; empty for the only shop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Namespace(String);

/// A broker whose topics and groups have a name in front.
#[derive(Clone, Debug)]
pub struct Namespaced {
    broker: Arc<dyn Broker>,
    /// With a dot at its end.
    prefix: Arc<str>,
}

struct Member {
    consumer: Box<dyn Consumer>,
    names: Namespaced,
}

/// Progress is kept under the names that services know.
struct Resumes {
    resume: Arc<dyn Resume>,
    names: Namespaced,
}

// === impl Namespace ===

impl Namespace {
    /// What it says.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The schema of a service.
    pub fn schema(&self, service: &str) -> String {
        if self.0.is_empty() { service.to_owned() } else { format!("{}_{service}", self.0) }
    }

    /// The broker as services in this namespace see it.
    pub fn within(&self, broker: Arc<dyn Broker>) -> Arc<dyn Broker> {
        if self.0.is_empty() {
            return broker;
        }
        Arc::new(Namespaced { broker, prefix: self.prefix().into() })
    }

    /// What stands in front of topics and groups.
    pub fn prefix(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("{}.", self.0) }
    }
}

impl FromStr for Namespace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let is_inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins = text.chars().next().is_none_or(|c| c.is_ascii_lowercase());
        if begins && text.len() <= LONGEST && text.chars().all(is_inside) {
            Ok(Self(text.to_owned()))
        } else {
            Err("use up to 30 of a-z, 0-9 and _, a letter first")
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Namespaced ===

impl Namespaced {
    fn outside(&self, name: &str) -> Name {
        Name::from(format!("{}{name}", self.prefix))
    }

    /// The name without what stands in front; as it is when it is not one of ours.
    fn inside(&self, name: &Name) -> Name {
        name.strip_prefix(&*self.prefix).map_or_else(|| name.clone(), Name::from)
    }

    fn is_ours(&self, name: &Name) -> bool {
        name.starts_with(&*self.prefix)
    }

    fn assignment(&self, mut assignment: Assignment) -> Assignment {
        assignment.topic = self.inside(&assignment.topic);
        assignment
    }

    fn incoming(&self, incoming: Incoming) -> Incoming {
        let assignments =
            |all: Vec<Assignment>| all.into_iter().map(|one| self.assignment(one)).collect();
        match incoming {
            Incoming::Assigned(all) => Incoming::Assigned(assignments(all)),
            Incoming::Revoked(all) => Incoming::Revoked(assignments(all)),
            Incoming::Deliveries(mut all) => {
                for delivery in &mut all {
                    delivery.receipt.topic = self.inside(&delivery.receipt.topic);
                    if let Ok(envelope) = &mut delivery.message {
                        envelope.topic = self.inside(&envelope.topic);
                    }
                }
                Incoming::Deliveries(all)
            }
        }
    }

    fn publish_error(&self, error: PublishError) -> PublishError {
        match error {
            PublishError::UnknownTopic(topic) => PublishError::UnknownTopic(self.inside(&topic)),
            error => error,
        }
    }

    fn inspected(&self) -> Result<&dyn Inspect, BoxError> {
        self.broker.inspect().ok_or_else(|| "the broker cannot be asked".into())
    }
}

#[async_trait]
impl Broker for Namespaced {
    fn capabilities(&self) -> Capabilities {
        self.broker.capabilities()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        let mut outside = topology.clone();
        for topic in &mut outside.topics {
            topic.name = self.outside(&topic.name);
        }
        for GroupOf { group, topics, .. } in &mut outside.groups {
            *group = self.outside(group);
            topics.iter_mut().for_each(|topic| *topic = self.outside(topic));
        }
        self.broker.declare(&outside).await
    }

    async fn publish(&self, mut batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        for envelope in &mut batch {
            envelope.topic = self.outside(&envelope.topic);
        }
        let answers = self.broker.publish(batch).await;
        answers.into_iter().map(|it| it.map_err(|error| self.publish_error(error))).collect()
    }

    async fn subscribe(
        &self,
        mut subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, SubscribeError> {
        subscription.group = self.outside(&subscription.group);
        subscription.topics.iter_mut().for_each(|topic| *topic = self.outside(topic));
        let names = self.clone();
        subscription.resume = subscription
            .resume
            .map(|resume| Arc::new(Resumes { resume, names: self.clone() }) as Arc<dyn Resume>);
        let consumer = self.broker.subscribe(subscription).await;
        let consumer = consumer.map_err(|error| match error {
            SubscribeError::UnknownTopic(topic) => {
                SubscribeError::UnknownTopic(self.inside(&topic))
            }
            error => error,
        })?;
        Ok(Box::new(Member { consumer, names }))
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.broker.inspect().map(|_| self as &dyn Inspect)
    }
}

#[async_trait]
impl Inspect for Namespaced {
    async fn topics(&self) -> Result<Vec<TopicInfo>, BoxError> {
        let mut topics = self.inspected()?.topics().await?;
        topics.retain(|topic| self.is_ours(&topic.name));
        topics.iter_mut().for_each(|topic| topic.name = self.inside(&topic.name));
        Ok(topics)
    }

    async fn groups(&self) -> Result<Vec<GroupLag>, BoxError> {
        let mut groups = self.inspected()?.groups().await?;
        groups.retain(|lag| self.is_ours(&lag.group));
        for lag in &mut groups {
            (lag.group, lag.topic) = (self.inside(&lag.group), self.inside(&lag.topic));
        }
        Ok(groups)
    }

    async fn read(
        &self,
        topic: &str,
        partition: u32,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Stored>, BoxError> {
        let topic = self.outside(topic);
        let mut records = self.inspected()?.read(&topic, partition, after, limit).await?;
        for envelope in records.iter_mut().filter_map(|record| record.message.as_mut().ok()) {
            envelope.topic = self.inside(&envelope.topic);
        }
        Ok(records)
    }

    async fn published_by(&self, source: &str) -> Result<Vec<Published>, BoxError> {
        let mut published = self.inspected()?.published_by(source).await?;
        published.retain(|seen| self.is_ours(&seen.topic));
        published.iter_mut().for_each(|seen| seen.topic = self.inside(&seen.topic));
        Ok(published)
    }

    async fn seek(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        position: Position,
    ) -> Result<(), BoxError> {
        let (group, topic) = (self.outside(group), self.outside(topic));
        self.inspected()?.seek(&group, &topic, partition, position).await
    }
}

// === impl Member ===

#[async_trait]
impl Consumer for Member {
    async fn next(&mut self) -> Result<Incoming, ConsumeError> {
        let incoming = self.consumer.next().await?;
        Ok(self.names.incoming(incoming))
    }

    fn settle(&mut self, receipt: &Receipt, outcome: Outcome) -> bool {
        let receipt = Receipt { topic: self.names.outside(&receipt.topic), ..receipt.clone() };
        self.consumer.settle(&receipt, outcome)
    }
}

// === impl Resumes ===

#[async_trait]
impl Resume for Resumes {
    async fn resume(&self, topic: &Name, partition: u32) -> Result<Option<Assignment>, BoxError> {
        let found = self.resume.resume(&self.names.inside(topic), partition).await?;
        Ok(found.map(|assignment| {
            let topic = self.names.outside(&assignment.topic);
            Assignment { topic, ..assignment }
        }))
    }
}

#[cfg(test)]
mod tests {
    use switchboard_core::{Key, Rng, SystemClock};
    use switchboard_message::{MemoryBroker, Topic};

    use super::*;

    fn envelope(payload: &'static str) -> Envelope {
        Envelope::new("orders", "placed", "shop", &SystemClock, &mut Rng::from_seed(1))
            .with_key(Key::from("k"))
            .with_payload(payload)
    }

    #[tokio::test]
    async fn two_shops_on_one_broker_do_not_hear_each_other() {
        let shared: Arc<dyn Broker> = Arc::new(MemoryBroker::new(Arc::new(SystemClock)));
        for name in ["ann", "bob"] {
            let broker = name.parse::<Namespace>().unwrap().within(shared.clone());
            let topology = Topology::of([Topic::new("orders")]);
            broker.declare(&topology.with_group("mail", ["orders".into()])).await.unwrap();
            let payload = if name == "ann" { "for ann" } else { "for bob" };
            broker.publish(vec![envelope(payload)]).await.pop().unwrap().unwrap();
            let wish = Subscription::new("mail", ["orders".into()]);
            let mut consumer = broker.subscribe(wish).await.unwrap();
            let delivery = loop {
                match consumer.next().await.unwrap() {
                    Incoming::Deliveries(mut all) => break all.remove(0),
                    Incoming::Assigned(all) => assert!(all.iter().all(|it| it.topic == *"orders")),
                    Incoming::Revoked(_) => {}
                }
            };
            let message = delivery.message.unwrap();
            assert_eq!((&*message.topic, &*message.payload), ("orders", payload.as_bytes()));
            assert!(consumer.settle(&delivery.receipt, Outcome::Done), "the receipt is known");
            let inspect = broker.inspect().unwrap();
            assert_eq!(inspect.topics().await.unwrap().len(), 1, "only its own");
            assert_eq!(inspect.groups().await.unwrap()[0].group, *"mail");
            let read = inspect.read("orders", delivery.receipt.partition, Position::START, 9).await;
            assert_eq!(read.unwrap().len(), 1);
            assert!(inspect.published_by("shop").await.unwrap().is_empty());
        }
        let outside = shared.inspect().unwrap().topics().await.unwrap();
        let mut names: Vec<_> = outside.iter().map(|topic| topic.name.to_string()).collect();
        names.sort_unstable();
        assert_eq!(names, ["ann.orders", "bob.orders"]);
    }

    #[tokio::test]
    async fn what_is_not_there_is_named_as_services_know_it() {
        let shared: Arc<dyn Broker> = Arc::new(MemoryBroker::new(Arc::new(SystemClock)));
        let broker = "ann".parse::<Namespace>().unwrap().within(shared);
        let error = broker.publish(vec![envelope("x")]).await.pop().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the topic `orders` is not declared");
    }

    #[test]
    fn a_namespace_can_stand_in_front_of_a_topic_and_of_a_schema() {
        for wrong in ["1a", "a-b", "a.b", "A", "a".repeat(31).as_str()] {
            assert!(wrong.parse::<Namespace>().is_err(), "{wrong}");
        }
        assert_eq!("t_1".parse::<Namespace>().unwrap().schema("orders"), "t_1_orders");
        assert_eq!(Namespace::default().schema("orders"), "orders");
    }
}
