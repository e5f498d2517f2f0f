//! Exchanges, queues and bindings on the server.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use parking_lot::Mutex;
use switchboard_core::{BoxError, Name};
use switchboard_message::TopologyError;
use switchboard_message::exchange::{Binding, Exchange, Kind, Layout, Matching, Queue};

use crate::broker::PATIENCE;
use crate::error::Meaning;
use crate::link::Link;
use crate::names;
use crate::topics::{Failed, as_topology_error, dead_letters, long, quorum};

/// What this process has declared, and exchanges that it has met.
#[derive(Debug, Default)]
pub(crate) struct Layouts {
    declared: Mutex<Layout>,
    met: Mutex<Vec<Name>>,
}

/// An exchange or a queue that has to exist.
enum Thing<'a> {
    Exchange(&'a Name),
    Queue(&'a Name),
}

// === impl Layouts ===

impl Layouts {
    pub(crate) fn queues(&self) -> Vec<Name> {
        let mut names: Vec<Name> =
            self.declared.lock().queues.iter().map(|queue| queue.name.clone()).collect();
        names.sort();
        names
    }

    /// Whether there is such an exchange. The one with the empty name always exists.
    pub(crate) async fn has_exchange(&self, name: &str, link: &Link) -> Result<bool, BoxError> {
        let is_declared = || self.declared.lock().exchange(name).is_some();
        if name.is_empty() || is_declared() || self.met.lock().iter().any(|met| met == name) {
            return Ok(true);
        }
        let name = Name::from(name);
        let channel = link.channel_within(PATIENCE).await?;
        let exists = exists(&channel, &Thing::Exchange(&name)).await?;
        if exists {
            self.met.lock().push(name);
        }
        Ok(exists)
    }

    /// An exchange that was met is gone.
    pub(crate) fn forget(&self, exchange: &str) {
        self.met.lock().retain(|met| met != exchange);
    }

    pub(crate) async fn declare(&self, layout: &Layout, link: &Link) -> Result<(), TopologyError> {
        layout.check()?;
        self.check_kinds(layout)?;
        for thing in references(layout) {
            let channel =
                link.channel_within(PATIENCE).await.map_err(TopologyError::Unavailable)?;
            let found = exists(&channel, &thing).await.map_err(TopologyError::Unavailable)?;
            if !found {
                let (what, name) = match thing {
                    Thing::Exchange(name) => ("exchange", name),
                    Thing::Queue(name) => ("queue", name),
                };
                return Err(TopologyError::Invalid(format!("there is no {what} `{name}`")));
            }
        }
        let channel = link.channel_within(PATIENCE).await.map_err(TopologyError::Unavailable)?;
        create(&channel, layout).await.map_err(as_topology_error)?;
        self.remember(layout);
        Ok(())
    }

    /// Everything that this process has declared, once more: for a server that came back empty.
    pub(crate) async fn rebuild(&self, channel: &Channel) -> Result<(), BoxError> {
        let layout = self.declared.lock().clone();
        create(channel, &layout).await.map_err(Failed::into_error)
    }

    /// A binding has to say what its exchange looks at, as far as the exchange is known here. The
    /// server would take it and never match.
    fn check_kinds(&self, layout: &Layout) -> Result<(), TopologyError> {
        let declared = self.declared.lock();
        for binding in &layout.bindings {
            let name = &binding.exchange;
            let Some(exchange) = layout.exchange(name).or_else(|| declared.exchange(name)) else {
                continue;
            };
            let by_headers = matches!(binding.matching, Matching::Headers { .. });
            if by_headers != (exchange.kind == Kind::Headers) {
                return Err(TopologyError::Invalid(format!(
                    "a binding of `{}` to `{name}` does not say what a {:?} exchange looks at",
                    binding.queue, exchange.kind
                )));
            }
        }
        Ok(())
    }

    fn remember(&self, layout: &Layout) {
        let mut declared = self.declared.lock();
        for exchange in &layout.exchanges {
            if declared.exchange(&exchange.name).is_none() {
                declared.exchanges.push(exchange.clone());
            }
        }
        for queue in &layout.queues {
            if declared.queue(&queue.name).is_none() {
                declared.queues.push(queue.clone());
            }
        }
        for binding in &layout.bindings {
            if !declared.bindings.contains(binding) {
                declared.bindings.push(binding.clone());
            }
        }
    }
}

/// What the layout names and does not declare itself.
fn references(layout: &Layout) -> Vec<Thing<'_>> {
    let alternates = layout.exchanges.iter().filter_map(|exchange| exchange.alternate.as_ref());
    let dead = layout.queues.iter().filter_map(|queue| queue.dead_letter.as_ref());
    let dead = dead.map(|letter| &letter.exchange).filter(|name| !name.is_empty());
    let bound = layout.bindings.iter().map(|binding| &binding.exchange);
    let exchanges = alternates.chain(dead).chain(bound);
    let exchanges = exchanges.filter(|name| layout.exchange(name).is_none()).map(Thing::Exchange);
    let queues = layout.bindings.iter().map(|binding| &binding.queue);
    let queues = queues.filter(|name| layout.queue(name).is_none()).map(Thing::Queue);
    exchanges.chain(queues).collect()
}

async fn exists(channel: &Channel, thing: &Thing<'_>) -> Result<bool, BoxError> {
    let none = FieldTable::default();
    let answer = match thing {
        Thing::Exchange(name) => {
            let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
            let name = names::short(name.as_str());
            channel.exchange_declare(name, ExchangeKind::Direct, passive, none).await
        }
        Thing::Queue(name) => {
            let passive = QueueDeclareOptions { passive: true, ..Default::default() };
            let declared = channel.queue_declare(names::short(name.as_str()), passive, none);
            declared.await.map(|_| ())
        }
    };
    match answer {
        Ok(()) => {
            let _gone = channel.close(200, names::short("seen")).await;
            Ok(true)
        }
        Err(error) if Meaning::of(&error) == Meaning::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn create(channel: &Channel, layout: &Layout) -> Result<(), Failed> {
    for exchange in &layout.exchanges {
        create_exchange(channel, exchange).await.map_err(Failed::of)?;
    }
    for queue in &layout.queues {
        let options = QueueDeclareOptions::durable();
        let name = names::short(queue.name.as_str());
        let declared = channel.queue_declare(name, options, arguments(queue));
        declared.await.map_err(Failed::of)?;
    }
    for binding in &layout.bindings {
        bind(channel, binding).await.map_err(Failed::of)?;
    }
    Ok(())
}

async fn create_exchange(channel: &Channel, exchange: &Exchange) -> Result<(), lapin::Error> {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let mut arguments = FieldTable::default();
    if let Some(alternate) = &exchange.alternate {
        arguments.insert("alternate-exchange".into(), long(alternate.as_str()));
    }
    let kind = match exchange.kind {
        Kind::Direct => ExchangeKind::Direct,
        Kind::Topic => ExchangeKind::Topic,
        Kind::Fanout => ExchangeKind::Fanout,
        Kind::Headers => ExchangeKind::Headers,
    };
    channel.exchange_declare(names::short(exchange.name.as_str()), kind, durable, arguments).await
}

/// Dead letters are kept at least once, but for queues with a length: dropping their oldest, as the
/// seam has it, and keeping dead letters at least once exclude each other on this server.
fn arguments(queue: &Queue) -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-delivery-limit".into(), queue.delivery_limit.into());
    if queue.single_active_consumer {
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    }
    if let Some(ttl) = queue.ttl {
        let millis = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(millis));
    }
    if let Some(letter) = &queue.dead_letter {
        dead_letters(&mut arguments, &letter.exchange, letter.routing_key.as_deref());
    }
    if let Some(length) = queue.max_length {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(length));
        arguments.insert("x-overflow".into(), long("drop-head"));
        if queue.dead_letter.is_some() {
            arguments.insert("x-dead-letter-strategy".into(), long("at-most-once"));
        }
    }
    arguments
}

async fn bind(channel: &Channel, binding: &Binding) -> Result<(), lapin::Error> {
    let mut arguments = FieldTable::default();
    let key = match &binding.matching {
        Matching::Key(key) => key.as_str(),
        Matching::Headers { all, values } => {
            arguments.insert("x-match".into(), long(if *all { "all" } else { "any" }));
            for (name, value) in values {
                let value = value.as_ref().map_or(AMQPValue::Void, |value| long(&**value));
                arguments.insert(names::short(name.as_str()), value);
            }
            ""
        }
    };
    let (queue, exchange) = (binding.queue.as_str(), binding.exchange.as_str());
    let (queue, exchange, key) = (names::short(queue), names::short(exchange), names::short(key));
    channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), arguments).await
}
