//! Stops calling a dependency that fails, gives it time, and tries it again with a few calls.
//!
//! A dependency that is down answers slowly or not at all. Every caller that waits for it holds memory, a connection and a place in some
//! bulkhead, until the caller is down too. A breaker counts how calls end; when they end badly it *opens* and rejects further calls at
//! once, and after a while it is *half-open*: a few *probes* decide whether it closes or opens again ([`State`] draws it).
//!
//! Not for calls whose failures say nothing about the dependency (a "not found" is [`Outcome::Ignore`](crate::Outcome::Ignore)), and not
//! instead of a time limit: put the limit of an attempt *inside* the breaker. A limit outside it gives calls up, which counts by [`OnCancel`].
//!
//! # What it promises
//!
//! - **Results count for the state they began in.** Every change of state gives a new generation; a result of an earlier one is counted as
//!   late and changes nothing, so neither calls from before a trip nor forgotten ones from before a reset move the breaker.
//! - **Half-open means few.** At most N probes run and N are counted, however many calls arrive; probes that hang, are dropped, panic or say
//!   nothing all end, and never keep it half-open.
//! - **Nothing is invisible.** Given-up calls, late results and rejections are counted by name; a dependency that hangs opens the breaker.
//! - **Operators win.** What they set is sticky until they release it; no result and no time ends it.
//! - **It costs about what two loads and two stores do.** A healthy call takes no lock, allocates nothing, asks no clock and writes no
//!   memory that another thread writes; a rejection neither. `cargo xtask bench resilience` measures it beside others.
//!
//! # Example
//!
//! ```
//! use switchboard_core::BoxError;
//! use switchboard_resilience::breaker::{Breaker, Environment, Options};
//! use switchboard_resilience::{Classifier, Reason, SeamError};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let breaker = Breaker::new("prices", Options::classic(), Environment::process());
//! let mut service = ServiceBuilder::new()
//!     .layer(breaker.layer(Classifier::of_errors()))
//!     .service(service_fn(|_: u32| async { Err::<u32, BoxError>("out of order".into()) }));
//! for _ in 0..5 {
//!     assert!(service.ready().await?.call(7).await.is_err());
//! }
//! let error = service.ready().await?.call(7).await.unwrap_err();
//! assert_eq!(error.rejected().expect("the breaker's").reason, Reason::Open);
//! # Ok(()) }
//! ```

mod book;
#[allow(clippy::module_inception, reason = "the handle is the breaker; its parts stand beside it")]
mod breaker;
mod core;
mod dials;
mod environment;
mod future;
mod gate;
mod keyed;
mod layer;
#[cfg(test)]
mod models;
mod operate;
mod permit;
mod policy;
mod probes;
mod replay;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod totals;
mod window;
mod word;

pub use breaker::Breaker;
pub use environment::Environment;
pub use future::ResponseFuture;
pub use keyed::{Keyed, Limits};
pub use layer::{BreakerLayer, EveryCall, Mode, RetriesOnly};
pub use permit::{OwnedPermit, Permit, Recorded};
pub use policy::{OnCancel, Options, Window};
pub use replay::{Ending, Forecast, Trace};
pub use service::Guarded;
pub use state::State;
pub use totals::Totals;
