//! The relay of one store: what it needs, the check before it begins, and its life.

use std::sync::Arc;

use switchboard_core::slot::murmur2;
use switchboard_core::{Clock, Rng};
use switchboard_message::Broker;
use switchboard_store::leases::Keeper;
use switchboard_store::{CommitError, Store, StoreIdentity};
use tokio_util::sync::CancellationToken;

use crate::metrics::Numbers;
use crate::planted::Planted;
use crate::publisher::Publisher;
use crate::{Error, GROUP, Options, incarnation, ranges, timers};

/// Carries a store's messages to the broker and fires its timers.
#[derive(Clone, Debug)]
pub struct Relay {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    options: Options,
    planted: Planted,
}

/// A relay that has checked its store and may publish: the store may take units now.
#[derive(Debug)]
pub struct Running {
    relay: Relay,
    identity: StoreIdentity,
}

// === impl Relay ===

impl Relay {
    /// The relay of this store.
    pub fn new(store: Arc<dyn Store>, broker: Arc<dyn Broker>, clock: Arc<dyn Clock>) -> Self {
        let options = Options::default();
        Self { store, broker, clock, options, planted: Planted::Nothing }
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options.clamped();
        self
    }

    /// Plants a bug, so that a test can show that it would be found.
    #[cfg(feature = "planted")]
    #[doc(hidden)]
    #[must_use]
    pub fn with_planted_bug(mut self, planted: Planted) -> Self {
        self.planted = planted;
        self
    }

    /// Begins a new incarnation if the broker knows messages of this store that the store itself
    /// does not: it was put back to an older copy.
    ///
    /// # Errors
    /// When the store or the broker cannot be asked; nothing is safe to publish then.
    pub async fn check_incarnation(&self) -> Result<StoreIdentity, Error> {
        incarnation::check(&*self.store, &*self.broker).await
    }

    /// Checks the incarnation. A service calls this before it accepts work, so that no unit is
    /// committed under sequences that the broker has seen already.
    ///
    /// # Errors
    /// As [`Relay::check_incarnation`].
    pub async fn start(self) -> Result<Running, Error> {
        let identity = self.check_incarnation().await?;
        Ok(Running { relay: self, identity })
    }

    /// [`Relay::start`], tried until the broker answers, and then [`Running::run`].
    ///
    /// # Errors
    /// When the store is lost.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let longest = self.options.longest_wait;
        let mut wait = longest / 64;
        loop {
            match self.clone().start().await {
                Ok(running) => return running.run(shutdown).await,
                Err(error) => {
                    let error = switchboard_core::chain(&error);
                    tracing::warn!(error, "the relay cannot begin; trying again");
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(longest),
            }
        }
    }
}

// === impl Running ===

impl Running {
    /// Whose store it is, after the check.
    pub fn identity(&self) -> &StoreIdentity {
        &self.identity
    }

    /// Publishes, fires timers and deletes what is done with, until `shutdown`; then stores the
    /// last checkpoints.
    ///
    /// # Errors
    /// When the store is lost. A broker that is away is waited for.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: what was published and not recorded is published again.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Self { relay, identity } = self;
        let Relay { store, broker, clock, options, planted } = relay;
        let stop = shutdown.child_token();
        let numbers = Arc::new(Numbers::of(&identity.source));
        let seed = u64::from(murmur2(identity.source.as_bytes())) + u64::from(identity.incarnation);
        let slots = options.sharing.keeper_of_share(&store, &clock, GROUP, ranges::COUNT);
        let clocked = options.sharing.keeper(&store, &clock, timers::LEASE);
        let publisher = Publisher {
            store: Arc::clone(&store),
            broker,
            clock: Arc::clone(&clock),
            options: options.clone(),
            planted,
            numbers: Arc::clone(&numbers),
            rng: Rng::from_seed(seed),
            keeper: slots.clone(),
        };
        let publishing = async {
            let result = publisher.run(stop.clone()).await;
            stop.cancel();
            result
        };
        let firing = async {
            let post = clocked.as_deref();
            let result =
                timers::run(&*store, &*clock, &options, &numbers, post, stop.clone()).await;
            stop.cancel();
            result
        };
        let working = async {
            let (published, fired) = tokio::join!(publishing, firing);
            published.and(fired)
        };
        // The leases are kept until the work has ended and has given them up.
        tokio::select! {
            biased;
            worked = working => worked,
            lost = keep(slots.as_deref()) => Err(Error::StoreLost(lost.into())),
            lost = keep(clocked.as_deref()) => Err(Error::StoreLost(lost.into())),
        }
    }
}

/// Keeps leases until the store is lost; without any, for ever.
async fn keep(keeper: Option<&Keeper>) -> CommitError {
    match keeper {
        Some(keeper) => keeper.run().await,
        None => std::future::pending().await,
    }
}
