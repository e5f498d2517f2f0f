//! A whole call, with all its attempts and waits, ends when nobody waits for it any more.
//!
//! A caller that has given up does not say so; its deadline does. Work that nobody waits for is the first to leave out when there is too
//! much of it, so a call that arrives too late is rejected before anything is done (D1); one that was running when its time was up has
//! *timed out*, because its effect is unknown. The deadline travels inwards in the call's
//! [`Call`](crate::Call): every layer further in takes the earlier of its own limit and what remains, and so does the next process.
//!
//! Put it *outside* a retry; for one attempt there is [`timeout`](crate::timeout), inside. Outside of a breaker and without one inside, a
//! dependency that hangs would be invisible to that breaker but for calls that were cancelled (B14).
//!
//! ```
//! use std::time::Duration;
//! use switchboard_core::BoxError;
//! use switchboard_resilience::{Call, DeadlineLayer, Reason, SeamError};
//! use tokio::time::Instant;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let mut service = ServiceBuilder::new()
//!     .layer(DeadlineLayer::new(Duration::from_secs(2)))
//!     .service(service_fn(|(call, ()): (Call, ())| async move {
//!         Ok::<_, BoxError>(call.remaining(Instant::now()).is_some())
//!     }));
//! assert!(service.ready().await?.call((Call::new(), ())).await?);
//!
//! let too_late = Call::new().with_deadline(Instant::now());
//! let error = service.ready().await?.call((too_late, ())).await.unwrap_err();
//! assert_eq!(error.rejected().unwrap().reason, Reason::DeadlineExceeded);
//! # Ok(()) }
//! ```

mod future;
mod layer;
#[cfg(test)]
mod tests;

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower::Service;

use crate::{Carries, PolicyName, Reason, Rejected, SeamError};

pub use future::InTime;
pub use layer::DeadlineLayer;

/// A service whose calls end by their deadline.
#[derive(Clone, Debug)]
pub struct Deadline<S> {
    inner: S,
    name: PolicyName,
    limit: Option<Duration>,
}

// === impl Deadline ===

impl<S, R> Service<R> for Deadline<S>
where
    S: Service<R>,
    S::Error: SeamError,
    R: Carries,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InTime<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    /// # Cancel safety
    /// A call whose time is up is dropped where it stands.
    fn call(&mut self, mut request: R) -> Self::Future {
        let (now, mut call) = (Instant::now(), request.call());
        if call.deadline.is_some_and(|deadline| deadline <= now) {
            return InTime::rejected(Rejected::new(self.name, Reason::DeadlineExceeded));
        }
        if let Some(limit) = self.limit {
            call = call.within(limit, now);
            request.set_call(call);
        }
        let rejected = Rejected::new(self.name, Reason::TimedOut);
        InTime::until(call.deadline, self.inner.call(request), rejected)
    }
}
