//! What the services stand on: the engines that somebody has named, opened as the seams that every service is given.
//!
//! - `address` how an engine is named
//! - `embedded`, `kafka`, `rabbit` the broker; `sqlite`, `postgres` the stores
//! - `namespaced` several shops on one broker
//! - `waiting` an engine that is not there yet

mod address;
mod embedded;
mod kafka;
mod namespaced;
mod parts;
mod postgres;
mod rabbit;
pub(crate) mod sqlite;
mod waiting;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use shop_edge::Process;
use switchboard_core::{Clock, Retryable, Rng, Verdict};
use switchboard_message::{Broker, Topology, TopologyError};
use switchboard_message_log::LogBroker;
use switchboard_store::Store;

pub use address::{BROKERS, BrokerUrl, NotAnAddress, STORES, StoreUrl, masked};
pub use namespaced::{Namespace, Namespaced};

use crate::backup::{self, StoreFile};
use crate::platform::StartError;
use crate::topology::Service;

/// How long a program waits for an engine that does not answer when it starts, unless told.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Connections of a store that is only looked at.
const FEW: u32 = 3;

/// Which engines a shop runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engines {
    /// The broker.
    pub broker: BrokerUrl,
    /// The stores.
    pub store: StoreUrl,
    /// What stands in front of the names of topics, groups and schemas.
    pub namespace: Namespace,
    /// How long an engine that does not answer is waited for at the start.
    pub patience: Duration,
}

/// The broker, open.
pub(crate) struct Carrier {
    /// As services see it.
    pub(crate) broker: Arc<dyn Broker>,
    /// The one in this process, which can be stopped and let go on.
    pub(crate) embedded: Option<LogBroker>,
    close: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>,
    url: BrokerUrl,
    probe: Option<Probe>,
}

/// Asks whether something that was opened would do its work now.
pub(crate) type Probe = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// The stores of some services, open.
pub(crate) struct Stores {
    /// In the order of the services.
    pub(crate) all: Vec<Arc<dyn Store>>,
    /// In the same order.
    pub(crate) probes: Vec<Probe>,
    /// The same as files of ours, for backups; or how what they are on is backed up.
    pub(crate) files: Result<Vec<StoreFile>, String>,
}

/// A probe of this, by this question.
fn probe<T, Answer>(on: T, ask: fn(T) -> Answer) -> Probe
where
    T: Clone + Send + Sync + 'static,
    Answer: Future<Output = bool> + Send + 'static,
{
    Arc::new(move || Box::pin(ask(on.clone())))
}

// === impl Engines ===

impl Default for Engines {
    fn default() -> Self {
        Self {
            broker: BrokerUrl::default(),
            store: StoreUrl::default(),
            namespace: Namespace::default(),
            patience: PATIENCE,
        }
    }
}

impl Engines {
    /// Opens the broker and declares everything that the shop as a whole relies on, so that
    /// processes may start in any order.
    pub(crate) async fn broker(
        &self,
        folder: &Path,
        topology: &Topology,
        clock: &Arc<dyn Clock>,
    ) -> Result<Carrier, StartError> {
        let mut carrier = match &self.broker {
            BrokerUrl::Embedded => embedded::open(folder, clock).await?,
            BrokerUrl::Kafka(url) => kafka::open(self, url).await?,
            BrokerUrl::Rabbit(url) => rabbit::open(self, url).await?,
        };
        if !matches!(self.broker, BrokerUrl::Kafka(_)) {
            carrier.broker = self.namespace.within(carrier.broker);
        }
        let broker = &carrier.broker;
        waiting::connect(&self.broker, "--broker", self.patience, || async {
            broker.declare(topology).await.map_err(Undeclared)
        })
        .await?;
        if let (None, Some(topic)) = (&carrier.probe, topology.topics.first()) {
            // It is surely declared: declaring it again asks the broker whether it is there.
            let topic = Topology::of([topic.clone()]);
            carrier.probe =
                Some(probe((carrier.broker.clone(), topic), |(broker, topic)| async move {
                    broker.declare(&topic).await.is_ok()
                }));
        }
        Ok(carrier)
    }

    /// Opens the stores of these services, in their order.
    pub(crate) async fn stores(
        &self,
        folder: &Path,
        services: &[Service],
        clock: &Arc<dyn Clock>,
        rng: &mut Rng,
    ) -> Result<Stores, StartError> {
        match &self.store {
            StoreUrl::Sqlite => {
                let files = sqlite::open(folder, services, clock, rng).await?;
                let all = files.iter().map(|file| Arc::new(file.store.clone()) as Arc<dyn Store>);
                let writes = |file: &StoreFile| {
                    probe(file.store.clone(), |store| async move { store.can_write().await })
                };
                let (all, probes) = (all.collect(), files.iter().map(writes).collect());
                Ok(Stores { all, probes, files: Ok(files) })
            }
            StoreUrl::Postgres(url) => {
                let all = postgres::open(self, url, services, clock, rng, None).await?;
                let answers = |store: &Arc<dyn Store>| {
                    probe(
                        store.clone(),
                        |store| async move { store.reading("readyz").await.is_ok() },
                    )
                };
                let probes = all.iter().map(answers).collect();
                Ok(Stores { all, probes, files: Err(backup::POSTGRES.to_owned()) })
            }
        }
    }

    /// The same, for a process that only looks at them now and then.
    pub(crate) async fn stores_to_look_at(
        &self,
        folder: &Path,
        services: &[Service],
        clock: &Arc<dyn Clock>,
        rng: &mut Rng,
    ) -> Result<Vec<Arc<dyn Store>>, StartError> {
        match &self.store {
            StoreUrl::Sqlite => Ok(self.stores(folder, services, clock, rng).await?.all),
            StoreUrl::Postgres(url) => {
                postgres::open(self, url, services, clock, rng, Some(FEW)).await
            }
        }
    }

    /// How this process stands, for a service whose store is asked by this probe.
    pub(crate) fn process(&self, name: &str, carrier: &Carrier, store: &Probe) -> Process {
        let process = match self.store {
            StoreUrl::Sqlite => Process::default(),
            StoreUrl::Postgres(_) => Process::one_of_many(name),
        };
        let store = store.clone();
        let process = process.with_probe("store", move || store());
        match carrier.probe.clone() {
            Some(broker) => process.with_probe("broker", move || broker()),
            None => process,
        }
    }

    /// Why several processes cannot share these engines; `None` when they can.
    pub fn alone_because(&self) -> Option<String> {
        match (&self.broker, &self.store) {
            (BrokerUrl::Embedded, _) => Some(
                "the embedded broker lives inside one process, so services in processes of their \
                 own would not hear each other: name one with --broker kafka://HOST:PORT or \
                 --broker amqp://HOST:PORT, or run the whole shop with `switchboard up`"
                    .to_owned(),
            ),
            (_, StoreUrl::Sqlite) => Some(
                "a SQLite file belongs to one process, so copies of a service could not share it: \
                 name a server with --store postgres://USER@HOST/DATABASE, or run the whole shop \
                 with `switchboard up`"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

// === impl Carrier ===

impl Carrier {
    /// A broker of its own, and how it is closed.
    pub(crate) fn new<F>(
        url: BrokerUrl,
        broker: Arc<dyn Broker>,
        close: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let close = Box::new(move || Box::pin(close()) as BoxFuture<'static, ()>);
        Self { broker, embedded: None, close, url, probe: None }
    }

    /// Which broker it is.
    pub(crate) fn url(&self) -> &BrokerUrl {
        &self.url
    }

    /// Writes what it has, and lets go.
    pub(crate) async fn close(self) {
        (self.close)().await;
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").field("broker", &self.broker).finish_non_exhaustive()
    }
}

/// A topology that is not there. Only a broker that is away is worth waiting for.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Undeclared(TopologyError);

impl Retryable for Undeclared {
    fn verdict(&self) -> Verdict {
        match self.0 {
            TopologyError::Unavailable(_) => Verdict::Retry,
            _ => Verdict::Stuck,
        }
    }
}
