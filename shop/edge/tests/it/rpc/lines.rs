//! Calls over real sockets: who is passed over, what is handed on, what an answer means that is none.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use futures_util::StreamExt;
use http::StatusCode;
use shop_contracts::rpc::orders as wire;
use shop_contracts::rpc::orders::order_service_client::OrderServiceClient;
use shop_edge::rpc::{Deadline, Line, OnBehalf, Stub};
use shop_edge::{Deps, Health, Upstreams, serve, serve_with_rpc};
use switchboard_resilience::breaker::{Breaker, Environment, Options};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use super::service::{Seen, rpc};
use crate::deps;

/// A service that listens for as long as the test lasts.
async fn listening(deps: &Deps) -> (SocketAddr, Seen, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen, end) =
        (listener.local_addr().unwrap(), Seen::default(), CancellationToken::new());
    let rpc = rpc(deps, &seen);
    tokio::spawn(serve_with_rpc(listener, Router::new(), rpc, Health::new(), end.clone()));
    (address, seen, end.drop_guard())
}

/// An address at which nobody listens.
async fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn client(deps: &Deps, at: &[SocketAddr], patience: Duration) -> OrderServiceClient<Stub> {
    let upstreams = Upstreams::new(at.iter().map(|at| at.to_string().parse().unwrap()));
    let line = Line::new("orders", upstreams, &deps.auth);
    let on = OnBehalf::nobody(Deadline::after(patience));
    OrderServiceClient::new(line.on_behalf(on))
}

fn order(id: &str) -> Request<wire::GetOrderRequest> {
    Request::new(wire::GetOrderRequest { id: id.to_owned() })
}

#[tokio::test]
async fn a_copy_that_cannot_be_reached_is_passed_over() {
    let deps = deps();
    let (address, seen, _end) = listening(&deps).await;
    let at = [closed().await, address];
    let mut client = client(&deps, &at, Duration::from_secs(20));
    for _ in 0..4 {
        assert!(client.get_order(order("a")).await.is_ok());
    }
    assert_eq!(seen.calls(), 4);
}

#[tokio::test]
async fn p5_when_no_copy_can_be_reached_that_is_said_at_once() {
    let deps = deps();
    let mut client = client(&deps, &[closed().await], Duration::from_secs(600));
    let status = client.get_order(order("a")).await.unwrap_err();
    let details = status.get_error_details();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(details.error_info().unwrap().reason, "UNAVAILABLE");
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn p3_what_is_left_of_a_deadline_is_handed_on_less_a_margin() {
    let deps = deps();
    let (address, _, _end) = listening(&deps).await;
    let mut client = client(&deps, &[address], Duration::from_secs(20));
    let answer = client.get_order(order("left")).await.unwrap().into_inner();
    let left: u64 = answer.order.unwrap().id.parse().unwrap();
    assert!((15_000..=19_995).contains(&left), "{left}");
}

#[tokio::test]
async fn p3_a_caller_that_waits_no_longer_is_told_so_here_too() {
    let deps = deps();
    let (address, seen, _end) = listening(&deps).await;
    let mut late = client(&deps, &[address], Duration::ZERO);
    assert_eq!(late.get_order(order("a")).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(seen.calls(), 0);
    let mut short = client(&deps, &[address], Duration::from_millis(100));
    assert_eq!(short.get_order(order("wait")).await.unwrap_err().code(), Code::DeadlineExceeded);
    let mut short = client(&deps, &[address], Duration::from_millis(100));
    let asked = wire::WatchOrderRequest { id: "wait".to_owned() };
    let mut stream = short.watch_order(asked).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert_eq!(stream.message().await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn p1_an_answer_that_is_not_grpc_means_something_too() {
    let deps = deps();
    for (answer, code) in [
        (StatusCode::BAD_GATEWAY, Code::Unavailable),
        (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
        (StatusCode::BAD_REQUEST, Code::Internal),
        (StatusCode::OK, Code::Unknown),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, end) = (listener.local_addr().unwrap(), CancellationToken::new());
        let routes = Router::new().fallback(post(move || async move { answer }));
        // The door of a stranger: what comes as gRPC is answered as anything else is.
        tokio::spawn(stranger(listener, routes, end.clone()));
        let mut client = client(&deps, &[address], Duration::from_secs(20));
        let status = client.get_order(order("a")).await.unwrap_err();
        assert_eq!(status.code(), code, "{answer}: {status:?}");
        assert!(status.get_error_details().error_info().is_some());
        end.cancel();
    }
}

async fn stranger(listener: TcpListener, routes: Router, end: CancellationToken) {
    serve::serve_bare(listener, routes, end).await.unwrap();
}

type Lost = Result<Bytes, std::io::Error>;

/// A line behind a breaker, with frames as only a hostile caller writes them.
struct Guarded(Line, Breaker);

impl Guarded {
    fn to(deps: &Deps, at: SocketAddr) -> Self {
        let breaker = Breaker::new("orders", Options::recommended(), Environment::process());
        let line = Line::guarded("orders", Upstreams::from(at), &deps.auth, breaker.clone());
        Self(line, breaker)
    }

    async fn send(&self, timeout: &str, body: Body) -> Result<String, Code> {
        let request = http::Request::post("/shop.orders.v1.OrderService/GetOrder")
            .header("content-type", "application/grpc")
            .header("grpc-timeout", timeout);
        let answer = self.0.send(request.body(body).unwrap()).await;
        let answer = answer.map_err(|status| status.code())?;
        Ok(answer.headers().get("grpc-status").map_or("", |it| it.to_str().unwrap()).to_owned())
    }

    /// Good, bad, and those that say nothing.
    fn counted(&self) -> (u64, u64, u64) {
        let totals = self.1.totals();
        (totals.successes, totals.failures, totals.ignored)
    }
}

/// The frame of an order by its id.
fn frame(id: &str) -> Vec<u8> {
    let message = prost::Message::encode_to_vec(&wire::GetOrderRequest { id: id.to_owned() });
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, &message].concat()
}

#[tokio::test]
async fn what_callers_do_wrong_says_nothing_of_the_service() {
    let deps = deps();
    let (address, _, _end) = listening(&deps).await;
    let it = Guarded::to(&deps, address);
    assert_eq!(it.send("20S", frame("a").into()).await, Ok(String::new()));
    assert_eq!(it.counted(), (1, 0, 0));
    for garbage in [vec![7; 40], vec![0, 0, 0, 0, 2, 0xff, 0xff], vec![0, 0, 0, 0, 9, 1]] {
        let said = it.send("20S", garbage.clone().into()).await.unwrap();
        assert!(["2", "13"].contains(&&*said), "{garbage:?}: {said}");
    }
    let cut = [Ok(Bytes::from(frame("a")).slice(..3)), Err(std::io::Error::other("gone"))];
    let cut = it.send("20S", Body::from_stream(futures_util::stream::iter(cut))).await;
    assert_eq!(cut, Err(Code::InvalidArgument));
    assert_eq!(it.send("50m", frame("wait").into()).await, Ok("4".to_owned()));
    assert_eq!(it.counted(), (1, 0, 5));
    assert_eq!(it.send("20S", frame("panic").into()).await, Ok("13".to_owned()));
    assert_eq!(it.counted(), (1, 1, 5), "in the service's own words");
}

#[tokio::test]
async fn a_call_whose_message_is_held_back_says_nothing_of_the_service() {
    let deps = deps();
    let (address, _, _end) = listening(&deps).await;
    let it = Guarded::to(&deps, address);
    let half = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(&[0, 0]))]);
    let held = Body::from_stream(half.chain(futures_util::stream::pending()));
    assert_eq!(it.send("2200m", held).await, Ok("4".to_owned()), "given long enough to count");
    assert_eq!(it.counted(), (0, 0, 1));
    let given_up = it.send("20S", Body::from_stream(futures_util::stream::pending::<Lost>()));
    let mut given_up = Box::pin(given_up);
    assert!(futures_util::poll!(&mut given_up).is_pending());
    drop(given_up);
    assert_eq!((it.counted(), it.1.totals().cancelled), ((0, 0, 2), 0));
}

#[tokio::test]
async fn what_cannot_be_reached_is_the_services_failure() {
    let it = Guarded::to(&deps(), closed().await);
    assert_eq!(it.send("20S", frame("a").into()).await, Err(Code::Unavailable));
    assert_eq!(it.counted(), (0, 1, 0));
}

#[tokio::test]
async fn grpc_over_http_1_is_told_what_it_needs() {
    let deps = deps();
    let (address, _, _end) = listening(&deps).await;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<Body>();
    let request = http::Request::post(format!("http://{address}/shop.orders.v1.OrderService/X"))
        .header("content-type", "application/grpc")
        .body(Body::empty())
        .unwrap();
    let answer = client.request(request).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["upgrade"]),
        (426, &"h2c".parse().unwrap())
    );
}
