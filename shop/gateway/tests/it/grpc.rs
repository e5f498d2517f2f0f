//! gRPC at the door: passing on, what nobody answers, health of those behind it, and browsers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use shop_contracts::rpc::DESCRIPTORS;
use shop_contracts::rpc::shipping as wire;
use shop_contracts::rpc::shipping::shipping_service_client::ShippingServiceClient;
use shop_contracts::rpc::shipping::shipping_service_server::{
    ShippingService, ShippingServiceServer,
};
use shop_edge::rpc::{Answer, Deadline, Line, OnBehalf, Stub, answer, opened};
use shop_edge::testing::Bench;
use shop_edge::{Health, Problem, Rpc, Upstreams, serve, serve_with_rpc};
use shop_gateway::rpc::Options;
use shop_gateway::{Callers, Gateway, Guards, Limits, Route};
use switchboard_core::{Clock, Rng, SystemClock};
use switchboard_resilience::Registry;
use switchboard_resilience::breaker::Breaker;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use crate::upstreams::closed;

const SHIPPING: &str = "shop.shipping.v1.ShippingService";

/// A service that tells what it was asked for, and by whom; and is away as often as it is told to.
#[derive(Clone, Default)]
struct Telling {
    asked: Arc<AtomicUsize>,
}

/// The door with a service behind it, for as long as the test lasts.
struct Door {
    bench: Bench,
    telling: Telling,
    address: SocketAddr,
    service: SocketAddr,
    _ends: [DropGuard; 2],
}

#[tonic::async_trait]
impl ShippingService for Telling {
    async fn get_shipment(
        &self,
        request: tonic::Request<wire::GetShipmentRequest>,
    ) -> Answer<wire::GetShipmentResponse> {
        let (called, asked) = opened(request)?;
        let header =
            |name: &str| called.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        let times = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let told = match &*asked.id {
            "away" => Err(Problem::unavailable("As asked.")),
            "broken" => Err(Problem::internal()),
            "back soon" if times < 3 => Err(Problem::unavailable("Not yet.")),
            "wait" => std::future::pending().await,
            "refuse" => Err(Problem::conflict("Refused: as asked.")),
            "who" => called.principal().map(|caller| caller.user_id),
            "left" => Ok(called.deadline().remaining().as_millis().to_string()),
            name => Ok(header(name).unwrap_or_default()),
        };
        let shipment = |id| Some(wire::Shipment { id, ..Default::default() });
        answer(told.map(|id| wire::GetShipmentResponse { shipment: shipment(id) }))
    }

    async fn list_shipments(
        &self,
        _: tonic::Request<wire::ListShipmentsRequest>,
    ) -> Answer<wire::ListShipmentsResponse> {
        answer(Ok(wire::ListShipmentsResponse::default()))
    }

    async fn batch_get_shipments(
        &self,
        _: tonic::Request<wire::BatchGetShipmentsRequest>,
    ) -> Answer<wire::BatchGetShipmentsResponse> {
        answer(Ok(wire::BatchGetShipmentsResponse::default()))
    }
}

impl Door {
    async fn open(options: Options) -> Self {
        Self::counted(options, Limits::Off).await
    }

    async fn counted(options: Options, limits: Limits) -> Self {
        Self::guarded(options, limits, None).await
    }

    async fn guarded(options: Options, limits: Limits, guards: Option<Guards>) -> Self {
        let (bench, telling) = (Bench::new("shipping", &[]), Telling::default());
        let (listener, service) = bound().await;
        let rpc =
            Rpc::of(&bench.deps, DESCRIPTORS).with(ShippingServiceServer::new(telling.clone()));
        let ends = [CancellationToken::new(), CancellationToken::new()];
        let health = Health::new();
        tokio::spawn(serve_with_rpc(listener, Router::new(), rpc, health, ends[0].clone()));
        let (listener, address) = bound().await;
        let routes = [
            Route::new("/api/v1/shipments", "shipping", service),
            Route::new("/api/v1/orders", "orders", closed().await),
        ];
        let auth = &bench.deps.auth;
        let gateway = Gateway::new(routes).with_callers(Callers::new(limits, auth.clone()));
        let gateway = match guards {
            Some(guards) => gateway.with_guards(guards),
            None => gateway,
        };
        let gateway = gateway.with_rpc(auth, options, ends[1].clone()).unwrap();
        tokio::spawn(gateway.serve(listener, serve::Options::default(), ends[1].clone()));
        Self { bench, telling, address, service, _ends: ends.map(CancellationToken::drop_guard) }
    }

    /// Whoever calls at an address, and waits for so long.
    fn stub(&self, at: SocketAddr, patience: Duration) -> Stub {
        let line = Line::new("the door", Upstreams::from(at), &self.bench.deps.auth);
        line.on_behalf(OnBehalf::nobody(Deadline::after(patience)))
    }

    fn client(&self) -> ShippingServiceClient<Stub> {
        ShippingServiceClient::new(self.stub(self.address, Duration::from_secs(20)))
    }

    async fn told(&self, request: tonic::Request<wire::GetShipmentRequest>) -> String {
        let answer = self.client().get_shipment(request).await.unwrap().into_inner();
        answer.shipment.unwrap().id
    }

    async fn serves(&self, service: &str) -> Result<ServingStatus, Code> {
        let mut client = HealthClient::new(self.stub(self.address, Duration::from_secs(20)));
        let answer = client.check(HealthCheckRequest { service: service.to_owned() }).await;
        answer.map(|answer| answer.get_ref().status()).map_err(|status| status.code())
    }

    async fn plain(&self, request: Request<Body>) -> Response<Body> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        client.request(request).await.unwrap().map(Body::new)
    }

    fn post(&self, kind: &str) -> http::request::Builder {
        let path = format!("http://{}/{SHIPPING}/ListShipments", self.address);
        Request::post(path).header("content-type", kind)
    }
}

async fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn get(id: &str) -> tonic::Request<wire::GetShipmentRequest> {
    tonic::Request::new(wire::GetShipmentRequest { id: id.to_owned() })
}

#[tokio::test]
async fn a_call_arrives_with_who_asked_its_id_and_what_is_left_of_its_time() {
    let door = Door::open(Options::default()).await;
    let mut by_ann = get("who");
    let bearer = format!("Bearer {}", door.bench.token("ann"));
    by_ann.metadata_mut().insert("authorization", bearer.parse().unwrap());
    assert_eq!(door.told(by_ann).await, "ann");
    let id = "018f2a60-0000-7000-8000-000000000001";
    for (name, value) in [("x-request-id", id), ("x-own", "kept")] {
        let mut request = get(name);
        request.metadata_mut().insert(name, value.parse().unwrap());
        assert_eq!(door.told(request).await, value);
    }
    // Twice a hop: to the door, and from there to the service.
    let left: u64 = door.told(get("left")).await.parse().unwrap();
    assert!((15_000..=19_990).contains(&left), "{left}");
    assert_eq!(door.told(get("x-service-key")).await, "", "the key stays at the service's door");
}

#[tokio::test]
async fn a_services_own_port_is_for_the_shop_alone() {
    let door = Door::open(Options::default()).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
    let path = format!("http://{}/{SHIPPING}/ListShipments", door.service);
    let request = Request::post(path).header("content-type", "application/grpc");
    let answer = client.request(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "16");
    assert!(door.client().list_shipments(wire::ListShipmentsRequest::default()).await.is_ok());
}

#[tokio::test]
async fn p2_a_refusal_passes_with_all_its_details() {
    let door = Door::open(Options::default()).await;
    let status = door.client().get_shipment(get("refuse")).await.unwrap_err();
    let details = status.get_error_details();
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "Refused: as asked."));
    assert_eq!(details.error_info().unwrap().reason, "CONFLICT");
    assert!(details.precondition_failure().is_some() && details.request_info().is_some());
}

#[tokio::test]
async fn p3_a_deadline_ends_a_call_at_the_door() {
    let door = Door::open(Options::default()).await;
    let stub = door.stub(door.address, Duration::from_millis(150));
    let status = ShippingServiceClient::new(stub).get_shipment(get("wait")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn what_nobody_answers_is_unimplemented_and_what_is_away_unavailable() {
    let door = Door::open(Options::default()).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
    for (path, code) in [
        ("/no.such.Service/Do", "12"),
        ("/nowhere", "12"),
        ("/api/v1/shipments", "12"),
        ("/shop.shipping.v1.ShippingService/Steal", "12"),
        ("/shop.users.v1.UserService/SignUp", "12"),
        ("/shop.orders.v1.OrderService/GetOrder", "14"),
    ] {
        let request = Request::post(format!("http://{}{path}", door.address))
            .header("content-type", "application/grpc")
            .body(Body::empty())
            .unwrap();
        let answer = client.request(request).await.unwrap();
        assert_eq!(
            (&answer.headers()["grpc-status"], answer.status().as_u16()),
            (&code.parse().unwrap(), 200),
            "{path}"
        );
        assert!(answer.headers().contains_key("grpc-status-details-bin"), "{path}");
    }
}

#[tokio::test]
async fn p4_health_is_that_of_each_service_and_of_all() {
    let door = Door::open(Options::default()).await;
    assert_eq!(door.serves(SHIPPING).await, Ok(ServingStatus::Serving));
    let orders = "shop.orders.v1.OrderService";
    assert_eq!(door.serves(orders).await, Ok(ServingStatus::NotServing));
    assert_eq!(door.serves("").await, Ok(ServingStatus::NotServing));
    assert_eq!(door.serves("shop.users.v1.UserService").await, Err(Code::NotFound));
}

fn guards() -> Guards {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let registry = Registry::new(clock.clone());
    Guards::new(["orders", "shipping"], &clock, &registry, Rng::from_seed(1)).unwrap()
}

/// R6: as over REST, a read is repeated a bounded number of times; and only what may pass by itself.
#[tokio::test]
async fn r6_a_read_of_a_service_that_is_away_is_repeated() {
    let door = Door::guarded(Options::default(), Limits::Off, Some(guards())).await;
    let asked = || door.telling.asked.swap(0, Ordering::SeqCst);
    assert_eq!(door.told(get("back soon")).await, "");
    assert_eq!(asked(), 3);
    let away = door.client().get_shipment(get("away")).await.unwrap_err();
    assert_eq!((away.code(), asked()), (Code::Unavailable, 3));
    let broken = door.client().get_shipment(get("broken")).await.unwrap_err();
    assert_eq!((broken.code(), asked()), (Code::Internal, 1));
    let stub = door.stub(door.address, Duration::from_millis(40));
    let late = ShippingServiceClient::new(stub).get_shipment(get("away")).await.unwrap_err();
    let times = asked();
    assert!(late.code() != Code::Ok && times <= 2, "no attempt without time: {times}");
}

#[tokio::test]
async fn r6_what_a_breaker_holds_back_is_told_at_once() {
    let guards = guards();
    let breaker = guards.breaker("shipping").unwrap();
    breaker.isolate("ann", "a test");
    let door = Door::guarded(Options::default(), Limits::Off, Some(guards.clone())).await;
    let held = door.client().get_shipment(get("away")).await.unwrap_err();
    assert_eq!((held.code(), breaker.totals().rejected_isolated), (Code::Unavailable, 1));
    assert_eq!(door.telling.asked.load(Ordering::SeqCst), 0);
}

/// Otherwise strangers who only ask could have a service left alone, or bring it back too early.
#[tokio::test]
async fn p4_questions_about_health_are_no_calls_that_a_breaker_counts() {
    let guards = guards();
    let door = Door::guarded(Options::default(), Limits::Off, Some(guards.clone())).await;
    let orders = guards.breaker("orders").unwrap();
    for _ in 0..3 {
        assert_eq!(door.serves("shop.orders.v1.OrderService").await, Ok(ServingStatus::NotServing));
        assert_eq!(door.serves(SHIPPING).await, Ok(ServingStatus::Serving));
    }
    let shipping = guards.breaker("shipping").unwrap();
    shipping.isolate("ann", "a test");
    assert_eq!(door.serves(SHIPPING).await, Ok(ServingStatus::Serving), "its own word");
    let counted = |breaker: &Breaker| {
        let totals = breaker.totals();
        (totals.successes, totals.failures, totals.ignored, totals.rejected_isolated)
    };
    assert_eq!((counted(orders), counted(shipping)), ((0, 0, 0, 0), (0, 0, 0, 0)));
}

#[tokio::test]
async fn e10_a_call_too_many_is_resource_exhausted_and_health_is_never_counted() {
    let limits: Limits = "2/60".parse().unwrap();
    let door = Door::counted(Options::default(), limits).await;
    for _ in 0..2 {
        assert!(door.client().list_shipments(wire::ListShipmentsRequest::default()).await.is_ok());
    }
    let refused = door.client().list_shipments(wire::ListShipmentsRequest::default()).await;
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.get_error_details().retry_info().unwrap().retry_delay.is_some());
    assert_eq!(door.serves(SHIPPING).await, Ok(ServingStatus::Serving));
}

/// What is written, in the hands of the test.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn e11_a_call_at_the_door_has_a_line_with_its_maker() {
    let door = Door::counted(Options::default(), "9/60".parse().unwrap()).await;
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone());
    let subscriber = subscriber.with_max_level(tracing::Level::DEBUG).finish();
    let _until_the_end = tracing::subscriber::set_default(subscriber);
    let broken = || {
        let mut request = get("broken");
        let bearer = format!("Bearer {}", door.bench.token("ann"));
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request
    };
    // Another test may have had the place judged that writes lines; from here on it is ours.
    door.client().get_shipment(broken()).await.unwrap_err();
    tracing::callsite::rebuild_interest_cache();
    lines.0.lock().clear();
    door.client().get_shipment(broken()).await.unwrap_err();
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    let written: Vec<_> = text.lines().filter(|it| it.contains("switchboard::access")).collect();
    let [line] = &*written else { panic!("{text}") };
    for part in ["\"principal\":\"ann\"", "\"code\":\"INTERNAL\"", "ShippingService/GetShipment"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn a_browser_calls_over_http_1_and_reads_the_trailers_in_the_body() {
    let door = Door::open(Options::default()).await;
    let request = door.post("application/grpc-web+proto").header("origin", "http://page.example");
    let answer = door.plain(request.body(Body::from(vec![0; 5])).unwrap()).await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    // One empty message, then a frame of trailers.
    assert_eq!((&body[..5], body[5]), (&[0; 5][..], 0x80));
    assert!(String::from_utf8_lossy(&body[10..]).contains("grpc-status:0"), "{body:?}");
}

#[tokio::test]
async fn pages_of_other_origins_are_let_in_only_if_they_are_named() {
    let named = "https://shop.example";
    let options = Options { origins: vec![named.parse().unwrap()], ..Options::default() };
    let door = Door::open(options).await;
    for (origin, allowed) in [(named, Some(named)), ("https://evil.example", None)] {
        let request = door.post("application/grpc-web+proto").header("origin", origin);
        let answer = door.plain(request.body(Body::from(vec![0; 5])).unwrap()).await;
        let told = answer.headers().get("access-control-allow-origin");
        assert_eq!(told.map(|it| it.to_str().unwrap()), allowed);
        let asks = Request::options(format!("http://{}/{SHIPPING}/GetShipment", door.address))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .body(Body::empty())
            .unwrap();
        let answer = door.plain(asks).await;
        let status = if allowed.is_some() { 204 } else { 415 };
        assert_eq!(answer.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn what_does_not_say_that_it_is_grpc_is_told_what_is_read_here() {
    let door = Door::open(Options::default()).await;
    let answer = door.plain(door.post("application/json").body(Body::from("{}")).unwrap()).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["accept"]),
        (415, &"application/grpc".parse().unwrap())
    );
    let answer = door.plain(door.post("application/grpc").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), 426);
}
