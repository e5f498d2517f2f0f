//! Puts an adaptive limit in front of services.

use std::marker::PhantomData;

use tower::Layer;

use super::{AdaptiveLimit, InAdaptiveLimit};
use crate::hold::{UntilAnswer, UntilBodyEnds};
use crate::{Classifier, SeamError};

/// Lets as many calls of a service run as it can do now.
///
/// ```
/// use switchboard_resilience::adaptive::{AdaptiveLimit, AdaptiveLimitLayer, Options};
/// use switchboard_resilience::{Call, Rejected};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Rejected> {
/// let limit = AdaptiveLimit::new("search", Options::gradient2());
/// let service = ServiceBuilder::new()
///     .layer(AdaptiveLimitLayer::new(limit.clone()))
///     .service(service_fn(|(_, word): (Call, String)| async move { Ok::<_, Rejected>(word) }));
/// assert_eq!(service.oneshot((Call::new(), "lamp".to_owned())).await?, "lamp");
/// assert_eq!((limit.running(), limit.limit()), (0, 20));
/// # Ok(()) }
/// ```
pub struct AdaptiveLimitLayer<T, E, H = UntilAnswer> {
    limit: AdaptiveLimit,
    classify: Classifier<T, E>,
    hold: PhantomData<fn() -> H>,
}

// === impl AdaptiveLimitLayer ===

impl<T, E: SeamError> AdaptiveLimitLayer<T, E> {
    /// Answers are samples and errors drops; what a policy further in rejected counts as nothing,
    /// but for a time-out, which is a drop.
    pub fn new(limit: AdaptiveLimit) -> Self {
        Self { limit, classify: Classifier::of_errors(), hold: PhantomData }
    }
}

impl<T, E> AdaptiveLimitLayer<T, E> {
    /// The same, with successes as samples and failures as drops. An HTTP service answers its
    /// overload with a response, not with an error: say here which (503, 429), and let other quick
    /// failures be ignored, or they look like a dependency that became fast.
    #[must_use]
    pub fn with_classifier(mut self, classify: Classifier<T, E>) -> Self {
        self.classify = classify;
        self
    }

    /// The same for HTTP: a call holds its place until the body of its response has ended. How long
    /// it took is still measured to the head of the response.
    pub fn until_body_ends(self) -> AdaptiveLimitLayer<T, E, UntilBodyEnds> {
        AdaptiveLimitLayer { limit: self.limit, classify: self.classify, hold: PhantomData }
    }
}

impl<T, E, H> AdaptiveLimitLayer<T, E, H> {
    pub(crate) const fn limit(&self) -> &AdaptiveLimit {
        &self.limit
    }
}

impl<T, E, H> Clone for AdaptiveLimitLayer<T, E, H> {
    fn clone(&self) -> Self {
        Self { limit: self.limit.clone(), classify: self.classify.clone(), hold: PhantomData }
    }
}

impl<T, E, H> std::fmt::Debug for AdaptiveLimitLayer<T, E, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdaptiveLimitLayer").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<S, T, E, H> Layer<S> for AdaptiveLimitLayer<T, E, H> {
    type Service = InAdaptiveLimit<S, T, E, H>;

    fn layer(&self, inner: S) -> Self::Service {
        InAdaptiveLimit::new(inner, self.limit.clone(), self.classify.clone())
    }
}
