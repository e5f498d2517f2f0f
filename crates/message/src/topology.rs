//! What a service asks its broker to have: topics with partitions and retention; and what a broker can do.

use std::fmt;
use std::time::Duration;

use switchboard_core::{Name, Slot};

use crate::TopologyError;

/// Everything that is declared before the first message flows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// The topics.
    pub topics: Vec<Topic>,
    /// The groups that will read them. A broker that keeps no history (RabbitMQ) gives a group
    /// what is published after it was declared, so name all of them here; others need no names.
    pub groups: Vec<GroupOf>,
    /// What the services rely on; a backend without it refuses the topology.
    pub requires: Vec<Capability>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Letters, digits, `.`, `_`, `-`; at most 249 bytes, as Kafka allows.
    pub name: Name,
    /// A power of two up to 256, so that a slot stays inside one partition. Default 8.
    pub partitions: u32,
    /// How long records are kept.
    pub retention: Retention,
}

/// A group, and the topics that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOf {
    /// The group.
    pub group: Name,
    /// Its topics.
    pub topics: Vec<Name>,
}

/// How long records are kept, counted from the oldest. What a group has not passed yet is kept in
/// any case by brokers of ours, from the moment when the group is declared or first joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Records older than this may go. Default 7 days; `None` keeps them for ever.
    pub age: Option<Duration>,
    /// The oldest may go when the topic holds more than this. Default 1 GiB; `None` sets no limit.
    pub bytes: Option<u64>,
}

/// One thing that a broker may or may not be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Read again from any position.
    Replay,
    /// Keep messages of one key in order.
    KeyOrder,
    /// Several groups, each with its own copy and shared among its members.
    Groups,
    /// Deliver not before a given time.
    Delay,
    /// Direct, topic, fanout and headers exchanges with queues behind them.
    Exchanges,
}

/// What a backend can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The backend's name, as errors show it.
    pub backend: &'static str,
    /// What it has.
    pub has: Vec<Capability>,
    /// The order it keeps.
    pub order: Order,
    /// The largest encoded envelope, in bytes. Default 1 MiB.
    pub max_message_bytes: usize,
}

/// Within what records keep their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Within a key.
    Key,
    /// Within a queue, as long as one consumer reads it.
    Queue,
    /// Nowhere.
    None,
}

// === impl Topic ===

impl Topic {
    /// A topic with 8 partitions and the default retention.
    pub fn new(name: impl Into<Name>) -> Self {
        Self { name: name.into(), partitions: 8, retention: Retention::default() }
    }

    /// The same with another number of partitions.
    #[must_use]
    pub fn with_partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions;
        self
    }

    /// The same with another retention.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Some(Duration::from_secs(7 * 24 * 3600)), bytes: Some(1 << 30) }
    }
}

// === impl Topology ===

impl Topology {
    /// A topology with these topics.
    pub fn of(topics: impl IntoIterator<Item = Topic>) -> Self {
        Self { topics: topics.into_iter().collect(), groups: Vec::new(), requires: Vec::new() }
    }

    /// The same with one more group.
    #[must_use]
    pub fn with_group(
        mut self,
        group: impl Into<Name>,
        topics: impl IntoIterator<Item = Name>,
    ) -> Self {
        self.groups.push(GroupOf { group: group.into(), topics: topics.into_iter().collect() });
        self
    }

    /// Checks names and partition counts, and that `capabilities` has all that is required.
    ///
    /// # Errors
    /// [`TopologyError::Invalid`] or [`TopologyError::Missing`], naming what to change.
    pub fn check(&self, capabilities: &Capabilities) -> Result<(), TopologyError> {
        for capability in &self.requires {
            if !capabilities.has.contains(capability) {
                return Err(TopologyError::Missing {
                    backend: capabilities.backend,
                    capability: *capability,
                    available_on: capability.available_on(),
                });
            }
        }
        self.topics.iter().try_for_each(Topic::check)
    }
}

impl Topic {
    fn check(&self) -> Result<(), TopologyError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.name.is_empty() || self.name.len() > 249 || !self.name.chars().all(allowed) {
            return Err(TopologyError::Invalid(format!(
                "`{}` is not a topic's name: use 1 to 249 letters, digits, `.`, `_` or `-`",
                self.name
            )));
        }
        if !(self.partitions.is_power_of_two() && self.partitions <= Slot::COUNT) {
            return Err(TopologyError::Invalid(format!(
                "topic `{}` has {} partitions: use a power of two up to {}",
                self.name,
                self.partitions,
                Slot::COUNT
            )));
        }
        Ok(())
    }
}

// === impl Capability ===

impl Capability {
    /// The backends that have it, for an error's text.
    pub const fn available_on(self) -> &'static str {
        match self {
            Self::Replay => "the embedded broker and Kafka",
            Self::KeyOrder | Self::Groups => "the embedded broker, Kafka and RabbitMQ",
            Self::Delay => "no broker; set a timer in a unit instead",
            Self::Exchanges => "the embedded broker and RabbitMQ",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replay => "replay from a position",
            Self::KeyOrder => "order within a key",
            Self::Groups => "consumer groups",
            Self::Delay => "delayed delivery",
            Self::Exchanges => "exchanges",
        })
    }
}
