//! A consumer group: its registrations, its settings, and the life between `run` and shutdown.

use std::future::Future;
use std::sync::Arc;

use switchboard_core::{Clock, Envelope, Message, Name, Rng};
use switchboard_message::Broker;
use switchboard_store::{Store, Unit};
use tokio_util::sync::CancellationToken;

use crate::drain::Drainer;
use crate::guard::Guard;
use crate::intake::Intake;
use crate::planted::Planted;
use crate::routes::{Routes, typed, untyped};
use crate::runner::Runner;
use crate::{Error, Failure, Options};

/// A group of handlers that share one progress, one inbox and one store.
///
/// Messages of one key are handled strictly one after another, different keys at the same time.
/// Each message's effect, its mark and the group's progress are one commit, so a message has its
/// effect exactly once, however often it is delivered.
#[derive(Debug)]
pub struct Group {
    name: Name,
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    rng: Rng,
    options: Options,
    routes: Routes,
    guard: Option<Guard>,
    planted: Planted,
}

/// What a group is, for maps and operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The group's name.
    pub group: Name,
    /// Each topic with each type of message that it handles; `*` stands for all others.
    pub consumes: Vec<(Name, Name)>,
    /// Its settings.
    pub options: Options,
}

// === impl Group ===

impl Group {
    /// A group without handlers. Its name is its identity: marks and progress are kept under it.
    pub fn new(
        name: &str,
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        clock: Arc<dyn Clock>,
        rng: Rng,
    ) -> Self {
        let (options, routes, guard, planted) = Default::default();
        Self { name: name.into(), store, broker, clock, rng, options, routes, guard, planted }
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The same, and its handlers run only while what they ask works: see [`Guard`].
    #[must_use]
    pub fn guarded_by(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Registers a handler for one type of message on that type's own topic.
    ///
    /// The handler loads, decides and returns the unit to commit; the group adds the mark, the
    /// progress and the causal context. It may run again when its conditions did not hold. It runs
    /// on the group's own task: long computations belong on a blocking thread.
    #[must_use]
    pub fn on<M, F, Fut>(self, handler: F) -> Self
    where
        M: Message,
        F: Fn(M, Arc<Envelope>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Unit, Failure>> + Send + 'static,
    {
        self.on_topic(M::TOPIC, handler)
    }

    /// Registers a handler for one type of message on another topic: replies, routed copies.
    #[must_use]
    pub fn on_topic<M, F, Fut>(mut self, topic: impl Into<Name>, handler: F) -> Self
    where
        M: Message,
        F: Fn(M, Arc<Envelope>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Unit, Failure>> + Send + 'static,
    {
        self.routes.add(topic.into(), M::KIND.into(), typed(handler));
        self
    }

    /// Registers a handler for every type of message on a topic that has no handler of its own.
    #[must_use]
    pub fn on_any<F, Fut>(mut self, topic: impl Into<Name>, handler: F) -> Self
    where
        F: Fn(Arc<Envelope>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Unit, Failure>> + Send + 'static,
    {
        self.routes.add_any(topic.into(), untyped(handler));
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

    /// What the group is, as its registrations say.
    pub fn describe(&self) -> Description {
        Description {
            group: self.name.clone(),
            consumes: self.routes.pairs(),
            options: self.options.clone(),
        }
    }

    /// Consumes until `shutdown`, then ends its running handlers within [`Options::patience`].
    ///
    /// # Errors
    /// [`Error`] when it cannot go on by itself. A broker or a store that is only away for a
    /// while is waited for.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: what was not committed is delivered again.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        self.options.check().map_err(|what| Error::Invalid { group: self.name.clone(), what })?;
        if self.routes.topics().next().is_none() {
            let what = "no handler is registered".to_owned();
            return Err(Error::Invalid { group: self.name, what });
        }
        let stop = shutdown.child_token();
        let runner = Arc::new(Runner::new(
            self.name,
            self.store,
            self.clock,
            self.rng,
            self.options,
            self.routes,
            self.guard,
            self.planted,
            stop.clone(),
        ));
        runner.recall_gates().await;
        let intake = async {
            let result = Intake::new(Arc::clone(&runner), self.broker).run().await;
            stop.cancel();
            result
        };
        let drainer = async {
            let result = Drainer::new(Arc::clone(&runner)).run().await;
            stop.cancel();
            result
        };
        let working = async {
            let (consumed, drained) = tokio::join!(intake, drainer);
            consumed.and(drained)
        };
        // The lease is kept until the work has ended and has given it up.
        let keeping = async {
            match &runner.keeper {
                Some(keeper) => keeper.run().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            worked = working => worked,
            lost = keeping => Err(runner.lost_store(lost)),
        }
    }
}
