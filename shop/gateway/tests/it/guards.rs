//! What stands between a caller and a service: places, breakers, paid retries, and the last good answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use shop_gateway::{Gateway, Guards, Route};
use switchboard_core::{Clock, Priority, Rng, SystemClock};
use switchboard_resilience::{Call, Registry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::Door;

/// A service that answers what the test says, and counts how often it was asked.
#[derive(Clone, Default)]
struct Service {
    status: Arc<AtomicU32>,
    asked: Arc<AtomicU64>,
}

impl Service {
    async fn start(&self) -> std::net::SocketAddr {
        self.answers(StatusCode::OK);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn answers(&self, status: StatusCode) {
        self.status.store(status.as_u16().into(), Ordering::SeqCst);
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn answer(State(service): State<Service>, request: http::Request<Body>) -> Response {
    let asked = service.asked.fetch_add(1, Ordering::SeqCst) + 1;
    let status = u16::try_from(service.status.load(Ordering::SeqCst)).unwrap();
    let attempt = request.headers().get("x-retry-attempt").cloned();
    let path = request.uri().path().to_owned();
    if path == "/wait" {
        std::future::pending::<()>().await;
    }
    let body = match &*path {
        // A body that never ends holds its place.
        "/export" => Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()),
        _ => Body::from(json!({ "asked": asked }).to_string()),
    };
    let mut response = Response::builder().status(status).body(body).unwrap();
    if path == "/later" {
        response.headers_mut().insert("retry-after", HeaderValue::from_static("5"));
    }
    if let Some(attempt) = attempt {
        response.headers_mut().insert("x-seen-attempt", attempt);
    }
    response
}

struct Guarded {
    door: Door,
    service: Service,
    guards: Guards,
    registry: Registry,
}

impl Guarded {
    async fn open() -> Self {
        let service = Service::default();
        let address = service.start().await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let registry = Registry::new(clock.clone());
        let guards = Guards::new(["things"], &clock, &registry, Rng::from_seed(1)).unwrap();
        let route = |path| Route::new(path, "things", address);
        let routes = [
            route("/orders").with_pool(Priority::Critical),
            route("/products").kept(),
            route("/later"),
            route("/export").with_pool(Priority::Batch),
            route("/wait"),
        ];
        let gateway = Gateway::new(routes).with_guards(guards.clone());
        Self { door: Door::of(gateway).await, service, guards, registry }
    }

    async fn post(&self, path: &str) -> crate::Answer {
        self.door.call(self.door.request("POST", path).body(Body::from("{}")).unwrap()).await
    }
}

#[tokio::test]
async fn a_service_that_fails_is_left_alone_and_callers_hear_when_to_come_back() {
    let it = Guarded::open().await;
    it.service.answers(StatusCode::INTERNAL_SERVER_ERROR);
    for _ in 0..20 {
        assert_eq!(it.post("/orders").await.status, 500);
    }
    let asked = it.service.asked();
    let answer = it.post("/orders").await;
    answer.assert_problem(503, "unavailable");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    assert!(answer.json()["detail"].as_str().unwrap().contains("failed too often"));
    assert_eq!(it.service.asked(), asked, "an open breaker asks nobody");
    // D11: degraded is not dead.
    let ready = it.door.get("/readyz").await.json();
    assert_eq!(ready["degraded"][0]["policy"], "things", "{ready}");
    let view = it.registry.view("things").unwrap();
    assert_eq!((view.kind, view.state), ("breaker", "open"));
    assert!(view.remaining_open.is_some() && !view.transitions.is_empty());
}

/// R6: what may be repeated is, a bounded number of times; what may not is asked once.
#[tokio::test]
async fn r6_reads_are_repeated_and_writes_are_not() {
    let it = Guarded::open().await;
    it.service.answers(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(it.post("/orders").await.status, 503);
    let request = it.door.request("DELETE", "/orders").body(Body::empty()).unwrap();
    assert_eq!(it.door.call(request).await.status, 503);
    assert_eq!(it.service.asked(), 2, "one attempt of each change");
    let answer = it.door.get("/orders").await;
    assert_eq!((answer.status, it.service.asked()), (503, 5), "three attempts of one read");
    assert_eq!(answer.header("x-seen-attempt"), "2");
}

/// R2: a service that wants to be asked later than anybody waits is not asked again, and the caller
/// hears when.
#[tokio::test]
async fn r2_a_service_that_says_when_is_not_asked_before() {
    let it = Guarded::open().await;
    it.service.answers(StatusCode::SERVICE_UNAVAILABLE);
    let answer = it.door.get("/later").await;
    assert_eq!((answer.status, it.service.asked()), (503, 1));
    assert_eq!(answer.header("retry-after"), "5");
}

/// A fault that will only happen again is not repeated: 500 is the service's answer.
#[tokio::test]
async fn r6_what_will_only_fail_again_is_asked_once() {
    let it = Guarded::open().await;
    it.service.answers(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!((it.door.get("/orders").await.status, it.service.asked()), (500, 1));
}

/// D10: yesterday's list is worth more than an error, and says that it is yesterday's.
#[tokio::test]
async fn d10_the_product_list_is_shown_stale_and_marked_when_its_service_fails() {
    let it = Guarded::open().await;
    let good = it.door.get("/products?limit=2").await;
    assert_eq!((good.status, good.header("x-degraded")), (200, ""));
    assert_eq!(it.door.get("/products?limit=2&x=1").await.status, 200);
    it.service.answers(StatusCode::INTERNAL_SERVER_ERROR);
    let made_up = it.door.get("/products?limit=2&x=1").await;
    assert_eq!(made_up.status, 500, "what nobody asks in earnest is not kept");
    let stale = it.door.get("/products?limit=2").await;
    assert_eq!((stale.status, stale.header("x-degraded")), (200, "stale"));
    assert_eq!(stale.json(), good.json());
    assert!(stale.header("age").parse::<u64>().unwrap() < 60);
    assert_eq!(it.door.get("/products?limit=3").await.status, 500, "this one was never seen");
    assert_eq!(it.door.get("/orders").await.status, 500, "what is somebody's own is never kept");
    it.guards.breaker("things").unwrap().isolate("ann", "a test");
    assert_eq!(it.door.get("/products?limit=2").await.header("x-degraded"), "stale");
    it.service.answers(StatusCode::OK);
    it.guards.breaker("things").unwrap().release("ann", "a test");
    assert_eq!(it.door.get("/products?limit=2").await.header("x-degraded"), "");
}

/// Mission row 19: work that nobody waits for cannot take the places of an order.
#[tokio::test]
async fn with_all_places_for_the_rest_taken_an_order_passes_at_once() {
    let it = Guarded::open().await;
    let mut exports = Vec::new();
    for _ in 0..10 {
        let request = it.door.request("GET", "/export").body(Body::empty()).unwrap();
        exports.push(it.door.send(request).await);
    }
    assert_eq!(it.guards.pool(Priority::Batch).free(), 0, "bodies that stream hold their places");
    assert_eq!(it.post("/orders").await.status, 200);
    // The eleventh waits, and gives up when its own time is over.
    let request = it.door.request("GET", "/export").header("x-request-timeout-ms", "50");
    let answer = it.door.call(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 504);
    drop(exports);
    let freed = async {
        while it.guards.pool(Priority::Batch).free() < 10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed).await.unwrap();
}

/// Mission row 19: nor can what a person waits for.
#[tokio::test]
async fn with_all_standard_places_taken_an_order_that_says_nothing_of_priority_passes_at_once() {
    let it = Guarded::open().await;
    let pool = it.guards.pool(Priority::Standard);
    let mut taken = Vec::new();
    while pool.free() > 0 {
        taken.push(pool.acquire(&Call::new()).await.unwrap());
    }
    assert_eq!(it.post("/orders").await.status, 200);
    let request = it.door.request("POST", "/orders").header("x-priority", "standard");
    let request = request.header("x-request-timeout-ms", "50").body(Body::from("{}")).unwrap();
    assert_eq!(it.door.call(request).await.status, 504, "who wants to be less important is");
}

/// A caller without patience learns nothing about a service, and cannot have it left alone.
#[tokio::test]
async fn the_lapse_of_a_short_deadline_of_the_callers_own_is_nobodys_failure() {
    let it = Guarded::open().await;
    for _ in 0..25 {
        let request = it.door.request("POST", "/wait").header("x-request-timeout-ms", "20");
        let answer = it.door.call(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status, 504);
    }
    let totals = it.guards.breaker("things").unwrap().totals();
    assert_eq!((totals.failures, totals.ignored), (0, 25));
    assert_eq!(it.post("/orders").await.status, 200);
}

#[tokio::test]
async fn a_body_that_its_caller_breaks_off_is_not_the_services_failure() {
    let it = Guarded::open().await;
    let mut caller = tokio::net::TcpStream::connect(it.door.address).await.unwrap();
    let head = "POST /orders HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    caller.write_all(format!("{head}2\r\n{{}}\r\nnonsense\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(it.service.asked(), 0);
}

/// Who sends half of a body and waits takes nobody's place, and hears when it was too long.
#[tokio::test]
async fn bodies_that_their_callers_hold_back_take_no_places() {
    let it = Guarded::open().await;
    let mut callers = Vec::new();
    for _ in 0..40 {
        let mut caller = tokio::net::TcpStream::connect(it.door.address).await.unwrap();
        let head = "POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf";
        caller.write_all(head.as_bytes()).await.unwrap();
        callers.push(caller);
    }
    // Places are asked for in turn: this one would come behind them.
    assert_eq!(it.post("/orders").await.status, 200);
    assert_eq!(it.guards.pool(Priority::Critical).free(), 20);
    // From here on time is ours.
    tokio::time::pause();
    let mut answer = [0; 12];
    callers[0].read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(it.service.asked(), 1);
}

#[tokio::test]
async fn an_operator_holds_a_service_back_and_lets_it_go() {
    let it = Guarded::open().await;
    it.guards.breaker("things").unwrap().isolate("ann", "maintenance");
    let answer = it.post("/orders").await;
    answer.assert_problem(503, "unavailable");
    assert!(answer.json()["detail"].as_str().unwrap().contains("held back by an operator"));
    assert_eq!(it.service.asked(), 0);
    it.guards.breaker("things").unwrap().release("ann", "done");
    assert_eq!(it.post("/orders").await.status, 200);
}
