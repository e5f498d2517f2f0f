//! Wraps services in [`Chaos`].

use tower::Layer;

use super::{Chaos, Switch};

/// Lets the calls of a service meet the faults of a switch.
#[derive(Clone, Debug)]
pub struct ChaosLayer {
    switch: Switch,
}

// === impl ChaosLayer ===

impl ChaosLayer {
    /// The faults of this switch.
    pub fn new(switch: Switch) -> Self {
        Self { switch }
    }

    /// The switch.
    pub const fn switch(&self) -> &Switch {
        &self.switch
    }
}

impl<S> Layer<S> for ChaosLayer {
    type Service = Chaos<S>;

    fn layer(&self, inner: S) -> Chaos<S> {
        Chaos { inner, switch: self.switch.clone() }
    }
}
