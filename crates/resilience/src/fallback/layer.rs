//! Wraps services in [`Fallback`].

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tower::Layer;

use super::plan::{Alternative, Plan};
use super::{Cause, Degraded, Fallback, Settings, StaleCache};
use crate::{Classifier, PolicyName, Reason};

/// Alternatives that run at the same time.
const PLACES: usize = 10;
/// How long an alternative may take.
const LIMIT: Duration = Duration::from_secs(1);

/// Answers something else when a call fails.
pub struct FallbackLayer<R, T, E> {
    settings: Settings<R, T, E>,
}

// === impl FallbackLayer ===

impl<R, T, E> FallbackLayer<R, T, E> {
    /// For what this classifier counts as failures, and for what policies further in rejected.
    /// Alone it answers nothing: say what, with `with_…`.
    pub fn new(classifier: Classifier<T, E>) -> Self {
        Self {
            settings: Settings {
                name: PolicyName::new("fallback"),
                classifier,
                key: None,
                plan: Plan { cache: None, alternative: None, fixed: None },
                covers: Arc::new(|cause| cause != Cause::Rejected(Reason::DeadlineExceeded)),
                mark: None,
            },
        }
    }

    /// The name in metrics. Default: `fallback`.
    #[must_use]
    pub fn named(mut self, name: impl Into<PolicyName>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Its name.
    pub const fn name(&self) -> PolicyName {
        self.settings.name
    }

    /// First, the last good answer to the same question: `key` names the question, `copy` copies
    /// an answer into the cache and out of it. Either may say `None`; then nothing is kept.
    #[must_use]
    pub fn with_cache(
        mut self,
        cache: StaleCache<T>,
        key: impl Fn(&R) -> Option<String> + Send + Sync + 'static,
        copy: impl Fn(&T) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        self.settings.plan.cache = Some((cache, Arc::new(copy)));
        self.settings.key = Some(Arc::new(key));
        self
    }

    /// Then, another source: with ten at a time and 1 s for each, once, and never waiting for a
    /// place.
    #[must_use]
    pub fn with_alternative<F>(
        mut self,
        ask: impl Fn(Cause, Option<&str>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<T>> + Send + 'static,
    {
        let ask = move |cause, key: Option<&str>| -> super::plan::Answering<T> {
            Box::pin(ask(cause, key))
        };
        self.settings.plan.alternative = Some(Alternative::new(PLACES, LIMIT, ask));
        self
    }

    /// Last, something fixed: an empty list, a default.
    #[must_use]
    pub fn with_static(
        mut self,
        fixed: impl Fn(Cause) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        self.settings.plan.fixed = Some(Arc::new(fixed));
        self
    }

    /// Only for these causes. Default: all but a call that was not begun for want of time. After the
    /// deadline that a call brought, none: nobody reads the answer.
    #[must_use]
    pub fn covering(mut self, covers: impl Fn(Cause) -> bool + Send + Sync + 'static) -> Self {
        self.settings.covers = Arc::new(covers);
        self
    }

    /// Lets `mark` write into an answer that it is not the dependency's own; with HTTP,
    /// [`mark_degraded`](crate::propagate::mark_degraded) on its headers.
    #[must_use]
    pub fn marked_by(mut self, mark: impl Fn(&mut T, Degraded) + Send + Sync + 'static) -> Self {
        self.settings.mark = Some(Arc::new(mark));
        self
    }
}

impl<R, T, E> Clone for FallbackLayer<R, T, E> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone() }
    }
}

impl<R, T, E> std::fmt::Debug for FallbackLayer<R, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FallbackLayer").field("name", &self.settings.name).finish_non_exhaustive()
    }
}

impl<S, R, T, E> Layer<S> for FallbackLayer<R, T, E> {
    type Service = Fallback<S, R, T, E>;

    fn layer(&self, inner: S) -> Fallback<S, R, T, E> {
        Fallback { inner, settings: Arc::new(self.settings.clone()) }
    }
}
