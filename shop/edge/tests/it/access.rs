//! The access log: what a line says, which lines there are, and what no line ever holds.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use shop_edge::serve::{Access, wrap_with};
use shop_edge::{Auth, Input, Principal, Problem};
use tower::ServiceExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::{Answer, deps, request};

#[derive(Clone)]
struct Edge(Arc<Auth>);

impl FromRef<Edge> for Arc<Auth> {
    fn from_ref(edge: &Edge) -> Self {
        edge.0.clone()
    }
}

/// What was written, line by line.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// The fields of each line of the access log, with its level.
    pub(crate) fn read(&self) -> Vec<Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock())).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines = lines.filter(|line| line["target"] == "switchboard::access");
        lines
            .map(|mut line| {
                let mut fields = line["fields"].take();
                fields["level"] = line["level"].take();
                fields
            })
            .collect()
    }
}

fn routes(auth: Arc<Auth>) -> Router {
    async fn mine(caller: Principal) -> Json<Value> {
        Json(json!({ "id": caller.user_id, "email": "ann@example.org" }))
    }
    async fn sign_in(mut input: Input) -> Result<Json<Value>, Problem> {
        input.text("email", 1..=99);
        input.text("password", 1..=99);
        input.finish()?;
        Ok(Json(json!({ "token": "a-secret-token", "n": 1 })))
    }
    Router::new()
        .route("/mine/{id}", get(mine))
        .route("/sessions", post(sign_in))
        .route("/readyz", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .with_state(Edge(auth))
}

/// Calls, and answers what was written about it.
async fn logged(
    access: Access,
    level: LevelFilter,
    calls: Vec<http::Request<axum::body::Body>>,
    auth: Arc<Auth>,
) -> Vec<Value> {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().json().with_max_level(level).with_writer(lines.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let routes = wrap_with(routes(auth), access);
    // Another test may be the first to pass a place that writes lines, and have it judged without
    // this subscriber; whoever was there before is judged anew.
    let Ok(_) = routes.clone().oneshot(request("GET", "/nowhere", &[], "")).await;
    tracing::callsite::rebuild_interest_cache();
    lines.0.lock().clear();
    for call in calls {
        let Ok(response) = routes.clone().oneshot(call).await;
        Answer::of(response).await;
    }
    lines.read()
}

fn access(sample: f64, bodies: bool) -> Access {
    Access { name: "users".into(), sample, bodies }
}

const INFO: LevelFilter = LevelFilter::INFO;
const ID: &str = "0190b8f1-7f4c-7cc3-98c4-dc0c0c07398f";

#[tokio::test]
async fn e11_a_line_says_who_asked_what_and_what_came_of_it() {
    let auth = deps().auth;
    let token = format!("Bearer {}", auth.sign("ann", Duration::from_secs(60)).unwrap());
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("authorization", &*token), ("x-request-id", ID), ("traceparent", trace)];
    let calls = vec![
        request("GET", "/mine/7", &headers, ""),
        request("GET", "/nowhere", &[("x-request-id", ID)], ""),
    ];
    let lines = logged(access(1.0, false), INFO, calls, auth).await;
    let line = &lines[0];
    for (field, expected) in [
        ("level", json!("INFO")),
        ("at", json!("users")),
        ("request_id", json!(ID)),
        ("trace_id", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("principal", json!("ann")),
        ("method", json!("GET")),
        ("route", json!("/mine/{id}")),
        ("status", json!(200)),
        ("bytes_out", json!(38)),
    ] {
        assert_eq!(line[field], expected, "{field} of {line}");
    }
    assert!(line["micros"].is_u64() && line["response_body"].is_null(), "{line}");
    let line = &lines[1];
    assert_eq!((&line["route"], &line["status"]), (&json!("-"), &json!(404)));
    assert_eq!(line["trace_id"], ID.replace('-', ""), "a trace of its own");
    assert_eq!(line["principal"], Value::Null);
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn e11_failures_are_always_written_and_of_the_rest_a_share() {
    let auth = deps().auth;
    let id = |last: &str| format!("0190b8f1-7f4c-7cc3-98c4-dc0c{last}");
    let (low, high) = (id("00000001"), id("f0000000"));
    let calls = |low: &str, high: &str| {
        vec![
            request("GET", "/nowhere", &[("x-request-id", low)], ""),
            request("GET", "/nowhere", &[("x-request-id", high)], ""),
            request("GET", "/readyz", &[("x-request-id", low)], ""),
            request("GET", "/broken", &[("x-request-id", high)], ""),
        ]
    };
    let statuses = |lines: &[Value]| -> Vec<_> {
        lines.iter().map(|line| line["status"].as_u64().unwrap()).collect()
    };
    for (share, expected) in [(0.0, vec![500]), (0.5, vec![404, 500]), (1.0, vec![404, 404, 500])] {
        let lines = logged(access(share, false), INFO, calls(&low, &high), auth.clone()).await;
        assert_eq!(statuses(&lines), expected, "{share}");
        assert_eq!(lines.last().unwrap()["level"], "WARN");
    }
    let all = logged(access(0.0, false), LevelFilter::DEBUG, calls(&low, &high), auth).await;
    assert_eq!(all.len(), 4, "everything is there for who asks");
}

#[tokio::test]
async fn e11_bodies_are_written_when_asked_for_and_never_with_secrets() {
    let auth = deps().auth;
    let token = format!("Bearer {}", auth.sign("ann", Duration::from_secs(60)).unwrap());
    let body = r#"{"email": "ann@example.org", "password": "correct horse", "extra": 1}"#;
    let length = body.len().to_string();
    let headers = [("content-type", "application/json"), ("content-length", &*length)];
    let good = body.replace(r#", "extra": 1"#, "");
    let good_length = good.len().to_string();
    let good_headers = [("content-type", "application/json"), ("content-length", &*good_length)];
    let calls = || {
        vec![
            request("POST", "/sessions", &headers, body),
            request("POST", "/sessions", &good_headers, good.clone()),
            request("GET", "/mine/7", &[("authorization", &*token)], ""),
        ]
    };
    let lines = logged(access(1.0, true), INFO, calls(), auth.clone()).await;
    assert_eq!(lines[0]["request_body"], r#"{"email":"***","extra":1,"password":"***"}"#);
    assert_eq!((&lines[0]["status"], &lines[0]["bytes_in"]), (&json!(422), &json!(body.len())));
    assert_eq!(lines[1]["status"], 200, "what was read for the log is there for the handler");
    assert_eq!(lines[1]["response_body"], r#"{"n":1,"token":"***"}"#);
    assert_eq!(lines[2]["response_body"], r#"{"email":"***","id":"ann"}"#);
    let all = format!("{lines:?}");
    for secret in ["ann@example.org", "correct horse", "a-secret-token", &token[7..]] {
        assert!(!all.contains(secret), "{secret}");
    }
    let without = format!("{:?}", logged(access(1.0, false), INFO, calls(), auth).await);
    assert!(!without.contains("***") && !without.contains("_body"), "{without}");
}
