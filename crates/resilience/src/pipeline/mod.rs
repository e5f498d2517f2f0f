//! Layers in the order that works, checked before anything runs, and explained.
//!
//! The same ten layers protect a service in one order and hide its failures in another: a fallback inside a retry means that it never
//! retries, a timeout outside a breaker that the breaker never opens, two retries that three tries become nine. A pipeline is put together
//! from the outside in; [`Pipeline::build`] refuses an order that cannot be meant, says why, and what to do. What it built can
//! [`explain`](PipelineLayer::explain) how often and how long it calls at worst, from its settings alone.
//!
//! ```
//! use std::time::Duration;
//! use switchboard_core::{BoxError, Rng, Verdict};
//! use switchboard_resilience::bulkhead::{Bulkhead, BulkheadLayer, Options};
//! use switchboard_resilience::pipeline::Pipeline;
//! use switchboard_resilience::{Backoff, RetryLayer, TimeoutLayer};
//!
//! let retry =
//!     RetryLayer::<(), _>::new(Backoff::classic(), Rng::from_seed(1), |_: &BoxError| Verdict::Retry);
//! let places = Options::new(20)?.with_queue(0, Duration::ZERO)?;
//! let payments = Pipeline::new("payments")
//!     .layer(retry)
//!     .layer(BulkheadLayer::new(Bulkhead::new("payments", places)))
//!     .layer(TimeoutLayer::new(Duration::from_secs(2)))
//!     .build()?;
//! assert_eq!(
//!     payments.explain(),
//!     "Retry(classic, 5 attempts) over Bulkhead(payments, 20 places) over Timeout(2 s): \
//!      at most 5 calls, 25 s, 28 s with jitter"
//! );
//! # Ok::<_, BoxError>(())
//! ```
//!
//! Layers of other crates are described by hand ([`Pipeline::layer_as`]). The layers keep their types; only their descriptions are a list.

mod describe;
mod describe_tries;
mod facts;
mod rules;
mod step;
#[cfg(test)]
mod tests;
mod worst;

use tower::Layer;
use tower::layer::util::{Identity, Stack};

pub use facts::{Facts, Spending};
pub use rules::{InvalidPipeline, Mistake, check};
pub use step::{Describe, Kind, Step};
pub use worst::Worst;

/// Layers that are being put together, from the outside in.
#[derive(Clone, Debug)]
pub struct Pipeline<L = Identity> {
    name: String,
    steps: Vec<Step>,
    layers: L,
}

/// Layers in an order that was checked. A [`Layer`] itself.
#[derive(Clone, Debug)]
pub struct PipelineLayer<L> {
    name: String,
    steps: Vec<Step>,
    layers: L,
}

/// These layers in words, outermost first, with the worst that one call can do.
pub fn explain(steps: &[Step]) -> String {
    let order: Vec<_> = steps.iter().map(Step::to_string).collect();
    let worst = Worst::of(steps);
    if order.is_empty() { worst.to_string() } else { format!("{}: {worst}", order.join(" over ")) }
}

// === impl Pipeline ===

impl Pipeline {
    /// No layers yet. The name appears in errors.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), steps: Vec::new(), layers: Identity::new() }
    }
}

impl<L> Pipeline<L> {
    /// The next layer further in.
    #[must_use]
    pub fn layer<M: Describe>(self, layer: M) -> Pipeline<Stack<M, L>> {
        let step = layer.describe();
        self.layer_as(step, layer)
    }

    /// The next layer further in, described like this: for layers of other crates.
    #[must_use]
    pub fn layer_as<M>(mut self, step: Step, layer: M) -> Pipeline<Stack<M, L>> {
        self.steps.push(step);
        Pipeline { name: self.name, steps: self.steps, layers: Stack::new(layer, self.layers) }
    }

    /// The finished pipeline.
    ///
    /// # Errors
    /// [`InvalidPipeline`] with every mistake in the order of the layers.
    pub fn build(self) -> Result<PipelineLayer<L>, InvalidPipeline> {
        let mistakes = check(&self.steps);
        if mistakes.is_empty() {
            Ok(PipelineLayer { name: self.name, steps: self.steps, layers: self.layers })
        } else {
            Err(InvalidPipeline { name: self.name, mistakes })
        }
    }
}

// === impl PipelineLayer ===

impl<L> PipelineLayer<L> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its layers, outermost first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Its layers in words, outermost first, and the worst that one call can do: how often it calls
    /// the dependency and how long it takes.
    pub fn explain(&self) -> String {
        explain(&self.steps)
    }

    /// The worst that one call can do, as numbers.
    pub fn worst(&self) -> Worst {
        Worst::of(&self.steps)
    }
}

impl<S, L: Layer<S>> Layer<S> for PipelineLayer<L> {
    type Service = L::Service;

    fn layer(&self, inner: S) -> L::Service {
        self.layers.layer(inner)
    }
}
