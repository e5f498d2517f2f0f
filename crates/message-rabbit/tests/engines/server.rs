//! The server that the environment names, and a broker on it that cleans up.

use std::collections::BTreeMap;

use async_trait::async_trait;
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};
use parking_lot::Mutex;
use switchboard_core::{Envelope, Name};
use switchboard_message::exchange::Queues;
use switchboard_message::{
    Ack, Broker, Capabilities, Consumer, Inspect, PublishError, SubscribeError, Subscription,
    Topology, TopologyError,
};
use switchboard_message_rabbit::{Options, RabbitBroker};

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

/// A broker that finds nothing of its topics on the server, and leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Clean {
    pub(crate) broker: RabbitBroker,
    url: String,
    seen: Mutex<BTreeMap<Name, u32>>,
}

// === impl Clean ===

impl Clean {
    pub(crate) async fn new() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let broker = RabbitBroker::connect(options).await.unwrap();
        Self { broker, url: url(), seen: Mutex::default() }
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
        self.broker.queues()
    }
}

impl Drop for Clean {
    fn drop(&mut self) {
        let (url, topics) = (self.url.clone(), std::mem::take(&mut *self.seen.lock()));
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(delete(&url, topics));
        });
        let _ = cleaning.join();
    }
}
