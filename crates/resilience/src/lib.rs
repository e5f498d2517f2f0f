//! What stands between a caller and a dependency that fails: tower layers, each a pure policy apart from its plumbing.
//!
//! ```
//! use std::time::Duration;
//! use switchboard_core::{BoxError, Rng, Verdict};
//! use switchboard_resilience::{Backoff, Call, RetryLayer, TimeoutLayer};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let mut service = ServiceBuilder::new()
//!     .layer(RetryLayer::new(Backoff::recommended(), Rng::from_seed(1), |_: &BoxError| Verdict::Retry))
//!     .layer(TimeoutLayer::new(Duration::from_secs(2)))
//!     .service(service_fn(|(_, name): (Call, &str)| {
//!         let greeting = format!("hello {name}");
//!         async { Ok::<_, BoxError>(greeting) }
//!     }));
//! // Repeated only because the call says that it may be.
//! let request = (Call::new().repeatable(), "ann");
//! assert_eq!(service.ready().await?.call(request).await?, "hello ann");
//! # Ok(()) }
//! ```
//!
//! # The parts
//!
//! What every layer shares:
//!
//! - [`call`] what every layer reads of a call
//! - [`propagate`] the same, as headers and as a message's context
//! - [`outcome`] how a finished call counts
//! - [`rejected`] the one error that policies make
//! - [`control`] what an operator sees and can do
//! - [`events`] what policies tell; [`metrics`] and [`numbers`] what they count
//! - [`ticker`] monotone milliseconds for the price of a load, for breakers
//! - [`hold`] how long a call holds its place: until its answer, or until the end of its body
//!
//! The layers, from the outside in, and what puts them together:
//!
//! - [`pipeline`] layers in the order that works, checked and explained
//! - [`fallback`] something else is answered when a call fails
//! - [`deadline`] a whole call ends when nobody waits any more
//! - [`shed`] under overload, the most important calls are done
//! - [`rate_limit`] at most so many calls begin, for all or for each key
//! - [`retry`] an attempt that may pass by itself is repeated, after a [`backoff`], paid from a [`budget`]
//! - [`hedge`] a call that is slow is asked once more beside the first
//! - [`throttle`] a client stops asking what would be refused
//! - [`breaker`] a dependency that fails is left alone, and tried again with a few calls
//! - [`bulkhead`] at most so many calls run, and so many wait, for each kind of work
//! - [`adaptive`] as many calls run as the dependency can do now
//! - [`timeout`] an attempt ends in time
//! - [`chaos`] faults on purpose

pub mod adaptive;
pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod call;
pub mod chaos;
pub mod control;
pub mod deadline;
pub mod events;
pub mod fallback;
pub mod hedge;
pub mod hold;
pub mod metrics;
pub mod numbers;
pub mod outcome;
pub mod pipeline;
pub mod propagate;
pub mod rate_limit;
pub mod rejected;
pub mod retry;
pub mod shed;
pub mod throttle;
pub mod ticker;
pub mod timeout;

mod admitted;
mod atomic;
mod delayed;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod probe;
mod settings;
#[cfg(test)]
mod stack_tests;
mod stripes;
#[cfg(test)]
mod trial;

pub use adaptive::{AdaptiveLimit, AdaptiveLimitLayer};
pub use admitted::Admitted;
pub use backoff::Backoff;
pub use breaker::{Breaker, BreakerLayer};
pub use budget::Budget;
pub use bulkhead::{Bulkhead, BulkheadLayer, Pools};
pub use call::{Call, Carries};
pub use chaos::ChaosLayer;
pub use control::Registry;
pub use deadline::{Deadline, DeadlineLayer};
pub use delayed::Delayed;
pub use events::{Event, Events};
pub use fallback::FallbackLayer;
pub use hedge::HedgeLayer;
pub use outcome::{Classifier, Outcome};
pub use pipeline::{Pipeline, PipelineLayer};
pub use rate_limit::{KeyedRateLimit, KeyedRateLimitLayer, RateLimit, RateLimitLayer};
pub use rejected::{CallError, Measured, PolicyName, Reason, Rejected, SeamError};
pub use retry::{Retry, RetryLayer};
pub use settings::InvalidOptions;
pub use shed::{Shed, ShedLayer};
pub use throttle::{Throttle, ThrottleLayer};
pub use ticker::Ticker;
pub use timeout::{Timeout, TimeoutLayer};

/// The example of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
