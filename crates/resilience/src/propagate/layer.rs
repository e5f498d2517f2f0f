//! Reads the call from a request's headers on the server's side, writes it into them on the client's.

use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use switchboard_core::Priority;
use tokio::time::Instant;
use tower::{Layer, Service};

use super::headers::{PRIORITY, PRIORITY_LEVEL, decode_lenient, encode};
use crate::deadline::InTime;
use crate::{Carries, PolicyName, Reason, Rejected, SeamError};

/// What the way there and back may take, unless it is said otherwise.
const MARGIN: Duration = Duration::from_millis(10);

/// Reads the call of each request. Put it outermost on a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerLayer {
    is_trusting: bool,
    limit: Option<Duration>,
}

/// A service whose requests know their call.
#[derive(Clone, Debug)]
pub struct Server<S> {
    inner: S,
    layer: ServerLayer,
}

/// Writes the call into each request. Put it innermost on a client, so that what it writes is what
/// remains after all waits.
#[derive(Clone, Copy, Debug)]
pub struct ClientLayer {
    name: PolicyName,
    margin: Duration,
}

/// A service whose requests carry their call.
#[derive(Clone, Debug)]
pub struct Client<S> {
    inner: S,
    layer: ClientLayer,
}

// === impl ServerLayer ===

impl ServerLayer {
    /// For callers of the same house: all that they say is believed.
    pub const fn internal() -> Self {
        Self { is_trusting: true, limit: None }
    }

    /// For anybody: the priority is standard whatever they say, because everybody would say
    /// critical. The headers that say so, and the level of a priority, are taken off the request,
    /// so that nobody further in believes them.
    pub const fn public() -> Self {
        Self { is_trusting: false, limit: None }
    }

    /// No call may take longer than this, whatever its caller says or does not say. Default: as
    /// long as the caller says.
    #[must_use]
    pub const fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server { inner, layer: *self }
    }
}

impl<S, B> Service<Request<B>> for Server<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    /// A header that cannot be read counts as absent: a stranger's slip is no reason to fail.
    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let now = Instant::now();
        let (mut call, invalid) = decode_lenient(request.method(), request.headers(), now);
        if let Some(invalid) = invalid {
            metrics::counter!(super::INVALID, "header" => invalid.name.to_string()).increment(1);
            tracing::debug!(%invalid, "a header of the call was left out");
        }
        if !self.layer.is_trusting {
            call.priority = Priority::Standard;
            for name in [PRIORITY, PRIORITY_LEVEL] {
                request.headers_mut().remove(name);
            }
        }
        if let Some(limit) = self.layer.limit {
            call = call.within(limit, now);
        }
        request.set_call(call);
        self.inner.call(request)
    }
}

// === impl ClientLayer ===

impl ClientLayer {
    /// Tells the server what remains, less 10 ms for the way.
    pub fn new() -> Self {
        Self { name: PolicyName::new("propagate"), margin: MARGIN }
    }

    /// Less this for the way there and back.
    #[must_use]
    pub const fn with_margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// The name in rejections. Default: `propagate`.
    #[must_use]
    pub fn named(mut self, name: impl Into<PolicyName>) -> Self {
        self.name = name.into();
        self
    }
}

impl Default for ClientLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client { inner, layer: *self }
    }
}

impl<S, B> Service<Request<B>> for Client<S>
where
    S: Service<Request<B>>,
    S::Error: SeamError,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InTime<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    /// A call whose answer could not come in time is not sent.
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = request.call();
        let rejected = Rejected::new(self.layer.name, Reason::DeadlineExceeded);
        match encode(&call, Instant::now(), self.layer.margin, request.headers_mut()) {
            Ok(()) => InTime::until(None, self.inner.call(request), rejected),
            Err(_) => InTime::rejected(rejected),
        }
    }
}
