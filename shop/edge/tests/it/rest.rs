//! Each rule through the layers, without a socket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shop_edge::serve::BODY_LIMIT;
use shop_edge::{Auth, Input, MaybePrincipal, Principal, Problem, RequestContext};

use crate::{Answer, ask, deps, ok, request};

const JSON: (&str, &str) = ("content-type", "application/json");

#[derive(Clone)]
struct Edge(Arc<Auth>);

impl FromRef<Edge> for Arc<Auth> {
    fn from_ref(edge: &Edge) -> Self {
        edge.0.clone()
    }
}

#[derive(Deserialize)]
struct Numbered {
    number: u32,
}

fn routes(auth: Arc<Auth>) -> Router {
    async fn create(mut input: Input) -> Result<StatusCode, Problem> {
        input.text("name", 1..=10);
        input.integer("amount", 1..=100);
        input.finish()?;
        Ok(StatusCode::CREATED)
    }
    async fn own(caller: Principal, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
        caller.owns_or_404(&id)?;
        Ok(Json(json!({ "id": id })))
    }
    async fn admin(caller: Principal) -> Result<StatusCode, Problem> {
        caller.require_operator()?;
        Ok(StatusCode::NO_CONTENT)
    }
    async fn whoever(State(_): State<Edge>, MaybePrincipal(who): MaybePrincipal) -> Json<Value> {
        Json(json!({ "who": who.map(|who| who.user_id) }))
    }
    async fn context(RequestContext(context): RequestContext) -> Json<Value> {
        Json(json!({ "id": context.correlation, "trace": context.traceparent.as_deref() }))
    }
    async fn panics() -> StatusCode {
        panic!("a secret of the house")
    }
    Router::new()
        .route("/things", post(create).get(|| async { Json(json!({ "items": [] })) }).patch(create))
        .route("/own/{id}", get(own))
        .route("/admin", post(admin))
        .route("/whoever", get(whoever))
        .route("/context", get(context))
        .route("/panics", get(panics))
        .route("/number/{number}", get(|Path(number): Path<u32>| async move { number.to_string() }))
        .route("/query", get(|Query(it): Query<Numbered>| async move { it.number.to_string() }))
        .with_state(Edge(auth))
}

async fn call(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    ask(&routes(deps().auth), request(method, path, headers, body.to_owned())).await
}

/// Method, path, headers, body; status and type.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[tokio::test]
async fn e1_every_error_is_a_problem_whoever_made_it() {
    let huge = format!("{{\"name\": \"{}\"}}", "x".repeat(BODY_LIMIT));
    let cases: [Case<'_>; 14] = [
        ("GET", "/nowhere", &[], "", 404, "not-found"),
        ("DELETE", "/things", &[], "", 405, "method"),
        ("POST", "/things", &[JSON], "{", 400, "malformed"),
        ("POST", "/things", &[JSON], r#"{"name":"a","name":"b"}"#, 400, "malformed"),
        ("POST", "/things", &[JSON], "[1]", 422, "validation"),
        ("POST", "/things", &[JSON], "{}", 422, "validation"),
        ("POST", "/things", &[], "{}", 415, "media-type"),
        ("POST", "/things", &[("content-type", "text/plain")], "{}", 415, "media-type"),
        ("POST", "/things", &[JSON, ("content-encoding", "gzip")], "{}", 415, "media-type"),
        ("POST", "/things", &[JSON], &huge, 413, "too-large"),
        ("GET", "/own/ann", &[], "", 401, "unauthorized"),
        ("GET", "/panics", &[], "", 500, "internal"),
        ("GET", "/number/seven", &[], "", 400, "malformed"),
        ("GET", "/query?number=x", &[], "", 400, "malformed"),
    ];
    for (method, path, headers, body, status, slug) in cases {
        call(method, path, headers, body).await.assert_problem(status, slug);
    }
}

#[tokio::test]
async fn e1_a_panic_shows_nothing_of_itself() {
    let answer = call("GET", "/panics", &[], "").await;
    assert!(!answer.body.to_string().contains("secret"), "{}", answer.body);
}

#[tokio::test]
async fn e1_the_type_of_a_problem_is_served_where_it_points_to() {
    let kinds = shop_edge::problem::routes();
    let list = ask(&kinds, request("GET", "/problems", &[], "")).await;
    let items = list.body["items"].as_array().unwrap();
    assert!(items.len() > 15);
    for kind in items {
        let path = kind["type"].as_str().unwrap();
        assert_eq!(&ask(&kinds, request("GET", path, &[], "")).await.body, kind);
    }
    ask(&kinds, request("GET", "/problems/none", &[], "")).await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn e2_all_mistakes_come_at_once_with_their_places() {
    let answer = call("POST", "/things", &[JSON], r#"{"name": 7, "a/b": 1}"#).await;
    answer.assert_problem(422, "validation");
    let errors = answer.body["errors"].as_array().unwrap();
    let seen: Vec<_> =
        errors.iter().map(|it| (it["pointer"].as_str(), it["code"].as_str())).collect();
    let expected = [("#/name", "type"), ("#/amount", "required"), ("#/a~1b", "unknown")];
    assert_eq!(seen, expected.map(|(pointer, code)| (Some(pointer), Some(code))));
}

#[tokio::test]
async fn e3_a_401_says_how_to_sign_in_and_whether_the_token_was_the_trouble() {
    let without = call("GET", "/own/ann", &[], "").await;
    assert_eq!(without.header("www-authenticate"), "Bearer realm=\"switchboard\"");
    for header in ["Bearer nonsense", "Basic YTpi", "Bearer"] {
        let wrong = call("GET", "/own/ann", &[("authorization", header)], "").await;
        wrong.assert_problem(401, "unauthorized");
        assert!(wrong.header("www-authenticate").contains("invalid_token"), "{header}");
    }
}

#[tokio::test]
async fn e3_strangers_see_nothing_owners_their_own_and_the_operator_everything() {
    let auth = deps().auth;
    let routes = routes(auth.clone());
    let ann = format!("Bearer {}", auth.sign("ann", Duration::from_secs(60)).unwrap());
    let operator = format!("bearer {}", auth.operator_token());
    let cases = [
        ("GET", "/own/ann", &ann, 200),
        ("GET", "/own/bob", &ann, 404),
        ("GET", "/own/bob", &operator, 200),
        ("POST", "/admin", &ann, 403),
        ("POST", "/admin", &operator, 204),
    ];
    for (method, path, token, status) in cases {
        let asked = request(method, path, &[("authorization", token)], "");
        assert_eq!(ask(&routes, asked).await.status, status, "{method} {path}");
    }
    let who = ask(&routes, request("GET", "/whoever", &[("authorization", &ann)], "")).await;
    assert_eq!((who.body["who"].as_str(), who.header("cache-control")), (Some("ann"), "no-store"));
    let nobody = ask(&routes, request("GET", "/whoever", &[], "")).await;
    assert_eq!((&nobody.body["who"], nobody.header("cache-control")), (&Value::Null, "no-cache"));
}

#[tokio::test]
async fn e4_wrong_methods_learn_the_right_ones_and_options_just_those() {
    let wrong = call("DELETE", "/things", &[], "").await;
    let allow = |answer: &Answer| {
        let mut allow: Vec<_> = answer.header("allow").split(", ").map(str::to_owned).collect();
        allow.sort();
        allow
    };
    assert_eq!(allow(&wrong), ["GET", "HEAD", "OPTIONS", "PATCH", "POST"]);
    let options = call("OPTIONS", "/things", &[], "").await;
    assert_eq!((options.status, options.bytes, allow(&options)), (204, 0, allow(&wrong)));
    assert!(options.header("accept-patch").starts_with("application/merge-patch+json"));
    assert_eq!(call("OPTIONS", "/nowhere", &[], "").await.status, 404);
}

#[tokio::test]
async fn e4_head_is_get_without_a_body() {
    let get = call("GET", "/things", &[], "").await;
    let head = call("HEAD", "/things", &[], "").await;
    assert_eq!((head.status, head.bytes), (200, 0));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(head.header("content-type"), "application/json");
}

#[tokio::test]
async fn e4_a_merge_patch_is_for_patch_only() {
    let merge = ("content-type", "application/merge-patch+json");
    let body = r#"{"name": "a", "amount": 1}"#;
    assert_eq!(call("PATCH", "/things", &[merge], body).await.status, ok(StatusCode::CREATED));
    assert_eq!(call("PATCH", "/things", &[JSON], body).await.status, 201);
    let post = call("POST", "/things", &[merge], body).await;
    post.assert_problem(415, "media-type");
    assert_eq!(post.header("accept"), "application/json");
    let patch = call("PATCH", "/things", &[("content-type", "text/csv")], body).await;
    patch.assert_problem(415, "media-type");
    assert_eq!(patch.header("accept-patch"), "application/merge-patch+json, application/json");
    let charset = ("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(call("POST", "/things", &[charset], body).await.status, 201);
}

#[tokio::test]
async fn e10_a_body_without_announced_length_is_counted_while_it_is_read() {
    let chunk = bytes::Bytes::from(vec![b' '; 64 << 10]);
    let chunks =
        futures_util::stream::iter((0..17).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let body = axum::body::Body::from_stream(chunks);
    let answer = ask(&routes(deps().auth), request("POST", "/things", &[JSON], body)).await;
    answer.assert_problem(413, "too-large");
}

#[tokio::test(start_paused = true)]
async fn e10_a_body_that_does_not_come_is_408() {
    let body =
        axum::body::Body::from_stream(futures_util::stream::pending::<std::io::Result<&str>>());
    let answer = ask(&routes(deps().auth), request("POST", "/things", &[JSON], body)).await;
    answer.assert_problem(408, "request-timeout");
}

#[tokio::test]
async fn e11_a_sound_request_id_is_kept_and_everything_else_is_replaced() {
    const ID: &str = "0190b8f1-7f4c-7cc3-98c4-dc0c0c07398f";
    let kept = call("GET", "/context", &[("x-request-id", ID)], "").await;
    assert_eq!((kept.header("x-request-id"), kept.body["id"].as_str()), (ID, Some(ID)));
    let mut made = Vec::new();
    for given in ["<script>", "1", ""] {
        let answer = call("GET", "/context", &[("x-request-id", given)], "").await;
        let id = answer.header("x-request-id").to_owned();
        assert_eq!((id.len(), answer.body["id"].as_str()), (36, Some(&*id)), "{given}");
        made.push(id);
    }
    made.dedup();
    assert_eq!(made.len(), 3);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = call("GET", "/context", &[("traceparent", trace)], "").await;
    assert_eq!(traced.body["trace"], trace);
}

#[tokio::test]
async fn e11_answers_carry_safe_headers_errors_too() {
    for path in ["/things", "/nowhere", "/panics"] {
        let answer = call("GET", path, &[], "").await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert_eq!(answer.header("server"), "", "{path}");
    }
    let made = call("POST", "/things", &[JSON], r#"{"name": "a", "amount": 1}"#).await;
    assert_eq!(made.header("cache-control"), "no-store");
}
