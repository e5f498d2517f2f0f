//! What is answered instead, and in which order: kept and fresh, kept and stale, another source, something fixed, the error itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::StaleCache;
use crate::{Call, Reason};

/// Why a fallback was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A policy did not let the call through, or gave it up.
    Rejected(Reason),
    /// The dependency failed.
    Failed,
}

/// Where an answer came from that is not the dependency's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Kept, and still fresh.
    Fresh {
        /// How long ago it was given.
        age: Duration,
    },
    /// Kept, and older than fresh.
    Stale {
        /// How long ago it was given.
        age: Duration,
    },
    /// From another source that was asked instead.
    Alternative,
    /// The same for everybody.
    Static,
}

/// An answer is not the dependency's own: from where, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// From where.
    pub source: Source,
    /// Why.
    pub cause: Cause,
}

/// What is asked of a plan once a call has failed.
pub(super) struct Plan<T> {
    pub(super) cache: Option<(StaleCache<T>, Arc<Copy<T>>)>,
    pub(super) alternative: Option<Alternative<T>>,
    pub(super) fixed: Option<Arc<Fixed<T>>>,
}

pub(super) struct Alternative<T> {
    ask: Arc<Ask<T>>,
    places: Arc<Semaphore>,
    limit: Duration,
}

pub(super) type Copy<T> = dyn Fn(&T) -> Option<T> + Send + Sync;
pub(super) type Fixed<T> = dyn Fn(Cause) -> Option<T> + Send + Sync;
pub(super) type Answering<T> = Pin<Box<dyn Future<Output = Option<T>> + Send>>;
type Ask<T> = dyn Fn(Cause, Option<&str>) -> Answering<T> + Send + Sync;

// === impl Plan ===

impl<T> Plan<T> {
    /// Keeps a good answer.
    pub(super) fn keep(&self, key: Option<&str>, answer: &T) {
        if let (Some((cache, copy)), Some(key)) = (&self.cache, key)
            && let Some(answer) = copy(answer)
        {
            cache.put(key, answer);
        }
    }

    /// What to answer instead; `None`: the error.
    pub(super) async fn answer(
        &self,
        cause: Cause,
        key: Option<&str>,
        call: Call,
    ) -> Option<(T, Source)> {
        let kept = key.zip(self.cache.as_ref());
        let kept = kept.and_then(|(key, (cache, copy))| cache.get_with(key, |kept| copy(kept)));
        if let Some(kept) = kept {
            let age = kept.age;
            let source = if kept.is_fresh { Source::Fresh { age } } else { Source::Stale { age } };
            return Some((kept.answer, source));
        }
        if let Some(alternative) = &self.alternative
            && let Some(answer) = alternative.answer(cause, key, call).await
        {
            return Some((answer, Source::Alternative));
        }
        let fixed = self.fixed.as_ref()?;
        fixed(cause).map(|answer| (answer, Source::Static))
    }
}

impl<T> Clone for Plan<T> {
    fn clone(&self) -> Self {
        Self {
            cache: self.cache.clone(),
            alternative: self.alternative.clone(),
            fixed: self.fixed.clone(),
        }
    }
}

// === impl Alternative ===

impl<T> Alternative<T> {
    pub(super) fn new(
        places: usize,
        limit: Duration,
        ask: impl Fn(Cause, Option<&str>) -> Answering<T> + Send + Sync + 'static,
    ) -> Self {
        Self { ask: Arc::new(ask), places: Arc::new(Semaphore::new(places)), limit }
    }

    /// Once, at once or not at all, and within the limit and the call's deadline: what fails while
    /// everything fails must not become a queue of its own.
    async fn answer(&self, cause: Cause, key: Option<&str>, call: Call) -> Option<T> {
        let _place = self.places.try_acquire().ok()?;
        let until = call.within(self.limit, Instant::now()).deadline?;
        tokio::time::timeout_at(until, (self.ask)(cause, key)).await.ok().flatten()
    }
}

impl<T> Clone for Alternative<T> {
    fn clone(&self) -> Self {
        Self { ask: self.ask.clone(), places: self.places.clone(), limit: self.limit }
    }
}

// === impl Source ===

impl Source {
    /// The name in metrics and headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh { .. } => "fresh",
            Self::Stale { .. } => "stale",
            Self::Alternative => "alternative",
            Self::Static => "static",
        }
    }
}
