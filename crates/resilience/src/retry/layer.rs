//! Wraps services in [`Retry`].

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::{Rng, Verdict};
use tower::Layer;

use super::{Classify, Retry};
use crate::Backoff;

/// Repeats failed calls of a service.
pub struct RetryLayer<E> {
    backoff: Arc<Backoff>,
    total: Option<Duration>,
    rng: Arc<Mutex<Rng>>,
    classify: Classify<E>,
}

impl<E> RetryLayer<E> {
    /// Repeats by this policy what `classify` says may be repeated. Chance is an argument (R9).
    pub fn new(
        backoff: Backoff,
        rng: Rng,
        classify: impl Fn(&E) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self {
            backoff: Arc::new(backoff),
            total: None,
            rng: Arc::new(Mutex::new(rng)),
            classify: Arc::new(classify),
        }
    }

    /// No attempt begins later than this after the call began (R3). Default: no limit but the
    /// number of attempts.
    #[must_use]
    pub fn with_total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }
}

impl<E> RetryLayer<E> {
    pub(crate) fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    pub(crate) const fn total(&self) -> Option<Duration> {
        self.total
    }
}

impl<E> Clone for RetryLayer<E> {
    fn clone(&self) -> Self {
        Self {
            backoff: self.backoff.clone(),
            total: self.total,
            rng: self.rng.clone(),
            classify: self.classify.clone(),
        }
    }
}

impl<E> std::fmt::Debug for RetryLayer<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RetryLayer").field("backoff", &self.backoff).finish_non_exhaustive()
    }
}

impl<S, E> Layer<S> for RetryLayer<E> {
    type Service = Retry<S, E>;

    fn layer(&self, inner: S) -> Retry<S, E> {
        Retry {
            inner,
            backoff: self.backoff.clone(),
            total: self.total,
            rng: self.rng.clone(),
            classify: self.classify.clone(),
        }
    }
}
