//! The server that the environment names, and a broker on it that cleans up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use parking_lot::Mutex;
use switchboard_core::{BoxError, Envelope, Name};
use switchboard_message::exchange::{Depth, Layout, Queues, Sent, Worker};
use switchboard_message::{
    Ack, Broker, Capabilities, Consumer, Inspect, PublishError, SubscribeError, Subscription,
    Topology, TopologyError,
};
use switchboard_message_rabbit::{Options, RabbitBroker};
use switchboard_testkit::message::PATIENCE;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::counted;

/// Where the server is.
const VARIABLE: &str = "SWITCHBOARD_TEST_RABBIT";

/// The address of the server.
pub(crate) fn url() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set: run `cargo xtask test`, or `cargo xtask engines up rabbit`")
    })
}

pub(crate) fn options() -> Options {
    Options::from_url(&url()).unwrap()
}

/// Held for reading by everybody, and for writing by whoever stops the server.
static SERVER: RwLock<()> = RwLock::const_new(());

/// The server is this test's alone.
pub(crate) async fn alone() -> RwLockWriteGuard<'static, ()> {
    counted::begin();
    SERVER.write().await
}

/// A channel for looking, on a connection that lives as long.
pub(crate) async fn channel() -> Channel {
    let url = url();
    let connecting = Connection::connect(&url, ConnectionProperties::default());
    connecting.await.unwrap().create_channel().await.unwrap()
}

/// Messages that are ready in a queue; 0 when there is none.
pub(crate) async fn ready(queue: &str) -> u32 {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let channel = channel().await;
    let seen = channel.queue_declare(queue.into(), passive, FieldTable::default()).await;
    seen.map_or(0, |seen| seen.message_count())
}

/// Asks until it is so.
pub(crate) async fn until(is_so: impl AsyncFn() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it comes true in time");
}

/// A broker that finds nothing of its topics on the server, and leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Clean {
    pub(crate) broker: RabbitBroker,
    url: String,
    seen: Mutex<BTreeMap<Name, u32>>,
    /// Exchanges (true) and queues.
    laid: Mutex<BTreeSet<(bool, Name)>>,
    _server: RwLockReadGuard<'static, ()>,
}

// === impl Clean ===

impl Clean {
    pub(crate) async fn new() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        counted::begin();
        let server = SERVER.read().await;
        let broker = RabbitBroker::connect(options).await.unwrap();
        Self { broker, url: url(), seen: Mutex::default(), laid: Mutex::default(), _server: server }
    }
}

impl Clean {
    fn inner(&self) -> &dyn Queues {
        self.broker.queues().unwrap()
    }
}

/// Deletes topics with the groups that tests use.
async fn delete(url: &str, topics: BTreeMap<Name, u32>) {
    let Ok(connection) = Connection::connect(url, ConnectionProperties::default()).await else {
        return;
    };
    let channel = connection.create_channel().await.unwrap();
    for (topic, partitions) in topics {
        for group in ["g", "one", "two"] {
            for end in (0..partitions.max(8)).map(|n| format!(":{n}")).chain([".dead".into()]) {
                let queue = format!("{group}:{topic}{end}");
                let _ = channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
            }
            let dead = format!("{group}:{topic}.dead");
            let _ = channel.exchange_delete(dead.into(), ExchangeDeleteOptions::default()).await;
        }
        let topic = topic.as_str().into();
        let _ = channel.exchange_delete(topic, ExchangeDeleteOptions::default()).await;
    }
    let _ = connection.close(200, "clean".into()).await;
}

/// Deletes exchanges (true) and queues.
async fn delete_layout(url: &str, things: BTreeSet<(bool, Name)>) {
    let Ok(connection) = Connection::connect(url, ConnectionProperties::default()).await else {
        return;
    };
    for (is_exchange, name) in things {
        let (channel, name) = (connection.create_channel().await.unwrap(), name.as_str());
        if is_exchange {
            let options = ExchangeDeleteOptions::default();
            let _ = channel.exchange_delete(name.into(), options).await;
        } else {
            let _ = channel.queue_delete(name.into(), QueueDeleteOptions::default()).await;
        }
    }
    let _ = connection.close(200, "clean".into()).await;
}

#[async_trait]
impl Broker for Clean {
    fn capabilities(&self) -> Capabilities {
        self.broker.capabilities()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TopologyError> {
        let mut new = BTreeMap::new();
        for topic in &topology.topics {
            let mut seen = self.seen.lock();
            if topic.name.len() < 200 && !seen.contains_key(&topic.name) {
                seen.insert(topic.name.clone(), topic.partitions);
                new.insert(topic.name.clone(), topic.partitions);
            }
        }
        delete(&self.url, new).await;
        self.broker.declare(topology).await
    }

    async fn publish(&self, batch: Vec<Envelope>) -> Vec<Result<Ack, PublishError>> {
        self.broker.publish(batch).await
    }

    async fn subscribe(&self, wish: Subscription) -> Result<Box<dyn Consumer>, SubscribeError> {
        self.broker.subscribe(wish).await
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        self.broker.inspect()
    }

    fn queues(&self) -> Option<&dyn Queues> {
        Some(self)
    }
}

#[async_trait]
impl Queues for Clean {
    async fn declare(&self, layout: &Layout) -> Result<(), TopologyError> {
        let new = {
            let mut laid = self.laid.lock();
            let fits = |name: &Name| !name.is_empty() && name.len() < 256;
            let exchanges = layout.exchanges.iter().map(|exchange| (true, exchange.name.clone()));
            let queues = layout.queues.iter().map(|queue| (false, queue.name.clone()));
            let all = exchanges.chain(queues).filter(|(_, name)| fits(name));
            all.filter(|thing| laid.insert(thing.clone())).collect()
        };
        delete_layout(&self.url, new).await;
        self.inner().declare(layout).await
    }

    async fn send(
        &self,
        exchange: &str,
        routing_key: &str,
        batch: Vec<Envelope>,
    ) -> Vec<Result<Sent, PublishError>> {
        self.inner().send(exchange, routing_key, batch).await
    }

    async fn work(&self, queue: &str, prefetch: usize) -> Result<Box<dyn Worker>, SubscribeError> {
        self.inner().work(queue, prefetch).await
    }

    async fn depths(&self) -> Result<Vec<Depth>, BoxError> {
        self.inner().depths().await
    }
}

impl Drop for Clean {
    fn drop(&mut self) {
        let (url, topics) = (self.url.clone(), std::mem::take(&mut *self.seen.lock()));
        let laid = std::mem::take(&mut *self.laid.lock());
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                delete(&url, topics).await;
                delete_layout(&url, laid).await;
            });
        });
        let _ = cleaning.join();
    }
}
