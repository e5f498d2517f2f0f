//! What stands between a caller and a dependency that fails: tower layers, each a pure policy apart from its plumbing.
//!
//! ```
//! use std::time::Duration;
//! use switchboard_core::{BoxError, Rng, Verdict};
//! use switchboard_resilience::{Backoff, RetryLayer, TimeoutLayer};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let mut service = ServiceBuilder::new()
//!     .layer(RetryLayer::new(Backoff::recommended(), Rng::from_seed(1), |_: &BoxError| Verdict::Retry))
//!     .layer(TimeoutLayer::new(Duration::from_secs(2)))
//!     .service(service_fn(|name: String| async move { Ok::<_, BoxError>(format!("hello {name}")) }));
//! assert_eq!(service.ready().await?.call("ann".to_owned()).await?, "hello ann");
//! # Ok(()) }
//! ```
//!
//! # The parts
//!
//! - [`call`] what every layer reads of a call
//! - [`outcome`] how a finished call counts
//! - [`rejected`] the one error that policies make
//! - [`control`] what an operator sees and can do
//! - [`events`] what policies tell, and [`metrics`] what they count
//! - [`ticker`] monotone milliseconds for the price of a load
//! - [`breaker`] a dependency that fails is left alone, and tried again with a few calls
//! - [`timeout`] an attempt ends in time
//! - [`retry`] an attempt that may pass by itself is repeated
//! - [`bulkhead`] at most so many calls run, and so many wait, for each kind of work
//! - [`rate_limit`] at most so many calls begin, for all or for each key
//! - [`adaptive`] as many calls run as the dependency can do now
//! - [`throttle`] a client stops asking what would be refused
//! - [`shed`] under overload, the most important calls are done
//! - [`hold`] how long a call holds its place: until its answer, or until the end of its body
//! - [`pipeline`] layers in the order that works, checked and explained
//! - [`numbers`] what the limits measure
//! - [`backoff`] how long to wait between attempts: a pure policy

pub mod adaptive;
mod admitted;
mod atomic;
pub mod backoff;
pub mod breaker;
pub mod bulkhead;
pub mod call;
pub mod control;
pub mod events;
pub mod hold;
pub mod metrics;
pub mod numbers;
pub mod outcome;
pub mod pipeline;
#[cfg(test)]
mod probe;
pub mod rate_limit;
pub mod rejected;
pub mod retry;
mod settings;
pub mod shed;
mod stripes;
pub mod throttle;
pub mod ticker;
pub mod timeout;

pub use adaptive::{AdaptiveLimit, AdaptiveLimitLayer};
pub use admitted::Admitted;
pub use backoff::{Backoff, InvalidBackoff};
pub use breaker::{Breaker, BreakerLayer};
pub use bulkhead::{Bulkhead, BulkheadLayer, Pools};
pub use call::{Call, Carries};
pub use control::Registry;
pub use events::{Event, Events};
pub use outcome::{Classifier, Outcome};
pub use pipeline::{Pipeline, PipelineLayer};
pub use rate_limit::{KeyedRateLimit, KeyedRateLimitLayer, RateLimit, RateLimitLayer};
pub use rejected::{CallError, Measured, PolicyName, Reason, Rejected, SeamError};
pub use retry::{Retry, RetryLayer};
pub use settings::InvalidOptions;
pub use shed::{Shed, ShedLayer};
pub use throttle::{Throttle, ThrottleLayer};
pub use ticker::Ticker;
pub use timeout::{Elapsed, Timeout, TimeoutLayer};

/// The example of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
