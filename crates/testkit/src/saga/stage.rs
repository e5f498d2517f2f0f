//! What a trial is given to set a play up with, and what it gets back.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_core::{Clock, Rng, Timestamp};
use switchboard_handler::{Group, Options};
use switchboard_message::Broker;
use switchboard_saga::Orchestrator;
use switchboard_store::{Journal, MemoryStore, Sharing, Store, Table};

use super::wire::Wire;

type Observe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;

/// The seams of one play: a broker that misbehaves on demand, and time that moves with tokio's.
#[derive(Debug)]
pub struct Seams {
    /// The broker. Topics need not be declared.
    pub broker: Arc<dyn Broker>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    pub(super) wire: Arc<Wire>,
    stores: Mutex<Vec<Arc<MemoryStore>>>,
    rng: Mutex<Rng>,
    /// How the process that is set up now shares the stores with others.
    sharing: Mutex<Sharing>,
}

/// A saga with everybody who takes part.
pub struct Stage<S> {
    pub(super) saga: Orchestrator<S>,
    pub(super) input: S,
    pub(super) groups: Vec<Group>,
    pub(super) observe: Observe,
}

/// Time that moves as tokio's does.
#[derive(Debug)]
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus(self.0.elapsed())
    }
}

// === impl Seams ===

impl Seams {
    pub(super) fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Virtual(tokio::time::Instant::now()));
        let wire = Arc::new(Wire::new(clock.clone()));
        let (stores, rng) = (Mutex::default(), Mutex::new(Rng::from_seed(7)));
        let sharing = Mutex::default();
        Self { broker: wire.clone(), clock, wire, stores, rng, sharing }
    }

    /// What is set up from now on lives in another process, over the same stores.
    pub(super) fn enter_process(&self, name: &str) {
        *self.sharing.lock() = Sharing::leased(name);
    }

    pub(super) fn sharing(&self) -> Sharing {
        self.sharing.lock().clone()
    }

    /// A store of its own for one of those who take part; where the play runs in several
    /// processes, they share it. A relay is run for it.
    pub fn store(&self, source: &'static str, tables: &[&'static Table]) -> Arc<dyn Store> {
        let known = self.stores.lock().iter().find(|it| it.identity().source == *source).cloned();
        if let Some(known) = known {
            return known;
        }
        let store = Arc::new(MemoryStore::new(source, tables, self.clock.clone(), self.rng()));
        self.stores.lock().push(store.clone());
        store
    }

    /// A group over one of these stores.
    pub fn group(&self, name: &str, store: &Arc<dyn Store>) -> Group {
        let options = Options { sharing: self.sharing(), ..Options::default() };
        Group::new(name, store.clone(), self.broker.clone(), self.clock.clone(), self.rng())
            .with_options(options)
    }

    /// Chance.
    pub fn rng(&self) -> Rng {
        self.rng.lock().fork()
    }

    pub(super) fn stores(&self) -> Vec<Arc<MemoryStore>> {
        self.stores.lock().clone()
    }
}

// === impl Stage ===

impl<S> Stage<S> {
    /// A saga that will run on this input, with its own group and those of its participants.
    /// Nothing is observed yet.
    pub fn new(saga: Orchestrator<S>, input: S, groups: impl IntoIterator<Item = Group>) -> Self {
        let observe: Observe = Arc::new(|| Box::pin(async { String::new() }));
        Self { saga, input, groups: groups.into_iter().collect(), observe }
    }

    /// What has happened to the world, as text: balances, stock, parcels. It must leave out what a
    /// saga may leave behind when it is undone, such as the participants' memory of questions.
    #[must_use]
    pub fn observing<Fut>(mut self, observe: impl Fn() -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = String> + Send + 'static,
    {
        self.observe = Arc::new(move || Box::pin(observe()));
        self
    }
}

impl<S> fmt::Debug for Stage<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("saga", &self.saga).finish_non_exhaustive()
    }
}
