//! A service that does the most important calls.

use std::task::{Context, Poll};

use tower::Service;

use super::{Levels, Shed};
use crate::{Admitted, Carries, SeamError};

/// A service that does the most important calls. Made by [`ShedLayer`](super::ShedLayer).
#[derive(Clone, Debug)]
pub struct Shedding<S, L> {
    inner: S,
    shed: Shed,
    levels: L,
}

// === impl Shedding ===

impl<S, L> Shedding<S, L> {
    pub(super) const fn new(inner: S, shed: Shed, levels: L) -> Self {
        Self { inner, shed, levels }
    }
}

impl<S, R, L> Service<R> for Shedding<S, L>
where
    S: Service<R>,
    S::Error: SeamError,
    R: Carries,
    L: Levels<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Admitted<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: R) -> Self::Future {
        match self.shed.admit(&request.call(), self.levels.level(&request)) {
            Err(rejected) => Admitted::rejected(rejected),
            Ok(level) => {
                self.levels.keep(&mut request, level);
                Admitted::running(self.inner.call(request))
            }
        }
    }
}
