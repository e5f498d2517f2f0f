//! Wraps services in [`Hedge`].

use std::sync::Arc;
use std::time::Duration;

use tower::Layer;

use super::delay::Latencies;
use super::{Delay, Hedge, Settings};
use crate::PolicyName;
use crate::budget::Budget;
use crate::retry::Judge;
use crate::settings::InvalidOptions;

/// Sends a second attempt beside one that is slow.
pub struct HedgeLayer<T, E> {
    settings: Settings<T, E>,
}

// === impl HedgeLayer ===

impl<T, E> HedgeLayer<T, E> {
    /// After this delay, paid for by this budget: the one that retries of the same dependency use.
    /// The judge says which answers win.
    ///
    /// # Errors
    /// [`InvalidOptions`] says what is wrong with the delay.
    pub fn new(
        delay: Delay,
        budget: Budget,
        judge: impl Into<Judge<T, E>>,
    ) -> Result<Self, InvalidOptions> {
        Ok(Self {
            settings: Settings {
                name: PolicyName::new("hedge"),
                delay: delay.checked()?,
                most: 1,
                budget,
                judge: judge.into(),
            },
        })
    }

    /// The name in metrics. Default: `hedge`.
    #[must_use]
    pub fn named(mut self, name: impl Into<PolicyName>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Up to two attempts beside the first instead of one.
    #[must_use]
    pub fn twice(mut self) -> Self {
        self.settings.most = 2;
        self
    }

    /// Its name.
    pub const fn name(&self) -> PolicyName {
        self.settings.name
    }

    /// How many attempts may run beside the first, for who explains a pipeline.
    pub const fn most(&self) -> u32 {
        self.settings.most
    }

    /// The longest time after which one is sent.
    pub const fn longest_delay(&self) -> Duration {
        match self.settings.delay {
            Delay::Fixed(most) | Delay::Quantile { most, .. } => most,
        }
    }

    /// The budget that pays for them.
    pub const fn budget(&self) -> &Budget {
        &self.settings.budget
    }
}

impl<T, E> Clone for HedgeLayer<T, E> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone() }
    }
}

impl<T, E> std::fmt::Debug for HedgeLayer<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HedgeLayer").field("delay", &self.settings.delay).finish_non_exhaustive()
    }
}

impl<S, T, E> Layer<S> for HedgeLayer<T, E> {
    type Service = Hedge<S, T, E>;

    fn layer(&self, inner: S) -> Hedge<S, T, E> {
        Hedge {
            inner,
            settings: Arc::new(self.settings.clone()),
            latencies: Arc::new(Latencies::new()),
        }
    }
}
