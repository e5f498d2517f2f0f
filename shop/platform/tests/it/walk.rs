//! Every route of the shop, asked at the public port as clumsy and as careful clients ask: wrong methods, OPTIONS, HEAD, other media
//! types, broken bodies, no token, known tags.

use std::collections::BTreeSet;

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::{Shop, Somebody};

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// Anybody; for other methods than GET those with a token, unless it is how one gets one.
    Everybody,
    /// Whoever has a token.
    Callers,
}

/// What is known of one route: its path, its methods, those of them that read a body.
#[derive(Debug)]
struct Known {
    path: String,
    methods: &'static [&'static str],
    bodies: &'static [&'static str],
    open: Open,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Holds a problem to what every problem must be.
    fn assert_problem(&self, status: u16, what: &str) {
        let body = self.json();
        assert_eq!(self.status.as_u16(), status, "{what}: {body}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{what}");
        assert_eq!(body["status"], status, "{what}");
        let id = self.header("x-request-id");
        assert_eq!(body["instance"], format!("urn:uuid:{id}"), "{what}");
        assert!(body["type"].as_str().is_some_and(|it| it.starts_with("/problems/")), "{what}");
    }
}

struct Walker {
    http: Http<HttpConnector, Full<bytes::Bytes>>,
    url: String,
    token: String,
}

impl Walker {
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::from(body.as_bytes().to_vec());
        let response = self.http.request(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// As the operator, with a key, which harms no route.
    async fn operate(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let mut headers = vec![("authorization", &*self.token), ("idempotency-key", "walk")];
        headers.extend(more);
        self.ask(method, path, &headers, body).await
    }
}

fn allowed(answer: &Answer) -> BTreeSet<String> {
    answer.header("allow").split(", ").map(str::to_owned).collect()
}

const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];
const CHANGES: &[&str] = &["GET", "PUT", "PATCH", "DELETE"];
const WRITES: &[&str] = &["PUT", "PATCH"];

fn route(
    path: impl Into<String>,
    methods: &'static [&'static str],
    bodies: &'static [&'static str],
) -> Known {
    Known { path: path.into(), methods, bodies, open: Open::Callers }
}

fn open(
    path: impl Into<String>,
    methods: &'static [&'static str],
    bodies: &'static [&'static str],
) -> Known {
    Known { open: Open::Everybody, ..route(path, methods, bodies) }
}

/// All routes, with things in them that are there.
async fn routes(shop: &Shop, ada: &Somebody) -> Vec<Known> {
    let (user, account, sku) = (&ada.id, &ada.account, shop.sku().await);
    let token = Some(&*ada.token);
    let post = json!({ "title": "Tea", "content": "Hot.", "tags": ["tea"] });
    let post = shop.post(&format!("/api/v1/users/{user}/posts"), token, post).await;
    let post = format!("/api/v1/posts/{}", post.body["id"].as_str().unwrap());
    let said = json!({ "content": "Yes." });
    let comment = shop.post(&format!("{post}/comments"), token, said).await;
    let comment = format!("{post}/comments/{}", comment.body["id"].as_str().unwrap());
    let order = shop.order(ada, "walk-order", json!({})).await;
    let order = order.body["id"].as_str().unwrap_or("none").to_owned();
    let (list, both): (&[&str], &[&str]) = (&["GET", "POST"], POST);
    let mut routes = vec![
        open("/", GET, &[]),
        open("/livez", GET, &[]),
        open("/readyz", GET, &[]),
        open("/startupz", GET, &[]),
        open("/problems", GET, &[]),
        open("/problems/validation", GET, &[]),
        open("/versions", GET, &[]),
        open("/.well-known/jwks.json", GET, &[]),
        route("/api/v1/sessions/current", GET, &[]),
        open("/api/v1/sessions", both, POST),
        route(format!("/api/v1/users/{user}/posts"), list, POST),
        route("/api/v1/posts", GET, &[]),
        route("/api/v1/posts?tag=tea", GET, &[]),
        route(&*post, CHANGES, WRITES),
        route(format!("{post}/comments"), list, POST),
        route(comment, CHANGES, WRITES),
        route("/api/v1/tags", GET, &[]),
        route("/api/v1/orders", list, POST),
        route(format!("/api/v1/orders/{order}"), GET, &[]),
        route(format!("/api/v1/orders/{order}/events"), GET, &[]),
        route(format!("/api/v1/orders/{order}/cancellation"), POST, &[]),
        route("/api/v1/accounts", list, POST),
        route(format!("/api/v1/accounts/{account}"), GET, &[]),
        route(format!("/api/v1/accounts/{account}/deposits"), POST, POST),
        route(format!("/api/v1/accounts/{account}/withdrawals"), POST, POST),
        route(format!("/api/v1/accounts/{account}/events"), GET, &[]),
        route(format!("/api/v1/accounts/{account}/events/1"), GET, &[]),
        open("/api/v1/products", GET, &[]),
        open(format!("/api/v1/products/{sku}"), GET, &[]),
        open(format!("/api/v1/stock/{sku}"), &["GET", "PUT"], &["PUT"]),
        open(format!("/api/v2/stock/{sku}"), &["GET", "PUT"], &["PUT"]),
        route("/api/v1/shipments", GET, &[]),
        route("/api/v1/shipments/none", GET, &[]),
        route("/api/v1/notifications", GET, &[]),
        route("/api/v1/notifications/none", GET, &[]),
        route("/api/v1/mailbox", GET, &[]),
        route("/api/v1/mailbox/none", GET, &[]),
        route("/api/v1/operator/sagas", GET, &[]),
        route("/api/v1/operator/sagas/diagram", GET, &[]),
        route(format!("/api/v1/operator/sagas/{order}"), GET, &[]),
        route(format!("/api/v1/operator/sagas/{order}/diagram.svg"), GET, &[]),
        route(format!("/api/v1/operator/sagas/{order}/retry"), POST, &[]),
        route(format!("/api/v1/operator/sagas/{order}/resolution"), POST, POST),
        route("/api/v1/operator/payments/totals", GET, &[]),
        route("/api/v1/operator/notifications/routes", GET, &[]),
        route("/api/v1/operator/notifications/groups", GET, &[]),
        route("/api/v1/operator/notifications/groups/email", list, POST),
        route("/api/v1/operator/notifications/analytics", GET, &[]),
        route("/api/v1/operator/notifications/mailbox", GET, &[]),
    ];
    for version in ["v1", "v2"] {
        routes.push(Known {
            open: Open::Callers,
            ..open(format!("/api/{version}/users"), list, POST)
        });
        routes.push(route(format!("/api/{version}/users/{user}"), CHANGES, WRITES));
    }
    for service in shop_platform::topology::names() {
        let at = format!("/api/v1/operator/{service}");
        routes.push(route(format!("{at}/dead"), GET, &[]));
        routes.push(route(format!("{at}/dead/none/none"), GET, &[]));
        routes.push(route(format!("{at}/dead/none/none/replay"), POST, &[]));
        routes.push(route(format!("{at}/dead/none/none/skip"), POST, POST));
        routes.push(route(format!("{at}/gates"), GET, &[]));
        routes.push(route(format!("{at}/positions"), GET, &[]));
    }
    routes
}

async fn walker() -> (Shop, Walker, Vec<Known>) {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 100_000).await;
    let routes = routes(&shop, &ada).await;
    let http = Http::builder(TokioExecutor::new()).build(HttpConnector::new());
    let token = format!("Bearer {}", shop.operator);
    let walker = Walker { http, url: shop.url.clone(), token };
    (shop, walker, routes)
}

/// The methods that a route must name.
fn expected(known: &Known) -> BTreeSet<String> {
    let mut methods: BTreeSet<_> = known.methods.iter().map(|it| (*it).to_owned()).collect();
    methods.insert("OPTIONS".to_owned());
    if methods.contains("GET") {
        methods.insert("HEAD".to_owned());
    }
    methods
}

#[tokio::test(flavor = "multi_thread")]
async fn e4_every_route_names_its_methods_and_refuses_all_others() {
    let (shop, walker, routes) = walker().await;
    for known in &routes {
        let (path, methods) = (&known.path, expected(known));
        let options = walker.ask("OPTIONS", path, &[], "").await;
        assert_eq!((options.status.as_u16(), options.body.len()), (204, 0), "OPTIONS {path}");
        assert_eq!(allowed(&options), methods, "OPTIONS {path}");
        assert_eq!(options.header("accept-patch").is_empty(), !methods.contains("PATCH"), "{path}");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
            if !methods.contains(method) {
                let wrong = walker.operate(method, path, &[], "").await;
                wrong.assert_problem(405, &format!("{method} {path}"));
                assert_eq!(allowed(&wrong), methods, "{method} {path}");
            }
        }
        let unknown = walker.operate("BREW", path, &[], "").await;
        unknown.assert_problem(501, &format!("BREW {path}"));
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e4_e5_e6_every_read_has_a_head_a_tag_and_only_what_is_accepted() {
    let (shop, walker, routes) = walker().await;
    for known in routes.iter().filter(|known| known.methods.contains(&"GET")) {
        let path = &known.path;
        let (get, head) = (
            walker.operate("GET", path, &[], "").await,
            walker.operate("HEAD", path, &[], "").await,
        );
        assert_eq!((head.status, head.body.len()), (get.status, 0), "HEAD {path}");
        for name in ["content-type", "vary", "cache-control", "deprecation"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
        if get.status.is_success() && get.header("content-type") == "application/json" {
            assert!(get.header("etag").starts_with('"'), "{path}");
        }
        // Some of them change from one call to the next by themselves.
        let is_still = get.status.is_success() && !path.contains("/operator/");
        if is_still && path.starts_with("/api/v1/users") {
            assert_eq!(head.header("etag"), get.header("etag"), "{path}");
            assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
            let known = [("if-none-match", get.header("etag"))];
            let same = walker.operate("GET", path, &known, "").await;
            assert_eq!((same.status.as_u16(), same.body.len()), (304, 0), "{path}");
            assert_eq!(same.header("etag"), get.header("etag"), "{path}");
        }
        let other = walker.operate("GET", path, &[("accept", "application/xml")], "").await;
        let status = if get.status.is_success() { 406 } else { get.status.as_u16() };
        other.assert_problem(status, &format!("GET {path} as XML"));
        assert_eq!(get.header("x-content-type-options"), "nosniff", "{path}");
        assert!(
            get.header("server").is_empty() && get.header("x-request-id").len() == 36,
            "{path}"
        );
        let is_json = get.header("content-type") == "application/json";
        if get.status.is_success() && is_json && path.starts_with("/api/") {
            assert_eq!(get.header("cache-control"), "no-store", "{path}");
            let body = get.json();
            let is_ours = !path.contains("/operator/");
            assert!(!is_ours || body["_links"]["self"]["href"].is_string(), "{path}: {body}");
        }
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_e4_every_body_is_judged_before_anything_happens() {
    let (shop, walker, routes) = walker().await;
    for known in &routes {
        for method in known.bodies {
            let what = format!("{method} {}", known.path);
            let text = [("content-type", "text/plain")];
            let wrong = walker.operate(method, &known.path, &text, "{}").await;
            wrong.assert_problem(415, &what);
            let accepts = if *method == "PATCH" { "accept-patch" } else { "accept" };
            assert!(wrong.header(accepts).contains("json"), "{what}");
            let json = [("content-type", "application/json")];
            for broken in ["{", r#"{"a":1,"a":2}"#, ""] {
                let answer = walker.operate(method, &known.path, &json, broken).await;
                answer.assert_problem(400, &what);
            }
            let accept = [("content-type", "application/json"), ("accept", "text/html")];
            walker.operate(method, &known.path, &accept, "{}").await.assert_problem(406, &what);
            let coded = [("content-type", "application/json"), ("content-encoding", "gzip")];
            let answer = walker.operate(method, &known.path, &coded, "{}").await;
            answer.assert_problem(415, &what);
            assert_eq!(answer.header("accept-encoding"), "identity", "{what}");
        }
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e3_every_route_that_asks_for_a_token_says_so() {
    let (shop, walker, routes) = walker().await;
    for known in routes.iter().filter(|known| known.open == Open::Callers) {
        for method in known.methods {
            // Whoever signs up has none yet.
            if *method == "POST" && known.path.ends_with("/users") {
                continue;
            }
            let what = format!("{method} {}", known.path);
            let key = [("idempotency-key", "walk"), ("content-type", "application/json")];
            let without = walker.ask(method, &known.path, &key, "{}").await;
            without.assert_problem(401, &what);
            assert!(without.header("www-authenticate").starts_with("Bearer realm="), "{what}");
            let wrong = [("authorization", "Bearer nonsense"), key[0], key[1]];
            let wrong = walker.ask(method, &known.path, &wrong, "{}").await;
            wrong.assert_problem(401, &what);
            assert!(wrong.header("www-authenticate").contains("invalid_token"), "{what}");
        }
    }
    for known in routes.iter().filter(|known| known.open == Open::Everybody) {
        if known.methods.contains(&"GET") {
            let answer = walker.ask("GET", &known.path, &[], "").await;
            assert_eq!(answer.status, 200, "GET {}", known.path);
        }
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_the_type_of_every_problem_is_served_at_the_door() {
    let (shop, walker, _) = walker().await;
    let list = walker.ask("GET", "/problems", &[], "").await.json();
    let items = list["items"].as_array().unwrap();
    assert!(items.len() > 20, "{list}");
    for kind in items {
        let page = walker.ask("GET", kind["type"].as_str().unwrap(), &[], "").await;
        assert_eq!((page.status.as_u16(), &page.json()), (200, kind));
    }
    shop.end().await;
}

/// A route that is added without being known here is found by what the services themselves list.
#[tokio::test(flavor = "multi_thread")]
async fn every_path_of_the_topology_is_walked() {
    let (shop, _, routes) = walker().await;
    for service in shop_platform::topology::services() {
        for path in service.paths {
            let start = path.split("/{").next().unwrap();
            let is_known = routes.iter().any(|known| known.path.starts_with(start));
            assert!(is_known, "{path} of {}", service.name);
        }
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e6_of_many_who_write_at_once_what_they_have_read_exactly_one_does() {
    let (shop, walker, _) = walker().await;
    let sku = shop.sku().await;
    let ada = shop.somebody("eve@example.com", 0).await;
    let user = format!("/api/v2/users/{}", ada.id);
    let stock = format!("/api/v2/stock/{sku}");
    for (method, path, field) in [("PATCH", &user, "given_name"), ("PUT", &stock, "on_hand")] {
        let tag = walker.operate("GET", path, &[], "").await.header("etag").to_owned();
        let headers = [("content-type", "application/json"), ("if-match", &*tag)];
        let bodies: Vec<_> = (0..8)
            .map(|number| match field {
                "on_hand" => json!({ field: 1_000 + number }).to_string(),
                _ => json!({ field: format!("number {number}") }).to_string(),
            })
            .collect();
        let calls = bodies.iter().map(|body| walker.operate(method, path, &headers, body));
        let answers = futures_util::future::join_all(calls).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1, "{path}");
        let now = walker.operate("GET", path, &[], "").await.header("etag").to_owned();
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.assert_problem(412, path);
            assert_eq!(answer.header("etag"), now, "{path}");
        }
    }
    shop.end().await;
}
