//! One connection that is made again whenever it is lost.
//!
//! The client library can recover connections by itself, and its history of doing so (prefetch
//! forgotten, acks on the wrong channel) is why that is off here. A [`Link`] knows only whether
//! there is a connection now. Whoever owns a channel rebuilds it from nothing on the next one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use switchboard_core::BoxError;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::{ConnectError, Options, metrics as names};

/// A connection, now and later.
#[derive(Clone)]
pub(crate) struct Link(Arc<Inner>);

struct Inner {
    /// `publish` or `consume`.
    side: &'static str,
    options: Options,
    live: watch::Receiver<Option<Arc<Connection>>>,
    /// Somebody has met an error: look whether the connection still stands.
    doubt: Notify,
    stop: CancellationToken,
}

/// The broker is being closed.
#[derive(Debug, thiserror::Error)]
#[error("the broker is closed")]
pub(crate) struct Closed;

/// How long an orderly close may take.
const CLOSING: Duration = Duration::from_secs(5);

// === impl Link ===

impl Link {
    /// Connects, and from then on stays connected until `stop`.
    pub(crate) async fn open(
        side: &'static str,
        options: Options,
        stop: CancellationToken,
    ) -> Result<Self, ConnectError> {
        let connection = connect(side, &options).await?;
        let (sender, live) = watch::channel(Some(Arc::new(connection)));
        let inner = Arc::new(Inner { side, options, live, doubt: Notify::new(), stop });
        tokio::spawn(supervise(Arc::clone(&inner), sender));
        Ok(Self(inner))
    }

    /// A new channel on the present connection, or on the next one.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn channel(&self) -> Result<Channel, Closed> {
        let mut live = self.0.live.clone();
        loop {
            let connection = tokio::select! {
                () = self.0.stop.cancelled() => return Err(Closed),
                connection = live.wait_for(Option::is_some) => connection.map_err(|_| Closed)?.clone(),
            };
            let Some(connection) = connection else { continue };
            match connection.create_channel().await {
                Ok(channel) => return Ok(channel),
                Err(error) => {
                    let side = self.0.side;
                    tracing::debug!(side, %error, "no channel");
                    self.doubt();
                    self.pause(self.0.options.backoff_first).await;
                }
            }
        }
    }

    /// A channel if there is a connection now; for requests that somebody waits for.
    pub(crate) async fn channel_within(&self, patience: Duration) -> Result<Channel, BoxError> {
        match tokio::time::timeout(patience, self.channel()).await {
            Ok(channel) => Ok(channel?),
            Err(_) => Err(format!("no connection to {}", self.0.options.place()).into()),
        }
    }

    /// Whether the server takes nothing from this connection now: a memory or disk alarm.
    pub(crate) fn is_blocked(&self) -> bool {
        self.0.live.borrow().as_ref().is_some_and(|connection| connection.status().blocked())
    }

    /// Somebody has met an error.
    pub(crate) fn doubt(&self) {
        self.0.doubt.notify_one();
    }

    /// Waits, but not beyond the end of the broker.
    pub(crate) async fn pause(&self, wait: Duration) {
        tokio::select! {
            () = self.0.stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Says goodbye to the server. Call it after `stop`.
    pub(crate) async fn close(&self) {
        let connection = self.0.live.borrow().clone();
        if let Some(connection) = connection {
            let goodbye = connection.close(200, "closed".into());
            let _late_or_gone = tokio::time::timeout(CLOSING, goodbye).await;
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.0.live.borrow().is_some();
        f.debug_struct("Link").field("side", &self.0.side).field("connected", &connected).finish()
    }
}

async fn connect(side: &'static str, options: &Options) -> Result<Connection, ConnectError> {
    let properties =
        ConnectionProperties::default().with_connection_name(format!("switchboard {side}").into());
    let connecting = Connection::connect_uri(options.target(), properties);
    match tokio::time::timeout(options.connect_timeout, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(ConnectError::of(options.place(), error)),
        Err(late) => {
            Err(ConnectError::Unreachable { place: options.place(), source: Box::new(late) })
        }
    }
}

async fn supervise(inner: Arc<Inner>, live: watch::Sender<Option<Arc<Connection>>>) {
    let side = inner.side;
    loop {
        let Some(connection) = live.borrow().clone() else { return };
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = until_lost(&inner, &connection) => {}
        }
        live.send_replace(None);
        drop(connection);
        metrics::gauge!(names::BLOCKED).set(0.0);
        tracing::warn!(side, server = %inner.options.place(), "the connection is lost");
        let mut wait = inner.options.backoff_first;
        loop {
            tokio::select! {
                () = inner.stop.cancelled() => return,
                connected = connect(side, &inner.options) => match connected {
                    Ok(connection) => {
                        live.send_replace(Some(Arc::new(connection)));
                        break;
                    }
                    Err(error) => {
                        let error = switchboard_core::chain(&error);
                        tracing::debug!(side, error, "not connected yet");
                    }
                }
            }
            tokio::select! {
                () = inner.stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(inner.options.backoff_longest);
        }
        metrics::counter!(names::RECONNECTS, "side" => side).increment(1);
        tracing::info!(side, server = %inner.options.place(), "connected again");
    }
}

/// Returns when the connection does not stand any more.
async fn until_lost(inner: &Inner, connection: &Connection) {
    let mut events = connection.events_listener();
    while connection.status().connected() {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(side = inner.side, reason, "the server takes nothing now");
                    metrics::gauge!(names::BLOCKED).set(1.0);
                }
                Some(Event::ConnectionUnblocked) => metrics::gauge!(names::BLOCKED).set(0.0),
                Some(_) => {}
                None => return,
            },
            () = inner.doubt.notified() => {}
        }
    }
}
