//! Puts a shed in front of services.

use tower::Layer;

use super::{Drawn, Shed, Shedding};

/// Lets the most important calls of a service through.
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
