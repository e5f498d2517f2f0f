//! Exchanges, queues and bindings as plain data, and what fits beside what exists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Name;

use crate::TopologyError;

/// The longest name or pattern, in bytes: what AMQP's short strings hold.
const MAX_NAME_BYTES: usize = 255;

/// Everything that is declared before the first job flows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Where messages are sent.
    pub exchanges: Vec<Exchange>,
    /// Where they wait for workers.
    pub queues: Vec<Queue>,
    /// Which exchange gives what to which queue.
    pub bindings: Vec<Binding>,
}

/// A place to send messages to, which keeps none itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// 1 to 255 bytes; not beginning with `amq.`, which is RabbitMQ's own.
    pub name: Name,
    /// How it chooses among its bindings.
    pub kind: Kind,
    /// Where messages go that none of its bindings takes. Default none.
    pub alternate: Option<Name>,
}

/// How an exchange chooses among its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Those whose key is the routing key.
    Direct,
    /// Those whose pattern matches the routing key: words with dots between them, where `*` stands
    /// for exactly one word and `#` for any number of them, none included.
    Topic,
    /// All of them.
    Fanout,
    /// Those whose values are among the envelope's headers.
    Headers,
}

/// A list of messages that wait for workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// 1 to 255 bytes; not beginning with `amq.`, which is RabbitMQ's own.
    pub name: Name,
    /// Where messages go that are rejected, expire, do not fit, or come back too often. Default
    /// none: they are dropped.
    pub dead_letter: Option<DeadLetter>,
    /// How long a message may wait, counted from its arrival in this queue, in whole milliseconds
    /// from 1. Default for ever.
    pub ttl: Option<Duration>,
    /// How often a message may come back: it is handed out at most once more than this.
    /// Default 20, as RabbitMQ has it since 4.0.
    pub delivery_limit: u32,
    /// How many messages may wait, at least 1. Beyond it the first in line go (RabbitMQ's default,
    /// named `drop-head` there). Default no limit.
    pub max_length: Option<u64>,
    /// Whether only one of the workers gets jobs at a time. Default all do.
    pub single_active_consumer: bool,
}

/// Where a queue sends what leaves it without being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The exchange; the empty name gives to the queue that is named as the routing key.
    pub exchange: Name,
    /// The routing key; the message's own if absent.
    pub routing_key: Option<Name>,
}

/// A queue's wish for some of what is sent to an exchange.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// The exchange.
    pub exchange: Name,
    /// The queue.
    pub queue: Name,
    /// Which messages.
    pub matching: Matching,
}

/// Which messages a binding takes. A headers exchange wants `Headers`, the others `Key`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matching {
    /// By routing key; a fanout exchange does not look at it.
    Key(Name),
    /// By the envelope's headers.
    Headers {
        /// Whether all of the values have to be there, or any one.
        all: bool,
        /// Header names with the value each must have; without a value it only has to be there.
        /// Names that begin with `x-` are not looked at. With no value to look at, `all` takes
        /// everything and `any` nothing.
        values: BTreeMap<Name, Option<Arc<str>>>,
    },
}

// === impl Layout: building ===

impl Layout {
    /// The same with one more exchange.
    #[must_use]
    pub fn with_exchange(mut self, exchange: Exchange) -> Self {
        self.exchanges.push(exchange);
        self
    }

    /// The same with one more queue.
    #[must_use]
    pub fn with_queue(mut self, queue: Queue) -> Self {
        self.queues.push(queue);
        self
    }

    /// The same with one more binding.
    #[must_use]
    pub fn with_binding(mut self, binding: Binding) -> Self {
        self.bindings.push(binding);
        self
    }
}

// === impl Layout: checking ===

impl Layout {
    /// Checks what can be checked without knowing what exists: names and limits. Adapters of
    /// brokers that keep the layout themselves need no more.
    ///
    /// # Errors
    /// [`TopologyError::Invalid`], naming what to change.
    pub fn check(&self) -> Result<(), TopologyError> {
        for exchange in &self.exchanges {
            check_name("exchange", &exchange.name)?;
        }
        for queue in &self.queues {
            check_name("queue", &queue.name)?;
            if queue.ttl.is_some_and(|ttl| ttl.is_zero() || ttl.subsec_nanos() % 1_000_000 != 0) {
                return invalid(format!(
                    "queue `{}` has a time to live of {:?}: use whole milliseconds, at least 1",
                    queue.name,
                    queue.ttl.unwrap_or_default()
                ));
            }
            if queue.max_length == Some(0) {
                return invalid(format!("queue `{}` can hold nothing", queue.name));
            }
        }
        for binding in &self.bindings {
            if let Matching::Key(key) = &binding.matching
                && key.len() > MAX_NAME_BYTES
            {
                return invalid(format!("the key `{key}` is longer than {MAX_NAME_BYTES} bytes"));
            }
        }
        Ok(())
    }

    /// This layout after `declared` was added to it. Declaring something twice is no change.
    ///
    /// # Errors
    /// [`TopologyError::Differs`] when something exists with other settings, and
    /// [`TopologyError::Invalid`] when a name means nothing, or a binding does not fit the kind of
    /// its exchange.
    pub fn merged(&self, declared: &Self) -> Result<Self, TopologyError> {
        declared.check()?;
        let mut merged = self.clone();
        for exchange in &declared.exchanges {
            match merged.exchange(&exchange.name) {
                Some(known) if known == exchange => {}
                Some(known) => return differs("exchange", &exchange.name, known, exchange),
                None => merged.exchanges.push(exchange.clone()),
            }
        }
        for queue in &declared.queues {
            match merged.queue(&queue.name) {
                Some(known) if known == queue => {}
                Some(known) => return differs("queue", &queue.name, known, queue),
                None => merged.queues.push(queue.clone()),
            }
        }
        let mut bound: BTreeSet<&Binding> = self.bindings.iter().collect();
        for binding in &declared.bindings {
            if bound.insert(binding) {
                merged.bindings.push(binding.clone());
            }
        }
        merged.check_references()?;
        Ok(merged)
    }

    /// The exchange of this name.
    pub fn exchange(&self, name: &str) -> Option<&Exchange> {
        self.exchanges.iter().find(|exchange| exchange.name == name)
    }

    /// The queue of this name.
    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    fn check_references(&self) -> Result<(), TopologyError> {
        let exchange = |name: &Name| match self.exchange(name) {
            Some(exchange) => Ok(exchange),
            None => Err(TopologyError::Invalid(format!("there is no exchange `{name}`"))),
        };
        for alternate in self.exchanges.iter().filter_map(|e| e.alternate.as_ref()) {
            exchange(alternate)?;
        }
        for dead_letter in self.queues.iter().filter_map(|q| q.dead_letter.as_ref()) {
            if !dead_letter.exchange.is_empty() {
                exchange(&dead_letter.exchange)?;
            }
        }
        for binding in &self.bindings {
            let kind = exchange(&binding.exchange)?.kind;
            if self.queue(&binding.queue).is_none() {
                return invalid(format!("there is no queue `{}`", binding.queue));
            }
            let by_headers = matches!(binding.matching, Matching::Headers { .. });
            if by_headers != (kind == Kind::Headers) {
                return invalid(format!(
                    "a binding of `{}` to `{}` does not say what a {kind:?} exchange looks at",
                    binding.queue, binding.exchange
                ));
            }
        }
        Ok(())
    }
}

fn check_name(what: &str, name: &Name) -> Result<(), TopologyError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.starts_with("amq.") {
        return invalid(format!(
            "`{name}` is not the name of an {what}: use 1 to {MAX_NAME_BYTES} bytes that do not \
             begin with `amq.`"
        ));
    }
    Ok(())
}

fn invalid<T>(text: String) -> Result<T, TopologyError> {
    Err(TopologyError::Invalid(text))
}

fn differs<T>(
    what: &'static str,
    name: &Name,
    existing: &dyn std::fmt::Debug,
    declared: &dyn std::fmt::Debug,
) -> Result<T, TopologyError> {
    let detail = format!("it is {existing:?}, and was declared as {declared:?}");
    Err(TopologyError::Differs { what, name: name.clone(), detail })
}

// === impl Exchange ===

impl Exchange {
    /// An exchange without an alternate.
    pub fn new(name: impl Into<Name>, kind: Kind) -> Self {
        Self { name: name.into(), kind, alternate: None }
    }

    /// The same with an alternate for what no binding takes.
    #[must_use]
    pub fn with_alternate(mut self, alternate: impl Into<Name>) -> Self {
        self.alternate = Some(alternate.into());
        self
    }
}

// === impl Queue ===

impl Queue {
    /// A queue without limits but the delivery limit of 20, and without dead letters.
    pub fn new(name: impl Into<Name>) -> Self {
        Self {
            name: name.into(),
            dead_letter: None,
            ttl: None,
            delivery_limit: 20,
            max_length: None,
            single_active_consumer: false,
        }
    }

    /// The same with dead letters to this exchange under this routing key.
    #[must_use]
    pub fn with_dead_letter(
        mut self,
        exchange: impl Into<Name>,
        routing_key: impl Into<Name>,
    ) -> Self {
        let routing_key = Some(routing_key.into());
        self.dead_letter = Some(DeadLetter { exchange: exchange.into(), routing_key });
        self
    }

    /// The same with dead letters to this exchange under their own routing key.
    #[must_use]
    pub fn with_dead_letter_exchange(mut self, exchange: impl Into<Name>) -> Self {
        self.dead_letter = Some(DeadLetter { exchange: exchange.into(), routing_key: None });
        self
    }

    /// The same with a time to live.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The same with another delivery limit.
    #[must_use]
    pub fn with_delivery_limit(mut self, limit: u32) -> Self {
        self.delivery_limit = limit;
        self
    }

    /// The same with a length that is not exceeded.
    #[must_use]
    pub fn with_max_length(mut self, length: u64) -> Self {
        self.max_length = Some(length);
        self
    }

    /// The same with jobs for only one worker at a time.
    #[must_use]
    pub fn with_single_active_consumer(mut self) -> Self {
        self.single_active_consumer = true;
        self
    }
}

// === impl Binding ===

impl Binding {
    /// A binding by routing key, or by a pattern of it when the exchange is a topic exchange.
    pub fn key(
        exchange: impl Into<Name>,
        queue: impl Into<Name>,
        pattern: impl Into<Name>,
    ) -> Self {
        let matching = Matching::Key(pattern.into());
        Self { exchange: exchange.into(), queue: queue.into(), matching }
    }

    /// A binding by headers, of which all have to match or any one.
    pub fn headers<'a>(
        exchange: impl Into<Name>,
        queue: impl Into<Name>,
        all: bool,
        values: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.into(), value.map(Arc::from)));
        let matching = Matching::Headers { all, values: values.collect() };
        Self { exchange: exchange.into(), queue: queue.into(), matching }
    }
}
