//! Puts a shed in front of services.

use tower::Layer;

use super::{Drawn, Shed, Shedding};

/// Lets the most important calls of a service through.
///
/// ```
/// use switchboard_core::{Priority, Rng};
/// use switchboard_resilience::bulkhead::{Bulkhead, BulkheadLayer, Options};
/// use switchboard_resilience::shed::{Shed, ShedLayer};
/// use switchboard_resilience::{Call, Rejected};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Rejected> {
/// let places = Bulkhead::new("orders", Options::new(50).unwrap());
/// let service = ServiceBuilder::new()
///     .layer(ShedLayer::new(Shed::new("orders", places.clone(), Rng::from_seed(1))))
///     .layer(BulkheadLayer::new(places))
///     .service(service_fn(|(_, order): (Call, u32)| async move { Ok::<_, Rejected>(order) }));
/// let call = Call::new().with_priority(Priority::Critical);
/// assert_eq!(service.oneshot((call, 7)).await?, 7);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ShedLayer<L = Drawn> {
    shed: Shed,
    levels: L,
}

// === impl ShedLayer ===

impl ShedLayer {
    /// As this decides; each call draws its level.
    pub const fn new(shed: Shed) -> Self {
        Self { shed, levels: Drawn }
    }
}

impl<L> ShedLayer<L> {
    /// The same with levels from elsewhere: [`InHeaders`](super::InHeaders), or one's own, for
    /// example one that is always the same for a user.
    pub fn with_levels<M>(self, levels: M) -> ShedLayer<M> {
        ShedLayer { shed: self.shed, levels }
    }

    pub(crate) const fn shed(&self) -> &Shed {
        &self.shed
    }
}

impl<S, L: Clone> Layer<S> for ShedLayer<L> {
    type Service = Shedding<S, L>;

    fn layer(&self, inner: S) -> Self::Service {
        Shedding::new(inner, self.shed.clone(), self.levels.clone())
    }
}
