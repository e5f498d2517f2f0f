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
//! - [`backoff`] how long to wait between attempts: a pure policy

mod atomic;
pub mod backoff;
pub mod breaker;
pub mod call;
pub mod control;
pub mod events;
pub mod metrics;
pub mod outcome;
pub mod rejected;
pub mod retry;
mod stripes;
pub mod ticker;
pub mod timeout;

pub use backoff::{Backoff, InvalidBackoff};
pub use breaker::{Breaker, BreakerLayer};
pub use call::{Call, Carries};
pub use control::Registry;
pub use events::{Event, Events};
pub use outcome::{Classifier, Outcome};
pub use rejected::{CallError, PolicyName, Reason, Rejected, SeamError};
pub use retry::{Retry, RetryLayer};
pub use ticker::Ticker;
pub use timeout::{Elapsed, Timeout, TimeoutLayer};

/// The example of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
