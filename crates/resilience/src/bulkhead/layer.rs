//! Puts a bulkhead, or [`Pools`], in front of services.

use std::marker::PhantomData;

use tower::Layer;

use super::{Bulkhead, InBulkhead, Pools};
use crate::hold::{UntilAnswer, UntilBodyEnds};

/// Lets calls of a service through as a bulkhead has places for them.
///
/// ```
/// use switchboard_resilience::bulkhead::{BulkheadLayer, Pools};
/// use switchboard_resilience::{Call, Rejected};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Rejected> {
/// let service = ServiceBuilder::new()
///     .layer(BulkheadLayer::pools(Pools::recommended("orders")))
///     .service(service_fn(|(_, name): (Call, String)| async move {
///         Ok::<_, Rejected>(format!("hello {name}"))
///     }));
/// assert_eq!(service.oneshot((Call::new(), "ann".to_owned())).await?, "hello ann");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct BulkheadLayer<C = Bulkhead, H = UntilAnswer> {
    choose: C,
    hold: PhantomData<fn() -> H>,
}

// === impl BulkheadLayer ===

impl BulkheadLayer {
    /// One bulkhead for all calls.
    pub const fn new(bulkhead: Bulkhead) -> Self {
        Self { choose: bulkhead, hold: PhantomData }
    }
}

impl BulkheadLayer<Pools> {
    /// A bulkhead for each priority, by what the call says of itself.
    pub const fn pools(pools: Pools) -> Self {
        Self::choosing(pools)
    }
}

impl<C> BulkheadLayer<C> {
    /// A bulkhead for each request, as this says: [`Pools::by_route`], or one's own.
    pub const fn choosing(choose: C) -> Self {
        Self { choose, hold: PhantomData }
    }

    /// The same for HTTP: a call holds its place until the body of its response has ended.
    pub fn until_body_ends(self) -> BulkheadLayer<C, UntilBodyEnds> {
        BulkheadLayer { choose: self.choose, hold: PhantomData }
    }
}

impl<C, H> BulkheadLayer<C, H> {
    pub(crate) const fn chosen(&self) -> &C {
        &self.choose
    }
}

impl<S, C: Clone, H> Layer<S> for BulkheadLayer<C, H> {
    type Service = InBulkhead<S, C, H>;

    fn layer(&self, inner: S) -> Self::Service {
        InBulkhead::new(inner, self.choose.clone())
    }
}
