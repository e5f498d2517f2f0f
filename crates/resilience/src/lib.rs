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
//! - [`call`] what every layer reads of a call
//! - [`outcome`] how a finished call counts
//! - [`rejected`] the one error that policies make
//! - [`control`] what an operator sees and can do
//! - [`propagate`] what every layer reads, as headers and as a message's context
//! - [`fallback`] something else is answered when a call fails
//! - [`deadline`] a whole call ends when nobody waits any more
//! - [`retry`] an attempt that may pass by itself is repeated
//! - [`backoff`] how long to wait between attempts: a pure policy
//! - [`hedge`] a call that is slow is asked once more beside the first
//! - [`budget`] what repetitions are paid from
//! - [`timeout`] an attempt ends in time
//! - [`chaos`] faults on purpose

pub mod backoff;
pub mod budget;
pub mod call;
pub mod chaos;
pub mod control;
pub mod deadline;
pub mod fallback;
pub mod hedge;
pub mod outcome;
pub mod propagate;
pub mod rejected;
pub mod retry;
#[cfg(test)]
mod stack_tests;
pub mod timeout;
#[cfg(test)]
mod trial;

pub use backoff::{Backoff, InvalidBackoff};
pub use budget::Budget;
pub use call::{Call, Carries};
pub use chaos::ChaosLayer;
pub use control::Registry;
pub use deadline::{Deadline, DeadlineLayer};
pub use fallback::FallbackLayer;
pub use hedge::HedgeLayer;
pub use outcome::{Classifier, Outcome};
pub use rejected::{CallError, PolicyName, Reason, Rejected, SeamError};
pub use retry::{Retry, RetryLayer};
pub use timeout::{Timeout, TimeoutLayer};
