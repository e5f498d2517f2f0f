//! The parts of a service that run side by side: if one fails, all end, and the service says why. None dies silently.

use std::future::Future;
use std::pin::Pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use switchboard_core::{BoxError, chain};
use tokio_util::sync::CancellationToken;

type Running = Pin<Box<dyn Future<Output = (&'static str, Result<(), BoxError>)> + Send>>;

/// Futures that live and end together.
#[derive(Default)]
pub struct Parts(Vec<Running>);

/// A part of a service failed, and so the service has ended.
#[derive(Debug, thiserror::Error)]
#[error("{part} failed")]
pub struct PartFailed {
    part: &'static str,
    #[source]
    source: BoxError,
}

// === impl Parts ===

impl Parts {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more, by the name that its failure shows.
    #[must_use]
    pub fn with<F, E>(mut self, part: &'static str, future: F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.0.push(Box::pin(async move { (part, future.await.map_err(Into::into)) }));
        self
    }

    /// Runs all of them, each as a task of its own, until they have ended. When one fails,
    /// `shutdown` is cancelled, so that the others drain.
    ///
    /// # Errors
    /// The first failure.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), BoxError> {
        let mut first = Ok(());
        let mut tasks: FuturesUnordered<_> = self.0.into_iter().map(tokio::spawn).collect();
        while let Some(ended) = tasks.next().await {
            let (part, result) = ended.unwrap_or_else(|panic| ("a task", Err(panic.into())));
            if let Err(source) = result {
                tracing::error!(part, error = chain(&*source), "failed");
                shutdown.cancel();
                if first.is_ok() {
                    first = Err(PartFailed { part, source }.into());
                }
            }
        }
        first
    }
}

/// Whether a service has ended because its store could not say what became of a unit. A store that
/// is a server knows it when it is back, and then the service can begin again.
pub fn has_lost_its_store(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| {
        let relay = cause.downcast_ref::<switchboard_relay::Error>();
        let group = cause.downcast_ref::<switchboard_handler::Error>();
        relay.is_some_and(|it| matches!(it, switchboard_relay::Error::StoreLost(_)))
            || group.is_some_and(|it| matches!(it, switchboard_handler::Error::Store { .. }))
    })
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parts({})", self.0.len())
    }
}
