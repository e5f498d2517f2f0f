//! The door over real sockets: what it passes on, what it answers itself, what it says of silent services.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod callers;
mod graphql;
mod grpc;
mod guards;
mod upstreams;

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Request, Version};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use shop_edge::serve::{BODY_LIMIT, serve_bare};
use shop_gateway::{Gateway, Route, Upstreams};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use upstreams::{Upstream, closed, mute, silent};

/// A door that is open for as long as the test lasts.
struct Door {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    _end: DropGuard,
}

struct Answer {
    status: u16,
    version: Version,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn assert_problem(&self, status: u16, slug: &str) {
        assert_eq!(self.status, status, "{}", self.json());
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json()["type"], format!("/problems/{slug}"));
        let id = self.header("x-request-id");
        assert_eq!(self.json()["instance"], format!("urn:uuid:{id}"));
    }
}

impl Door {
    async fn open(routes: impl IntoIterator<Item = Route>) -> Self {
        Self::of(Gateway::new(routes)).await
    }

    async fn of(gateway: Gateway) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let end = CancellationToken::new();
        tokio::spawn(serve_bare(listener, gateway.router(), end.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, client, _end: end.drop_guard() }
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("http://{}{path}", self.address))
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.client.request(request).await.unwrap().map(Body::new)
    }

    async fn call(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.send(request).await.into_parts();
        Answer {
            status: head.status.as_u16(),
            version: head.version,
            headers: head.headers,
            bytes: body.collect().await.unwrap().to_bytes(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(self.request("GET", path).body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn a_call_arrives_as_it_was_sent_with_who_asked_and_under_which_id() {
    let echo = Upstream::start("echo").await;
    let door = Door::open([Route::new("/api/v1/orders", "orders", echo.address)]).await;
    let sent = door
        .request("PUT", "/api/v1/orders/a%2Fb?x=1&y=%20")
        .header("authorization", "Bearer t")
        .header("connection", "x-secret")
        .header("x-secret", "1")
        .header("forwarded", "for=6.6.6.6")
        .body(Body::from("the body"))
        .unwrap();
    let answer = door.call(sent).await;
    let seen = answer.json();
    assert_eq!(seen["target"], "PUT /api/v1/orders/a%2Fb?x=1&y=%20");
    assert_eq!(
        (&seen["body"], &seen["headers"]["authorization"]),
        (&"the body".into(), &"Bearer t".into())
    );
    assert_eq!(seen["headers"]["x-secret"], Value::Null);
    let forwarded = seen["headers"]["forwarded"].as_str().unwrap();
    assert!(forwarded.starts_with("for=\"127.0.0.1:"), "{forwarded}");
    assert!(forwarded.contains(&format!("host=\"{}\"", door.address)), "{forwarded}");
    let id = answer.header("x-request-id");
    assert!(id.len() == 36 && seen["headers"]["x-request-id"] == id, "{id}");
    assert_eq!((answer.status, answer.header("x-own")), (201, "kept"));
}

#[tokio::test]
async fn the_longest_prefix_wins_and_no_prefix_is_404() {
    let (orders, sagas) = (Upstream::start("orders").await, Upstream::start("sagas").await);
    let door = Door::open([
        Route::new("/api/v1/operator", "orders", orders.address),
        Route::new("/api/v1/operator/sagas", "sagas", sagas.address),
    ])
    .await;
    assert_eq!(door.get("/api/v1/operator/dead").await.json()["name"], "orders");
    assert_eq!(door.get("/api/v1/operator/sagas/1").await.json()["name"], "sagas");
    door.get("/api/v1/operators").await.assert_problem(404, "not-found");
    door.get("/nowhere").await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn events_stream_through_as_they_come() {
    let upstream = Upstream::start("events").await;
    let door = Door::open([Route::new("/events", "events", upstream.address)]).await;
    let request = door.request("GET", "/events").body(Body::empty()).unwrap();
    let mut stream = door.send(request).await.into_body();
    for number in 1..=3 {
        // The next event is only made once the last one was seen, so nothing can be held back.
        upstream.emit(format!("data: {number}\n\n")).await;
        let frame = stream.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, format!("data: {number}\n\n"));
    }
}

#[tokio::test]
async fn a_body_streams_up_and_too_large_a_one_is_413() {
    let upstream = Upstream::start("echo").await;
    let door = Door::open([Route::new("/echo", "echo", upstream.address)]).await;
    let chunked = |chunks: usize| {
        let chunk = Bytes::from(vec![b'x'; 64 << 10]);
        let chunks = (0..chunks).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
        let body = Body::from_stream(futures_util::stream::iter(chunks));
        door.request("POST", "/echo").body(body).unwrap()
    };
    let whole = door.call(chunked(15)).await;
    assert_eq!(whole.json()["body"].as_str().map(str::len), Some(15 << 16));
    door.call(chunked(17)).await.assert_problem(413, "too-large");
    let announced = door
        .request("POST", "/echo")
        .header("content-length", BODY_LIMIT + 1)
        .header("expect", "100-continue")
        .body(Body::from(vec![b'x'; BODY_LIMIT + 1]));
    door.call(announced.unwrap()).await.assert_problem(413, "too-large");
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_is_503_with_retry_after() {
    let door = Door::open([Route::new("/orders", "orders", closed().await)]).await;
    let answer = door.get("/orders").await;
    answer.assert_problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_service_that_breaks_off_is_502() {
    let door = Door::open([Route::new("/orders", "orders", mute().await)]).await;
    let request = door.request("POST", "/orders").body(Body::from("{}")).unwrap();
    door.call(request).await.assert_problem(502, "bad-gateway");
}

#[tokio::test]
async fn a_service_that_does_not_begin_to_answer_is_504() {
    let (address, mut connected) = silent().await;
    let door = Door::open([Route::new("/orders", "orders", address)]).await;
    let call = door.get("/orders");
    let answer = tokio::join!(call, async {
        connected.recv().await;
        tokio::time::pause();
    });
    answer.0.assert_problem(504, "timeout");
}

#[tokio::test]
async fn ready_is_every_service_with_its_own_word() {
    let (ready, not) = (Upstream::start("ready").await, Upstream::start("not ready").await);
    let routes =
        [Route::new("/a", "users", ready.address), Route::new("/b", "users", ready.address)];
    let well = Door::open(routes.clone()).await.get("/readyz").await;
    assert_eq!((well.status, &well.json()["services"]["users"]), (200, &"ready".into()));
    let others =
        [Route::new("/c", "orders", not.address), Route::new("/d", "payments", closed().await)];
    let ill = Door::open(routes.into_iter().chain(others)).await.get("/readyz").await;
    assert_eq!(ill.status, 503);
    let services = &ill.json()["services"];
    assert_eq!(
        (&services["users"], &services["orders"], &services["payments"]),
        (&"ready".into(), &"not ready: products".into(), &"unreachable".into())
    );
}

#[tokio::test]
async fn what_the_door_answers_itself() {
    let extra = Router::new().route("/console", get(|| async { "the console" }));
    let gateway = Gateway::new([]).with_routes(extra);
    let door = Door::of(gateway).await;
    assert_eq!(door.get("/").await.json()["_links"]["orders"]["href"], "/api/v1/orders");
    assert_eq!(door.get("/livez").await.status, 200);
    assert_eq!(door.get("/console").await.bytes, "the console");
    assert_eq!(door.get("/problems/validation").await.json()["status"], 422);
    let wrong = door.call(door.request("POST", "/livez").body(Body::empty()).unwrap()).await;
    wrong.assert_problem(405, "method");
    assert_eq!(wrong.header("allow"), "GET, HEAD, OPTIONS");
    Door::open([]).await.get("/metrics").await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_problem_of_a_service_passes_untouched_and_head_and_options_too() {
    let upstream = Upstream::start("echo").await;
    let door = Door::open([Route::new("/things", "things", upstream.address)]).await;
    let problem = door.get("/things/none").await;
    problem.assert_problem(404, "not-found");
    let head = door.call(door.request("HEAD", "/things/fixed").body(Body::empty()).unwrap()).await;
    assert_eq!((head.status, head.bytes.len(), head.header("content-length")), (200, 0, "5"));
    let options = door.request("OPTIONS", "/things/fixed").body(Body::empty()).unwrap();
    let options = door.call(options).await;
    assert_eq!((options.status, options.header("allow")), (204, "GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn http_2_without_tls_is_spoken_at_the_door() {
    let upstream = Upstream::start("echo").await;
    let mut door = Door::open([Route::new("/echo", "echo", upstream.address)]).await;
    door.client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let answer = door.get("/echo").await;
    assert_eq!((answer.version, answer.status), (Version::HTTP_2, 201));
    let forwarded = answer.json()["headers"]["forwarded"].as_str().unwrap().to_owned();
    assert!(forwarded.contains(&format!("host=\"{}\"", door.address)), "{forwarded}");
}

#[tokio::test]
async fn copies_of_a_service_take_turns_and_one_that_is_gone_costs_no_call() {
    let (one, two) = (Upstream::start("one").await, Upstream::start("two").await);
    let gone = closed().await;
    let addresses = [one.address, gone, two.address];
    let copies = Upstreams::new(addresses.map(|at| at.to_string().parse().unwrap()));
    let door = Door::open([Route::new("/echo", "echo", copies)]).await;
    let mut names = Vec::new();
    for number in 0..6 {
        let body = format!("body {number}");
        let sent = door.request("POST", "/echo").body(Body::from(body.clone())).unwrap();
        let seen = door.call(sent).await.json();
        assert_eq!(seen["body"], body, "whole, whoever was asked first");
        names.push(seen["name"].as_str().unwrap().to_owned());
    }
    assert!(names.iter().any(|name| name == "one") && names.iter().any(|name| name == "two"));
    let ready = door.get("/readyz").await;
    let word = &ready.json()["services"]["echo"];
    assert_eq!((ready.status, word), (200, &"ready: 2 of 3 copies".into()));
}

#[tokio::test]
async fn a_call_that_broke_off_is_not_tried_at_another_copy() {
    let (broken, sound) = (mute().await, Upstream::start("sound").await);
    let addresses = [broken, sound.address];
    let copies = Upstreams::new(addresses.map(|at| at.to_string().parse().unwrap()));
    let door = Door::open([Route::new("/echo", "echo", copies)]).await;
    let sent = door.request("POST", "/echo").body(Body::from("{}")).unwrap();
    door.call(sent).await.assert_problem(502, "bad-gateway");
}
