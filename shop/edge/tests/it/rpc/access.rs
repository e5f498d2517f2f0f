//! The lines of calls in the access log: one each, when the call has ended.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shop_contracts::rpc::DESCRIPTORS;
use shop_edge::rpc::Guard;
use shop_edge::serve::Access;
use shop_edge::{Auth, Health, Problem, Rpc, request};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tower::ServiceExt;
use tracing_subscriber::filter::LevelFilter;

use crate::access::Lines;
use crate::deps;

const GET_ORDER: &str = "/shop.orders.v1.OrderService/GetOrder";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A door behind which everything fails as its caller asks.
fn door(auth: &Arc<Auth>, sample: f64) -> Guard {
    let answer = |request: http::Request<Body>| async move {
        request::made_by("ann");
        match request.headers().get("x-want").map(|it| it.to_str().unwrap().to_owned()) {
            None => Status::ok("").into_http::<Body>(),
            Some(want) if want == "wait" => std::future::pending().await,
            Some(want) if want == "refuse" => Status::from(Problem::not_found()).into_http(),
            Some(_) => Status::from(Problem::internal()).into_http(),
        }
    };
    let routes = Router::new().fallback(answer);
    let rpc = Rpc::public(auth.clone(), DESCRIPTORS, vec!["shop.orders.v1.OrderService"], routes);
    let guard = rpc.open(Health::new(), CancellationToken::new()).unwrap();
    guard.with_access(Access { name: "gateway".into(), sample, bodies: false })
}

/// Another test may be the first to pass a place that writes lines, and have it judged without this
/// test's subscriber; whoever was there before is judged anew.
async fn warm(door: Guard, lines: &Lines) -> Guard {
    let Ok(_) = door.clone().oneshot(http::Request::new(Body::empty())).await;
    tracing::callsite::rebuild_interest_cache();
    lines.read();
    door
}

async fn logged(sample: f64, path: &str, want: &str) -> Vec<Value> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(LevelFilter::DEBUG)
        .with_writer(lines.clone())
        .finish();
    let _until_the_end = tracing::subscriber::set_default(subscriber);
    let door = warm(door(&deps().auth, sample), &lines).await;
    let mut request = http::Request::post(path).header("traceparent", TRACE);
    if !want.is_empty() {
        request = request.header("x-want", want);
    }
    let request = request.header("grpc-timeout", "50m").body(Body::empty()).unwrap();
    let Ok(response) = door.oneshot(request).await;
    let _read = response.into_body().collect().await.unwrap();
    lines.read()
}

#[tokio::test]
async fn e11_a_call_has_one_line_with_its_method_code_trace_and_maker() {
    let lines = logged(1.0, GET_ORDER, "refuse").await;
    let [line] = &*lines else { panic!("{lines:?}") };
    let expected = json!({
        "level": "INFO", "at": "gateway", "principal": "ann", "method": "gRPC",
        "route": "shop.orders.v1.OrderService/GetOrder", "code": "NOT_FOUND",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name}: {line}");
    }
    assert!(line["request_id"].is_string() && line["micros"].is_u64(), "{line}");
}

#[tokio::test(start_paused = true)]
async fn e11_failures_are_warnings_and_what_watches_over_the_shop_fills_no_log() {
    for (sample, path, want, level, code) in [
        (0.0, GET_ORDER, "", "DEBUG", "OK"),
        (0.0, GET_ORDER, "break", "WARN", "INTERNAL"),
        (0.0, GET_ORDER, "wait", "WARN", "DEADLINE_EXCEEDED"),
        (1.0, "/grpc.health.v1.Health/Check", "", "DEBUG", "-"),
        (1.0, "/a.stranger's/Text", "refuse", "INFO", "NOT_FOUND"),
    ] {
        let lines = logged(sample, path, want).await;
        let [line] = &*lines else { panic!("{lines:?}") };
        assert_eq!(line["level"], level, "{line}");
        assert!(code == "-" || line["code"] == code, "{line}");
        assert!(!line["route"].as_str().unwrap().contains("stranger"), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn e11_a_call_that_its_caller_gives_up_has_a_line_too() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(writer).finish();
    let _until_the_end = tracing::subscriber::set_default(subscriber);
    let door = warm(door(&deps().auth, 1.0), &lines).await;
    let request = http::Request::post(GET_ORDER).header("x-want", "wait");
    let call = door.oneshot(request.body(Body::empty()).unwrap());
    assert!(tokio::time::timeout(Duration::from_secs(1), call).await.is_err());
    assert_eq!(lines.read()[0]["code"], "CANCELLED");
}
