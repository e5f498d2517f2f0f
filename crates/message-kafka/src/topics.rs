//! Topics: what they are called on Kafka, how many partitions they have, and how they are created.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use parking_lot::RwLock;
use switchboard_core::{BoxError, Name};
use switchboard_message::{Retention, Topic, TopologyError};

use crate::client::{Control, NewTopic, OVERHEAD, Settings};
use crate::{Options, blocking, metrics as names};

/// A topic that exists.
pub(crate) struct Known {
    /// Its name on Kafka.
    pub(crate) place: Arc<str>,
    pub(crate) partitions: u32,
    pub(crate) published: Counter,
    pub(crate) unanswered: Counter,
}

/// The topics that were met.
pub(crate) struct Topics {
    options: Options,
    control: Arc<Control>,
    known: RwLock<HashMap<Name, Arc<Known>>>,
}

/// Copies of a partition, where nothing else is asked for.
const COPIES: u16 = 3;
/// How long a new topic may take to have its leaders.
const LEADERS: Duration = Duration::from_secs(20);
/// How long dead letters are kept.
const DEAD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// What names a topic of dead letters.
pub(crate) const DEAD: &str = ".dead";
/// Segments are what retention drops: they must be smaller than what it keeps.
const SEGMENT: (u64, u64) = (16 << 20, 1 << 30);

// === impl Topics ===

impl Topics {
    pub(crate) fn new(options: Options, control: Arc<Control>) -> Self {
        Self { options, control, known: RwLock::default() }
    }

    /// What Kafka calls a topic or group of ours.
    pub(crate) fn place(&self, name: &str) -> String {
        format!("{}{name}", self.options.prefix)
    }

    /// A topic, if it exists; Kafka is asked for one that was not met yet.
    pub(crate) async fn find(&self, name: &Name) -> Result<Option<Arc<Known>>, BoxError> {
        if let Some(known) = self.known.read().get(name) {
            return Ok(Some(Arc::clone(known)));
        }
        if !is_name(name) {
            return Ok(None);
        }
        let (control, place) = (Arc::clone(&self.control), self.place(name));
        let partitions = blocking(move || control.partitions(&place)).await?;
        Ok(partitions.map(|partitions| self.learn(name, partitions)))
    }

    /// Forgets a topic that turned out to be gone.
    pub(crate) fn forget(&self, name: &Name) {
        self.known.write().remove(name);
    }

    fn learn(&self, name: &Name, partitions: u32) -> Arc<Known> {
        let topic = || name.to_string();
        let known = Arc::new(Known {
            place: self.place(name).into(),
            partitions,
            published: metrics::counter!(names::PUBLISHED, "topic" => topic()),
            unanswered: metrics::counter!(names::UNANSWERED, "topic" => topic()),
        });
        self.known.write().insert(name.clone(), Arc::clone(&known));
        known
    }

    /// All topics of ours, by name, with their partitions.
    pub(crate) async fn all(&self) -> Result<Vec<(Name, u32)>, BoxError> {
        let control = Arc::clone(&self.control);
        let topics = blocking(move || control.topics()).await?;
        let ours = |(place, partitions): (String, u32)| {
            let name = place.strip_prefix(&self.options.prefix)?;
            (!name.starts_with("__")).then(|| (Name::from(name), partitions))
        };
        let mut ours: Vec<_> = topics.into_iter().filter_map(ours).collect();
        ours.sort();
        Ok(ours)
    }

    /// Creates what is missing, unless something exists with other partitions.
    pub(crate) async fn declare(&self, topics: &[Topic]) -> Result<(), TopologyError> {
        let existing: HashMap<Name, u32> =
            self.all().await.map_err(TopologyError::Unavailable)?.into_iter().collect();
        for topic in topics {
            if let Some(&partitions) = existing.get(&topic.name) {
                self.compare(topic, partitions)?;
            }
        }
        let mut names = HashSet::new();
        let missing: Vec<&Topic> = topics
            .iter()
            .filter(|topic| !existing.contains_key(&topic.name) && names.insert(&topic.name))
            .collect();
        self.create(&missing).await.map_err(TopologyError::Unavailable)?;
        for topic in missing {
            // Another process may have been faster, with another number.
            let partitions =
                self.wait_for(&topic.name).await.map_err(TopologyError::Unavailable)?;
            self.compare(topic, partitions)?;
        }
        let old: Vec<&Topic> =
            topics.iter().filter(|topic| existing.contains_key(&topic.name)).collect();
        self.report_retention(&old).await;
        Ok(())
    }

    /// The topic of the dead letters of another one, created if need be.
    pub(crate) async fn dead(&self, name: &Name, partitions: u32) -> Result<Arc<Known>, BoxError> {
        let dead = Name::from(format!("{name}{DEAD}"));
        if let Some(known) = self.find(&dead).await? {
            return Ok(known);
        }
        let retention = Retention { age: Some(DEAD_FOR), bytes: None };
        // With as many partitions, so that a dead letter keeps the number of its own.
        let topic = Topic::new(dead.clone()).with_partitions(partitions).with_retention(retention);
        self.create(&[&topic]).await?;
        self.wait_for(&dead).await?;
        self.find(&dead).await?.ok_or_else(|| format!("the topic `{dead}` is gone again").into())
    }

    fn compare(&self, topic: &Topic, existing: u32) -> Result<(), TopologyError> {
        let Topic { name, partitions: declared, .. } = topic;
        if existing == *declared {
            self.learn(name, existing);
            return Ok(());
        }
        Err(TopologyError::Mismatch { topic: name.clone(), existing, declared: *declared })
    }

    async fn create(&self, topics: &[&Topic]) -> Result<(), BoxError> {
        if topics.is_empty() {
            return Ok(());
        }
        let copies = match self.options.replication {
            Some(copies) => copies,
            None => {
                let control = Arc::clone(&self.control);
                let brokers = blocking(move || control.brokers()).await?;
                COPIES.min(u16::try_from(brokers).unwrap_or(COPIES)).max(1)
            }
        };
        let wanted = |topic: &&Topic| NewTopic {
            name: self.place(&topic.name),
            partitions: topic.partitions,
            replication: copies,
            settings: settings(topic, copies, self.options.max_message_bytes),
        };
        let wanted: Vec<NewTopic> = topics.iter().map(wanted).collect();
        Ok(self.control.create(&wanted).await?)
    }

    /// Waits until every partition of a topic has a leader. Returns how many there are.
    async fn wait_for(&self, name: &Name) -> Result<u32, BoxError> {
        let found = async {
            loop {
                let (control, place) = (Arc::clone(&self.control), self.place(name));
                if let Some(partitions) = blocking(move || control.partitions(&place)).await? {
                    return Ok::<_, BoxError>(partitions);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let late = |_| -> BoxError { format!("the new topic `{name}` has no leaders yet").into() };
        tokio::time::timeout(LEADERS, found).await.map_err(late)?
    }

    /// Says aloud which topics keep their records for another time than was declared. They are
    /// left as they are.
    async fn report_retention(&self, topics: &[&Topic]) {
        let places: Vec<String> = topics.iter().map(|topic| self.place(&topic.name)).collect();
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        if places.is_empty() {
            return;
        }
        let found = match self.control.settings(&places).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(error = %error, "the topics' retention is not known");
                return;
            }
        };
        for (topic, found) in topics.iter().zip(found) {
            for (setting, kept, declared) in differences(topic, &found.unwrap_or_default()) {
                let topic = &topic.name;
                tracing::warn!(
                    %topic, setting, kept, declared,
                    "another retention was declared, and is not taken"
                );
            }
        }
    }
}

/// Kafka's own rule for the names of topics.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 249 && name.chars().all(allowed)
}

/// The settings of retention: by age, and by bytes of each partition.
fn retention(topic: &Topic) -> [(&'static str, String); 2] {
    let Retention { age, bytes } = topic.retention;
    let age = age.map_or_else(|| "-1".into(), |age| age.as_millis().to_string());
    // Ours counts the topic, Kafka's each partition.
    let each = |bytes: u64| (bytes / u64::from(topic.partitions.max(1))).max(1).to_string();
    [("retention.ms", age), ("retention.bytes", bytes.map_or_else(|| "-1".into(), each))]
}

fn settings(topic: &Topic, copies: u16, max_message: usize) -> Vec<(&'static str, String)> {
    let mut settings = Vec::from(retention(topic));
    settings.push(("cleanup.policy", "delete".into()));
    settings.push(("max.message.bytes", (max_message + OVERHEAD).to_string()));
    // An ack means that one copy may be lost without losing the record.
    settings.push(("min.insync.replicas", copies.saturating_sub(1).max(1).to_string()));
    if let Some(bytes) = topic.retention.bytes {
        let segment = bytes / u64::from(topic.partitions.max(1)) / 4;
        settings.push(("segment.bytes", segment.clamp(SEGMENT.0, SEGMENT.1).to_string()));
    }
    settings
}

fn differences(topic: &Topic, found: &Settings) -> Vec<(&'static str, String, String)> {
    let differs = |(setting, declared): (&'static str, String)| {
        let kept = found.get(setting)?.clone();
        (kept != declared).then_some((setting, kept, declared))
    };
    retention(topic).into_iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_counted_by_partition() {
        let topic = Topic::new("t").with_partitions(4);
        let settings = settings(&topic, 3, 1 << 20);
        let of = |name: &str| settings.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        assert_eq!(of("retention.ms"), Some("604800000"));
        assert_eq!(of("retention.bytes"), Some("268435456"));
        assert_eq!(of("segment.bytes"), Some("67108864"));
        assert_eq!(of("min.insync.replicas"), Some("2"));
        let forever = topic.with_retention(Retention { age: None, bytes: None });
        assert_eq!(retention(&forever)[0].1, "-1");
        assert_eq!(retention(&forever)[1].1, "-1");
    }

    #[test]
    fn another_retention_is_noticed() {
        let topic = Topic::new("t").with_partitions(1);
        let mut found: Settings =
            retention(&topic).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert!(differences(&topic, &found).is_empty());
        found.insert("retention.ms".into(), "1000".into());
        assert_eq!(
            differences(&topic, &found),
            [("retention.ms", "1000".to_owned(), "604800000".to_owned())]
        );
        found.clear();
        assert!(
            differences(&topic, &found).is_empty(),
            "what Kafka does not tell is no difference"
        );
    }
}
