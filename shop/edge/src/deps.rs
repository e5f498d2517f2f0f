//! What a service is given, whatever process it runs in.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use switchboard_core::{Clock, Name, Rng};
use switchboard_handler::Group;
use switchboard_message::Broker;
use switchboard_relay::{Relay, Running};
use switchboard_store::{Sharing, Store};
use tokio_util::sync::CancellationToken;

use crate::{Auth, insist};

/// The seams of one service. It does not know what stands behind them.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Its own store.
    pub store: Arc<dyn Store>,
    /// The broker that all services share.
    pub broker: Arc<dyn Broker>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rng: Rng,
    /// Keys, and who calls.
    pub auth: Arc<Auth>,
    /// How the process stands among others. The default is a process that is alone.
    pub process: Process,
}

/// How a process stands: whether others work on the same stores, and what must answer before it
/// can take calls.
#[derive(Clone, Default)]
pub struct Process {
    holder: Option<Name>,
    probes: Vec<(&'static str, Probe)>,
    extras: http::Extensions,
    beside: Router,
}

/// Asks whether something answers now.
pub(crate) type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

// === impl Deps ===

impl Deps {
    /// The relay of the service's store.
    pub fn relay(&self) -> Relay {
        let options =
            switchboard_relay::Options { sharing: self.process.sharing(), ..Default::default() };
        Relay::new(self.store.clone(), self.broker.clone(), self.clock.clone())
            .with_options(options)
    }

    /// The relay, when it may publish: tried until the engines answer, `None` once `shutdown` has
    /// begun. A service takes no calls before.
    ///
    /// # Errors
    /// When trying again is of no use.
    pub async fn start_relay(
        &self,
        shutdown: &CancellationToken,
    ) -> Result<Option<Running>, switchboard_relay::Error> {
        insist("the relay", shutdown, || self.relay().start()).await
    }

    /// A group of the service, without handlers yet.
    pub fn group(&self, name: &str) -> Group {
        let (store, broker) = (self.store.clone(), self.broker.clone());
        Group::new(name, store, broker, self.clock.clone(), self.rng.clone().fork())
            .with_options(self.group_options())
    }

    /// The settings of a group that sets nothing itself.
    pub fn group_options(&self) -> switchboard_handler::Options {
        switchboard_handler::Options { sharing: self.process.sharing(), ..Default::default() }
    }
}

// === impl Process ===

impl Process {
    /// One of several processes that may work on the same stores; each has a name of its own, which
    /// no other process has or had.
    pub fn one_of_many(holder: impl Into<Name>) -> Self {
        Self { holder: Some(holder.into()), ..Self::default() }
    }

    /// Whether other processes work on the same stores, as relays and groups are told.
    pub fn sharing(&self) -> Sharing {
        self.holder.clone().map_or(Sharing::Alone, Sharing::leased)
    }

    /// The same, not ready while this does not answer. It is asked at every `/readyz`, and given
    /// up after a second.
    #[must_use]
    pub fn with_probe<F, Fut>(mut self, name: &'static str, probe: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.probes.push((name, Arc::new(move || Box::pin(probe()))));
        self
    }

    /// The same, with something for the one service that knows what to do with it, by its type: a
    /// way out of the shop that most processes do without.
    #[must_use]
    pub fn with_extra<T: Clone + Send + Sync + 'static>(mut self, extra: T) -> Self {
        self.extras.insert(extra);
        self
    }

    /// What this process has of this type.
    pub fn extra<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.extras.get().cloned()
    }

    /// The same, with routes that its port answers beside those of the service: what is the same for
    /// whatever runs in it.
    #[must_use]
    pub fn with_routes(mut self, beside: Router) -> Self {
        self.beside = self.beside.merge(beside);
        self
    }

    pub(crate) fn beside(&self) -> Router {
        self.beside.clone()
    }

    pub(crate) fn probes(&self) -> impl Iterator<Item = (&'static str, Probe)> {
        self.probes.iter().cloned()
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let probes: Vec<_> = self.probes.iter().map(|(name, _)| name).collect();
        f.debug_struct("Process").field("holder", &self.holder).field("probes", &probes).finish()
    }
}
