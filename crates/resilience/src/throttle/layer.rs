//! Puts a throttle in front of services.

use tower::Layer;

use super::{Throttle, Throttled};
use crate::{Classifier, SeamError};

/// Holds calls of a service back that it would refuse.
///
/// ```
/// use switchboard_core::Rng;
/// use switchboard_resilience::throttle::{Throttle, ThrottleLayer};
/// use switchboard_resilience::CallError;
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), CallError<&'static str>> {
/// let throttle = Throttle::new("prices", Rng::from_seed(1));
/// let mut service = ServiceBuilder::new()
///     .layer(ThrottleLayer::new(throttle.clone()))
///     .service(service_fn(|(): ()| async { Err::<(), _>(CallError::Failed("overloaded")) }));
/// for _ in 0..100 {
///     let _refused = service.ready().await?.call(()).await;
/// }
/// assert_eq!(throttle.rejection(), 0.9);
/// # Ok(()) }
/// ```
pub struct ThrottleLayer<T, E> {
    throttle: Throttle,
    classify: Classifier<T, E>,
}

// === impl ThrottleLayer ===

impl<T, E: SeamError> ThrottleLayer<T, E> {
    /// Errors of the service are refusals, answers are accepts.
    pub fn new(throttle: Throttle) -> Self {
        Self { throttle, classify: Classifier::of_errors() }
    }
}

impl<T, E> ThrottleLayer<T, E> {
    /// The same, with failures as refusals and everything else as accepts.
    #[must_use]
    pub fn with_classifier(mut self, classify: Classifier<T, E>) -> Self {
        self.classify = classify;
        self
    }

    pub(crate) const fn throttle(&self) -> &Throttle {
        &self.throttle
    }
}

impl<T, E> Clone for ThrottleLayer<T, E> {
    fn clone(&self) -> Self {
        Self { throttle: self.throttle.clone(), classify: self.classify.clone() }
    }
}

impl<T, E> std::fmt::Debug for ThrottleLayer<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThrottleLayer").field("throttle", &self.throttle).finish_non_exhaustive()
    }
}

impl<S, T, E> Layer<S> for ThrottleLayer<T, E> {
    type Service = Throttled<S, T, E>;

    fn layer(&self, inner: S) -> Self::Service {
        Throttled::new(inner, self.throttle.clone(), self.classify.clone())
    }
}
