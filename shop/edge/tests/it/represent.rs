//! Negotiation, tags, conditions, compression and bounds, through the layers.

use std::io::Read;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use flate2::read::GzDecoder;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use shop_edge::{Input, Preconditions, Problem};
use std::sync::Arc;
use tower::ServiceExt;

use crate::{Answer, ask, request};

const JSON: (&str, &str) = ("content-type", "application/json");

type Number = Arc<Mutex<i64>>;

/// One number that can be read and set, something long, and something that is not JSON.
fn routes() -> Router {
    async fn show(State(number): State<Number>) -> Json<Value> {
        Json(json!({ "number": *number.lock() }))
    }
    async fn set(
        State(number): State<Number>,
        conditions: Preconditions,
        mut input: Input,
    ) -> Result<Json<Value>, Problem> {
        conditions.require_match()?;
        let new = input.integer("number", 0..=100);
        input.finish()?;
        let mut number = number.lock();
        conditions.check(Some(&json!({ "number": *number })))?;
        *number = new;
        Ok(Json(json!({ "number": new })))
    }
    async fn long() -> Json<Value> {
        Json(json!({ "text": "again and ".repeat(400) }))
    }
    async fn picture() -> Response {
        ([("content-type", "image/svg+xml")], "<svg/>").into_response()
    }
    Router::new()
        .route("/number", get(show).put(set).patch(set))
        .route("/long", get(long))
        .route("/picture", get(picture))
        .with_state(Number::default())
}

async fn call(method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(&routes(), request(method, path, headers, "")).await
}

#[tokio::test]
async fn e6_every_answer_of_json_has_a_strong_tag_and_a_read_can_ask_whether_it_changed() {
    let first = call("GET", "/number", &[]).await;
    let tag = first.header("etag");
    assert!(tag.starts_with('"') && tag.len() > 12, "{tag}");
    assert_eq!(first.header("vary"), "accept, accept-encoding, authorization");
    let weak = format!("W/{tag}");
    for known in [tag, &weak, "*", &format!("\"x\", {tag}")] {
        let same = call("GET", "/number", &[("if-none-match", known)]).await;
        assert_eq!((same.status, same.bytes), (304, 0), "{known}");
        assert_eq!((same.header("etag"), same.header("content-type")), (tag, ""));
        for name in ["vary", "cache-control"] {
            assert_eq!(same.header(name), first.header(name), "{name}");
        }
        assert_eq!(same.header("x-content-type-options"), "nosniff");
        let head = call("HEAD", "/number", &[("if-none-match", known)]).await;
        assert_eq!((head.status, head.header("etag")), (304, tag));
    }
    assert_eq!(call("GET", "/number", &[("if-none-match", "\"x\"")]).await.status, 200);
    assert_eq!(call("GET", "/long", &[("if-none-match", tag)]).await.status, 200);
    let failed = call("GET", "/number", &[("if-match", "\"x\""), ("if-none-match", tag)]).await;
    failed.assert_problem(412, "precondition-failed");
    assert_eq!(failed.header("etag"), tag);
}

#[tokio::test]
async fn e6_a_write_says_what_it_changes_and_learns_what_is_there() {
    let routes = routes();
    let put = async |tag: Option<&str>, body: &str| {
        let mut headers = vec![JSON];
        headers.extend(tag.map(|tag| ("if-match", tag)));
        ask(&routes, request("PUT", "/number", &headers, body.to_owned())).await
    };
    put(None, r#"{"number": 1}"#).await.assert_problem(428, "precondition-required");
    let before = ask(&routes, request("GET", "/number", &[], "")).await;
    let written = put(Some(before.header("etag")), r#"{"number": 1}"#).await;
    assert_eq!(written.status, 200);
    let now = ask(&routes, request("GET", "/number", &[], "")).await;
    assert_eq!(written.header("etag"), now.header("etag"), "the write tells the new tag");
    let late = put(Some(before.header("etag")), r#"{"number": 2}"#).await;
    late.assert_problem(412, "precondition-failed");
    assert_eq!(late.header("etag"), now.header("etag"));
    assert_eq!(put(Some("*"), r#"{"number": 3}"#).await.status, 200);
    // What is wrong with the body comes first: the caller has to repair it anyway.
    put(Some("\"x\""), r#"{"number": -1}"#).await.assert_problem(422, "validation");
}

#[tokio::test]
async fn e4_head_has_the_headers_of_get_whatever_was_asked() {
    for (path, headers) in [
        ("/number", &[][..]),
        ("/long", &[("accept-encoding", "gzip")][..]),
        ("/picture", &[][..]),
        ("/nowhere", &[][..]),
        ("/number", &[("accept", "text/html")][..]),
    ] {
        let (get, head) = (call("GET", path, headers).await, call("HEAD", path, headers).await);
        assert_eq!((head.status, head.bytes), (get.status, 0), "{path}");
        let compared = |headers: &HeaderMap| {
            let mut headers = headers.clone();
            headers.remove("x-request-id");
            headers
        };
        let length = get.bytes.to_string();
        let mut expected = compared(&get.headers);
        expected.insert("content-length", length.parse().unwrap());
        assert_eq!(compared(&head.headers), expected, "{path}");
    }
}

#[tokio::test]
async fn e5_what_nobody_wants_is_406_with_what_there_is() {
    for (method, path, accept, offered) in [
        ("GET", "/number", "text/html", "application/json"),
        ("GET", "/number", "application/json;q=0, */*", "application/json"),
        ("GET", "/picture", "application/json", "image/svg+xml"),
        ("PUT", "/number", "text/html", "application/json"),
    ] {
        let answer = call(method, path, &[("accept", accept), JSON]).await;
        answer.assert_problem(406, "not-acceptable");
        assert!(answer.body["detail"].as_str().unwrap().contains(offered), "{}", answer.body);
    }
    for accept in
        ["*/*", "application/*;q=0.2", "application/json; charset=utf-8", "text/html, */*"]
    {
        assert_eq!(call("GET", "/number", &[("accept", accept)]).await.status, 200, "{accept}");
    }
    let error = call("GET", "/nowhere", &[("accept", "text/html")]).await;
    error.assert_problem(404, "not-found");
}

#[tokio::test]
async fn e5_long_answers_are_compressed_for_those_who_want_it_under_a_tag_of_their_own() {
    let plain = call("GET", "/long", &[]).await;
    let asked = request("GET", "/long", &[("accept-encoding", "br, gzip;q=0.5")], "");
    let Ok(response) = shop_edge::serve::wrap(routes()).oneshot(asked).await;
    let (head, body) = response.into_parts();
    assert_eq!(head.headers["content-encoding"], "gzip");
    assert_eq!(head.headers["content-type"], "application/json");
    let tag = head.headers["etag"].to_str().unwrap().to_owned();
    assert_ne!(tag, plain.header("etag"), "other bytes, another strong tag");
    let zipped = body.collect().await.unwrap().to_bytes();
    assert!(zipped.len() < plain.bytes / 10, "{}", zipped.len());
    let mut text = String::new();
    GzDecoder::new(&*zipped).read_to_string(&mut text).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), plain.body);
    for headers in [
        &[("if-none-match", &*tag)][..],
        &[("if-none-match", &*tag), ("accept-encoding", "gzip")][..],
    ] {
        assert_eq!(call("GET", "/long", headers).await.status, 304);
    }
    for (path, coding) in [("/long", "gzip;q=0"), ("/long", "br"), ("/number", "gzip")] {
        let answer = call("GET", path, &[("accept-encoding", coding)]).await;
        assert_eq!(answer.header("content-encoding"), "", "{path} {coding}");
    }
}

#[tokio::test]
async fn e10_addresses_and_headers_are_bounded_and_unknown_methods_are_501() {
    let long = format!("/number?{}", "x".repeat(9 << 10));
    call("GET", &long, &[]).await.assert_problem(414, "uri-too-long");
    let header = "y".repeat(33 << 10);
    let large = call("GET", "/number", &[("x-large", &header)]).await;
    large.assert_problem(431, "headers-too-large");
    for method in ["BREW", "PROPFIND", "get"] {
        call(method, "/number", &[]).await.assert_problem(501, "not-implemented");
    }
    call("QUERY", "/number", &[]).await.assert_problem(405, "method");
    let trace = call("TRACE", "/number", &[]).await;
    trace.assert_problem(405, "method");
    assert_eq!(trace.header("allow"), "GET, HEAD, PUT, PATCH, OPTIONS");
}

#[tokio::test]
async fn e11_private_answers_are_stored_by_nobody_and_public_ones_are_asked_about() {
    let private = call("GET", "/number", &[("authorization", "Bearer x")]).await;
    assert_eq!(private.header("cache-control"), "no-store");
    assert_eq!(call("GET", "/number", &[]).await.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn e11_what_is_no_trace_context_goes_no_further() {
    async fn seen(headers: HeaderMap) -> Json<Value> {
        let text = |name: &str| headers.get(name).map(|it| it.to_str().unwrap().to_owned());
        Json(json!([text("traceparent"), text("tracestate")]))
    }
    let routes = Router::new().route("/seen", get(seen));
    let sound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (trace, expected) in [(sound, json!([sound, "a=1"])), ("nonsense", json!([null, null]))] {
        let headers = [("traceparent", trace), ("tracestate", "a=1")];
        assert_eq!(ask(&routes, request("GET", "/seen", &headers, "")).await.body, expected);
    }
}

#[tokio::test]
async fn e9_the_policy_of_versions_is_served_for_programs_and_for_people() {
    let routes = shop_edge::versions::routes();
    let get = |accept: &'static str| request("GET", "/versions", &[("accept", accept)], "");
    let list = ask(&routes, get("*/*")).await;
    let users = &list.body["items"][0];
    assert_eq!((&users["name"], &users["versions"][0]["name"]), (&"users".into(), &"v1".into()));
    assert!(users["versions"][0]["sunset"].is_string() && users["versions"][1]["sunset"].is_null());
    let page = ask(&routes, get("text/markdown")).await;
    assert_eq!(page.header("content-type"), "text/markdown; charset=utf-8");
    ask(&routes, get("image/png")).await.assert_problem(406, "not-acceptable");
}

#[tokio::test]
async fn e4_a_status_without_a_body_has_no_length_and_no_type() {
    let routes = Router::new().route("/gone", get(|| async { StatusCode::NO_CONTENT }));
    for method in ["GET", "HEAD"] {
        let answer = ask(&routes, request(method, "/gone", &[], "")).await;
        assert_eq!(answer.status, 204);
        assert_eq!((answer.header("content-type"), answer.header("etag")), ("", ""));
    }
}
