//! Something else is answered when a call fails, and says that it is something else.
//!
//! A page with yesterday's prices, marked as such, is worth more than an error; so is an empty list of recommendations. In this order: the
//! last good answer while it is fresh, the same while it is not too old, another source, something fixed, the error (D10).
//!
//! It sits *outside* the retry: a fallback inside would look like a success, and the retry would never run. It has no retry of its own,
//! and a few places only, because it is busiest when everything else fails.
//!
//! Not for writes, and not to hide that something is broken: mark the answers, and watch [`FALLBACKS`].
//!
//! ```
//! use std::time::Duration;
//! use switchboard_core::BoxError;
//! use switchboard_resilience::fallback::{FallbackLayer, StaleCache};
//! use switchboard_resilience::{Call, Classifier};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let cache = StaleCache::new(Duration::from_secs(60), Duration::from_secs(3_600));
//! cache.put("lamp", 995);
//! let mut service = ServiceBuilder::new()
//!     .layer(
//!         FallbackLayer::new(Classifier::of_errors())
//!             .with_cache(cache, |(_, name): &(Call, String)| Some(name.clone()), |price| Some(*price))
//!             .with_static(|_| Some(0)),
//!     )
//!     .service(service_fn(|_: (Call, String)| async { Err::<u32, _>(BoxError::from("down")) }));
//! assert_eq!(service.ready().await?.call((Call::new(), "lamp".to_owned())).await?, 995);
//! assert_eq!(service.ready().await?.call((Call::new(), "sofa".to_owned())).await?, 0);
//! # Ok(()) }
//! ```

mod cache;
mod layer;
mod plan;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;
use tower::Service;

use crate::{Carries, Classifier, Outcome, PolicyName, SeamError};
use plan::Plan;

pub use cache::{Kept, StaleCache};
pub use layer::FallbackLayer;
pub use plan::{Cause, Degraded, Source};

/// Answers that were not the dependency's own, by `policy` and `source`.
pub const FALLBACKS: &str = "switchboard.resilience.fallbacks";
/// The counters of this module, each with what it counts.
pub const METRICS: &[(&str, &str)] = &[(FALLBACKS, "Answers that were not the dependency's own")];

/// A service that answers something else when a call fails.
pub struct Fallback<S, R, T, E> {
    inner: S,
    settings: Arc<Settings<R, T, E>>,
}

struct Settings<R, T, E> {
    name: PolicyName,
    classifier: Classifier<T, E>,
    key: Option<Arc<KeyOf<R>>>,
    plan: Plan<T>,
    covers: Arc<dyn Fn(Cause) -> bool + Send + Sync>,
    mark: Option<Arc<Mark<T>>>,
}

type KeyOf<R> = dyn Fn(&R) -> Option<String> + Send + Sync;
type Mark<T> = dyn Fn(&mut T, Degraded) + Send + Sync;

// === impl Fallback ===

impl<S, R> Service<R> for Fallback<S, R, S::Response, S::Error>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Error: SeamError + Send + 'static,
    S::Response: Send + 'static,
    R: Carries + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let settings = self.settings.clone();
        let key = settings.key.as_ref().and_then(|key| key(&request));
        let call = request.call();
        let running = self.inner.call(request);
        Box::pin(async move {
            let answer = running.await;
            let Some(cause) = settings.cause(&answer, key.as_deref()) else { return answer };
            // After the caller's own deadline nobody reads what would be answered.
            let is_read = !call.remaining(Instant::now()).is_some_and(|left| left.is_zero());
            if !is_read || !(settings.covers)(cause) {
                return answer;
            }
            match settings.plan.answer(cause, key.as_deref(), call).await {
                Some((instead, source)) => Ok(settings.degraded(instead, source, cause)),
                None => answer,
            }
        })
    }
}

// === impl Settings ===

impl<R, T, E: SeamError> Settings<R, T, E> {
    /// Why this answer needs a fallback, if it does. Keeps a success for later; what says nothing
    /// about the dependency (a "not found") may be an error's page, and is not kept.
    fn cause(&self, answer: &Result<T, E>, key: Option<&str>) -> Option<Cause> {
        if let Some(rejected) = answer.as_ref().err().and_then(SeamError::rejected) {
            return Some(Cause::Rejected(rejected.reason));
        }
        match self.classifier.classify(answer) {
            Outcome::Failure { .. } => Some(Cause::Failed),
            Outcome::Ignore => None,
            Outcome::Success => {
                answer.iter().for_each(|good| self.plan.keep(key, good));
                None
            }
        }
    }

    fn degraded(&self, mut answer: T, source: Source, cause: Cause) -> T {
        metrics::counter!(
            FALLBACKS, "policy" => self.name.as_str(), "source" => source.as_str()
        )
        .increment(1);
        if let Some(mark) = &self.mark {
            mark(&mut answer, Degraded { source, cause });
        }
        answer
    }
}

impl<R, T, E> Clone for Settings<R, T, E> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            classifier: self.classifier.clone(),
            key: self.key.clone(),
            plan: self.plan.clone(),
            covers: self.covers.clone(),
            mark: self.mark.clone(),
        }
    }
}

impl<S: Clone, R, T, E> Clone for Fallback<S, R, T, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), settings: self.settings.clone() }
    }
}

impl<S: std::fmt::Debug, R, T, E> std::fmt::Debug for Fallback<S, R, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fallback")
            .field("inner", &self.inner)
            .field("name", &self.settings.name)
            .finish_non_exhaustive()
    }
}
