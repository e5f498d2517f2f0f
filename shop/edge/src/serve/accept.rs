//! Connections: so many at once, each HTTP/1.1 or HTTP/2 without TLS as its first bytes say, all ended in bounded time.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use switchboard_core::Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::aged::Aged;
use super::opening::Opening;

/// Connections that are open at once; further ones wait in the system's queue.
const CONNECTIONS: usize = 2_048;
/// How long a connection may say nothing at first, be idle, or take to send the head of a request.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// Calls that one HTTP/2 connection may have open.
const STREAMS: u32 = 256;
/// Streams that a peer has reset and that still wait to be accepted: whoever resets faster than we
/// accept is cut off.
const RESETS_PENDING: usize = 20;
/// Streams that were reset because of the peer's mistakes, over the life of a connection.
const RESETS_OWN: usize = 256;
/// An HTTP/2 connection is asked for a sign of life after so long in silence.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// One that gives none for so long is closed.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection takes no more calls after so long, up to a tenth more or less, so that clients
/// spread anew over the copies of a service.
const AGE: Duration = Duration::from_secs(1_800);
/// Calls that are running then have so long.
pub(super) const AGE_GRACE: Duration = Duration::from_secs(60);
/// Bytes of headers that are read, in HTTP/2: more than the edge allows, so that it is the edge which
/// says that they are too many. HTTP/1.1 has hyper's limit of 100 headers, beyond which the reader
/// answers 431 by itself; another limit would cost every request an allocation.
const HEADERS_MAX: u32 = 64 << 10;
/// How long calls that are running may take to end after shutdown began.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait when the system has no more file descriptors.
const SHORTAGE: Duration = Duration::from_millis(100);

/// Accepts until shutdown and for `drain` longer; then idle connections close at once (HTTP/2 is told
/// to go away), and calls that are running have three seconds.
pub(super) async fn run<S>(
    listener: TcpListener,
    routes: S,
    drain: Duration,
    shutdown: CancellationToken,
) where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let builder = builder();
    let mut rng = Rng::from_entropy();
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped last, it ends whatever is still running.
    let mut connections = JoinSet::new();
    // What connections end with: not yet while the port is still open.
    let ending = CancellationToken::new();
    let closing = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::pin!(closing);
    loop {
        let (slot, stream, peer) = tokio::select! {
            biased;
            () = &mut closing => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &slots) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error, &shutdown).await;
                    continue;
                }
            },
        };
        // Small answers must not wait for more to send; without it they are only slower.
        let _only_slower = stream.set_nodelay(true);
        let service = routes.clone().map_request(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let service = TowerToHyperService::new(service);
        // With upgrades, so that a route may speak WebSocket.
        let stream = TokioIo::new(Opening::new(stream, IDLE));
        let connection = builder.serve_connection_with_upgrades(stream, service).into_owned();
        let connection = Aged::new(connection, age(&mut rng), &ending);
        connections.spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.await {
                tracing::debug!(error, %peer, "a connection broke");
            }
        });
    }
    drop(listener);
    ending.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(PATIENCE, ended).await.is_err() {
        tracing::info!(left = connections.len(), "cut connections that did not end");
    }
    connections.shutdown().await;
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS_PENDING)
        .max_local_error_reset_streams(RESETS_OWN)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_header_list_size(HEADERS_MAX);
    builder
}

/// Connections that begin together must not end together.
fn age(rng: &mut Rng) -> Duration {
    let tenth = AGE / 10;
    let spread = u64::try_from(2 * tenth.as_millis()).unwrap_or(u64::MAX);
    AGE - tenth + Duration::from_millis(rng.below(spread))
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((slot, stream, peer))
}

/// A caller that went away again is nothing; a system without file descriptors needs a moment.
async fn pause_after(error: &io::Error, shutdown: &CancellationToken) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections now");
    let _ended_first = tokio::time::timeout(SHORTAGE, shutdown.cancelled()).await;
}
