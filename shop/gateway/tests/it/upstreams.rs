//! Services as the door meets them: one that echoes, and three that do not behave.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use shop_edge::Health;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    events: mpsc::Sender<String>,
    _end: DropGuard,
}

impl Upstream {
    pub(crate) async fn start(name: &'static str) -> Self {
        let (events, receiver) = mpsc::channel(1);
        let receiver = Arc::new(Mutex::new(receiver));
        let routes = Router::new()
            .route("/events", get(move || stream(receiver)))
            .route("/things/fixed", get(|| async { "fixed" }))
            .route("/things/json", get(|| async { Json(json!({ "text": "long ".repeat(500) })) }))
            .route("/things/none", get(|| async { shop_edge::Problem::not_found() }))
            .fallback(move |request| echo(name, request));
        let (listener, address) = bind().await;
        let end = CancellationToken::new();
        let health = Health::new().check("products", move || name != "not ready");
        tokio::spawn(shop_edge::serve(listener, routes, health, end.clone()));
        Self { address, events, _end: end.drop_guard() }
    }

    /// One more event for whoever listens.
    pub(crate) async fn emit(&self, event: String) {
        self.events.send(event).await.unwrap();
    }
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn stream(events: Arc<Mutex<mpsc::Receiver<String>>>) -> Response {
    let events = events.lock_owned().await;
    let stream = futures_util::stream::unfold(events, |mut events| async {
        let event = events.recv().await?;
        Some((Ok::<_, std::io::Error>(event), events))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(stream)).into_response()
}

async fn echo(name: &'static str, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers: Map<_, _> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap())))
        .collect();
    let seen = json!({
        "name": name,
        "target": format!("{} {}", head.method, head.uri),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    (StatusCode::CREATED, [("x-own", "kept")], Json(seen)).into_response()
}

/// An address at which nobody listens.
pub(crate) async fn closed() -> SocketAddr {
    bind().await.1
}

/// A service that takes a request and closes the connection.
pub(crate) async fn mute() -> SocketAddr {
    let (listener, address) = bind().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            while !seen.ends_with(b"{}") && stream.read_buf(&mut seen).await.unwrap() > 0 {}
        }
    });
    address
}

/// A service that takes connections and never says a word; tells when somebody has connected.
pub(crate) async fn silent() -> (SocketAddr, mpsc::Receiver<()>) {
    let (listener, address) = bind().await;
    let (connected, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut seen).await.unwrap();
            }
            streams.push(stream);
            connected.send(()).await.unwrap();
        }
    });
    (address, receiver)
}
