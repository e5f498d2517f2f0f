//! Over real sockets: health, both versions of HTTP, and an end in bounded time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use shop_edge::{Deps, Health, Process, serve};
use switchboard_core::BoxError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Answer, deps};

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), BoxError>>,
}

impl Server {
    async fn start(routes: Router, health: Health) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, routes, health, shutdown.clone()));
        Self { address, shutdown, serving }
    }

    /// Ends it and tells how long that took.
    async fn end(self) -> Duration {
        let begun = Instant::now();
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
        begun.elapsed()
    }
}

fn client(http2: bool) -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}

async fn get_from(
    client: &Client<HttpConnector, Body>,
    at: SocketAddr,
    path: &str,
) -> (Version, Answer) {
    let request = Request::get(format!("http://{at}{path}")).body(Body::empty()).unwrap();
    let response = client.request(request).await.unwrap();
    (response.version(), Answer::of(response.map(Body::new)).await)
}

#[tokio::test]
async fn e13_ready_means_every_check_holds() {
    let holds = Arc::new(AtomicBool::new(false));
    let asked = holds.clone();
    let health = Health::new().check("products", move || asked.load(Ordering::SeqCst));
    let server = Server::start(Router::new(), health).await;
    let client = client(false);
    let (_, not_yet) = get_from(&client, server.address, "/readyz").await;
    assert_eq!((not_yet.status, &not_yet.body["checks"]["products"]), (503, &false.into()));
    assert_eq!(get_from(&client, server.address, "/livez").await.1.status, 200);
    holds.store(true, Ordering::SeqCst);
    let (_, ready) = get_from(&client, server.address, "/readyz").await;
    assert_eq!((ready.status, &ready.body["status"]), (200, &"ready".into()));
    server.end().await;
}

#[tokio::test]
async fn e13_ready_means_that_what_the_process_stands_on_answers() {
    let answers = Arc::new(AtomicBool::new(false));
    let asked = answers.clone();
    let process = Process::default().with_probe("store", || async { true });
    let process = process.with_probe("broker", move || {
        let answers = asked.load(Ordering::SeqCst);
        // One that says nothing counts like one that says no.
        async move { if answers { true } else { std::future::pending().await } }
    });
    let health = Health::of(&Deps { process, ..deps() });
    let server = Server::start(Router::new(), health).await;
    let client = client(false);
    let (_, away) = get_from(&client, server.address, "/readyz").await;
    let checks = &away.body["checks"];
    assert_eq!(
        (away.status, &checks["store"], &checks["broker"]),
        (503, &true.into(), &false.into())
    );
    answers.store(true, Ordering::SeqCst);
    assert_eq!(get_from(&client, server.address, "/readyz").await.1.status, 200);
    server.end().await;
}

#[tokio::test]
async fn both_versions_of_http_share_the_port() {
    let server = Server::start(Router::new(), Health::new()).await;
    for (http2, version) in [(false, Version::HTTP_11), (true, Version::HTTP_2)] {
        let (spoken, answer) = get_from(&client(http2), server.address, "/livez").await;
        assert_eq!((spoken, answer.status), (version, 200));
        get_from(&client(http2), server.address, "/nowhere")
            .await
            .1
            .assert_problem(404, "not-found");
    }
    server.end().await;
}

#[tokio::test]
async fn e13_shutdown_closes_idle_connections_at_once() {
    let server = Server::start(Router::new(), Health::new()).await;
    let idle = client(false);
    get_from(&idle, server.address, "/livez").await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    assert!(server.end().await < Duration::from_secs(3));
    drop((idle, silent));
}

#[tokio::test]
async fn e13_a_call_that_runs_is_answered_and_nobody_new_is_served() {
    let (begun, mut is_begun) = mpsc::channel(1);
    let (go, wait) = oneshot::channel::<()>();
    let wait = Arc::new(tokio::sync::Mutex::new(Some(wait)));
    let slow = get(move || async move {
        begun.send(()).await.unwrap();
        let wait = wait.lock().await.take().unwrap();
        wait.await.unwrap();
        "done"
    });
    let server = Server::start(Router::new().route("/slow", slow), Health::new()).await;
    let address = server.address;
    let call = tokio::spawn(async move { get_from(&client(false), address, "/slow").await.1 });
    is_begun.recv().await.unwrap();
    let ending = tokio::spawn(server.end());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    assert_eq!(call.await.unwrap().status, 200);
    ending.await.unwrap();
}

#[tokio::test]
async fn e13_a_stream_that_never_ends_is_cut_after_three_seconds() {
    let endless = get(|| async {
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>("data: 1\n\n")]);
        let rest = futures_util::stream::pending();
        Body::from_stream(futures_util::StreamExt::chain(first, rest))
    });
    let server = Server::start(Router::new().route("/events", endless), Health::new()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"data: 1\n\n\r\n") {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
    // Only now, with everything connected, time is ours.
    tokio::time::pause();
    let took = server.end().await;
    assert!((Duration::from_secs(3)..Duration::from_millis(3_500)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn e13_the_port_stays_open_for_a_while_after_nobody_is_ready() {
    let server = Server::start(Router::new(), Health::new()).await;
    let client = client(false);
    assert_eq!(get_from(&client, server.address, "/readyz").await.1.status, 200);
    server.shutdown.cancel();
    let begun = Instant::now();
    let fresh = self::client(false);
    let (_, draining) = get_from(&fresh, server.address, "/readyz").await;
    assert_eq!((draining.status, &draining.body["status"]), (503, &"draining".into()));
    assert_eq!(get_from(&fresh, server.address, "/livez").await.1.status, 200, "still served");
    assert_eq!(get_from(&fresh, server.address, "/startupz").await.1.status, 200);
    server.end().await;
    assert!(begun.elapsed() >= Duration::from_millis(250));
}

#[tokio::test]
async fn e13_started_is_for_good() {
    let holds = Arc::new(AtomicBool::new(false));
    let asked = holds.clone();
    let health = Health::new().check("products", move || asked.load(Ordering::SeqCst));
    let server = Server::start(Router::new(), health).await;
    let client = client(false);
    assert_eq!(get_from(&client, server.address, "/startupz").await.1.status, 503);
    holds.store(true, Ordering::SeqCst);
    assert_eq!(get_from(&client, server.address, "/startupz").await.1.status, 200);
    holds.store(false, Ordering::SeqCst);
    assert_eq!(get_from(&client, server.address, "/readyz").await.1.status, 503);
    assert_eq!(get_from(&client, server.address, "/startupz").await.1.status, 200);
    server.end().await;
}

/// The first bytes of every HTTP/2 connection, and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
/// The type of the frame that says that nothing new is taken.
const GOAWAY: u8 = 7;

#[tokio::test]
async fn e13_http_2_connections_are_told_to_go_away() {
    let server = Server::start(Router::new(), Health::new()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    // Only a connection that has answered is open.
    let mut first = [0; 9];
    stream.read_exact(&mut first).await.unwrap();
    let ending = tokio::spawn(server.end());
    let mut seen = Vec::new();
    let _closed = stream.read_to_end(&mut seen).await;
    let mut frames = Vec::new();
    let length =
        |head: &[u8]| usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut rest = &seen[length(&first).min(seen.len())..];
    while rest.len() >= 9 {
        frames.push(rest[3]);
        rest = &rest[(9 + length(rest)).min(rest.len())..];
    }
    assert!(frames.contains(&GOAWAY), "{frames:?}");
    ending.await.unwrap();
}

#[tokio::test]
async fn e10_more_headers_than_http_is_read_with_are_431_or_a_problem() {
    let server = Server::start(Router::new(), Health::new()).await;
    for (count, size, with_problem) in [(1, 40 << 10, true), (300, 10, false)] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let headers: String =
            (0..count).map(|number| format!("x-{number}: {}\r\n", "y".repeat(size))).collect();
        let call = format!("GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(call.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert_eq!(answer.contains("/problems/headers-too-large"), with_problem, "{answer}");
    }
    server.end().await;
}

#[tokio::test]
async fn e5_framing_that_can_be_read_in_two_ways_is_400() {
    let server = Server::start(Router::new(), Health::new()).await;
    for framing in ["content-length: x", "content-length: 1\r\ncontent-length: 2"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let call = format!("POST /livez HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\nab");
        stream.write_all(call.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    server.end().await;
}
