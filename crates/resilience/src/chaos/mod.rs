//! Faults on purpose: calls that are late, fail or are never answered, by a seed and by a switch.
//!
//! A breaker that never opened and a fallback that never ran are hopes. This layer sits innermost, in the place of the network, so that
//! every layer around it meets its faults as it would meet real ones. While the switch makes none it costs one lock, no draw and no box.
//!
//! ```
//! use switchboard_core::{BoxError, Rng};
//! use switchboard_resilience::chaos::{ChaosLayer, Faults, Switch};
//! use switchboard_resilience::{Reason, SeamError};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let switch = Switch::new("stock_chaos", Rng::from_seed(1));
//! let mut service = ServiceBuilder::new()
//!     .layer(ChaosLayer::new(switch.clone()))
//!     .service(service_fn(|()| async { Ok::<_, BoxError>("fine") }));
//! assert_eq!(service.ready().await?.call(()).await?, "fine");
//!
//! switch.set(Faults { error_share: 1.0, ..Faults::default() });
//! let error = service.ready().await?.call(()).await.unwrap_err();
//! assert_eq!(error.rejected().unwrap().reason, Reason::Chaos);
//! # Ok(()) }
//! ```

mod faults;
mod layer;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower::Service;

use crate::{Reason, Rejected, SeamError};

pub use faults::{Fault, Faults, Switch};
pub use layer::ChaosLayer;

/// A service whose calls meet faults.
#[derive(Clone, Debug)]
pub struct Chaos<S> {
    inner: S,
    switch: Switch,
}

pin_project! {
    /// The answer of a call that may meet a fault.
    #[derive(Debug)]
    pub struct ChaosFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<F> {
        Running { #[pin] inner: F },
        // The call was made but not begun: a future does nothing until it is polled.
        Late { #[pin] timer: Sleep, #[pin] inner: F, is_begun: bool },
        Error { rejected: Rejected },
        Hang,
    }
}

// === impl Chaos ===

impl<S, R> Service<R> for Chaos<S>
where
    S: Service<R>,
    S::Error: SeamError,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ChaosFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let kind = match self.switch.draw() {
            Fault::None => Kind::Running { inner: self.inner.call(request) },
            Fault::Late(by) => {
                Kind::Late { timer: sleep(by), inner: self.inner.call(request), is_begun: false }
            }
            Fault::Error => {
                Kind::Error { rejected: Rejected::new(self.switch.name(), Reason::Chaos) }
            }
            Fault::Hang => Kind::Hang,
        };
        ChaosFuture { kind }
    }
}

// === impl ChaosFuture ===

impl<F, T, E> Future for ChaosFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: From<Rejected>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Running { inner } => inner.poll(cx),
            KindProj::Late { timer, inner, is_begun } => {
                if !*is_begun {
                    ready!(timer.poll(cx));
                    *is_begun = true;
                }
                inner.poll(cx)
            }
            KindProj::Error { rejected } => Poll::Ready(Err((*rejected).into())),
            KindProj::Hang => Poll::Pending,
        }
    }
}
