//! Every path of the document, asked at the public port as clumsy and as careful clients ask: wrong methods, OPTIONS, HEAD, other media
//! types, broken bodies, no token, known tags.

use std::collections::BTreeSet;

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use shop_platform::openapi;

use crate::{Shop, Somebody};

/// What the document says of one path: its address, its methods, those of them that read a body, and
/// those that anybody may call.
#[derive(Debug)]
struct Known {
    path: String,
    methods: BTreeSet<String>,
    bodies: BTreeSet<String>,
    public: BTreeSet<String>,
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

/// Every path of the document, with things in it that are there, and with what its query must have.
async fn routes(shop: &Shop, ada: &Somebody) -> Vec<Known> {
    let things = things(shop, ada).await;
    let document = openapi::document();
    let paths = document["paths"].as_object().unwrap().iter();
    paths.map(|(template, methods)| known(template, methods, &things)).collect()
}

/// What stands in the braces: the beginning of a path, the name, the value. The first that fits.
async fn things(shop: &Shop, ada: &Somebody) -> Vec<(&'static str, &'static str, String)> {
    let token = Some(&*ada.token);
    let post = json!({ "title": "Tea", "content": "Hot.", "tags": ["tea"] });
    let post = shop.post(&format!("/api/v1/users/{}/posts", ada.id), token, post).await;
    let post = post.body["id"].as_str().unwrap().to_owned();
    let said = json!({ "content": "Yes." });
    let comment = shop.post(&format!("/api/v1/posts/{post}/comments"), token, said).await;
    let comment = comment.body["id"].as_str().unwrap().to_owned();
    let order = shop.order(ada, "walk-order", json!({})).await;
    let order = order.body["id"].as_str().unwrap().to_owned();
    vec![
        ("/api/v1/users", "id", ada.id.clone()),
        ("/api/v2/users", "id", ada.id.clone()),
        ("/api/v1/posts", "id", post),
        ("/api/v1/posts", "comment_id", comment),
        ("/api/v1/orders", "id", order.clone()),
        ("/api/v1/operator/sagas", "id", order),
        ("/api/v1/accounts", "id", ada.account.clone()),
        ("/api/v1/accounts", "seq", "1".to_owned()),
        ("/api/v1/operator/notifications/groups", "name", "email".to_owned()),
        ("/api/v1/resilience", "name", "orders".to_owned()),
        ("/problems", "slug", "validation".to_owned()),
        ("/api/", "sku", shop.sku().await),
        // What nobody has made is refused like anything else.
        ("/api/", "id", "none".to_owned()),
        ("/api/", "group", "none".to_owned()),
        ("/api/", "key", "none".to_owned()),
    ]
}

fn known(template: &str, methods: &Value, things: &[(&str, &str, String)]) -> Known {
    let mut path = template.to_owned();
    for (beginning, name, value) in things {
        if template.starts_with(beginning) {
            path = path.replace(&format!("{{{name}}}"), value);
        }
    }
    assert!(!path.contains('{'), "nothing is known to stand in {path}");
    let methods = methods.as_object().unwrap();
    let needed = methods.values().filter_map(|operation| operation["parameters"].as_array());
    for parameter in needed.flatten().filter(|it| it["in"] == "query" && it["required"] == true) {
        let (name, value) = (&parameter["name"], &parameter["example"]);
        path = format!("{path}?{}={}", name.as_str().unwrap(), value.as_str().unwrap());
    }
    let those = |what: &dyn Fn(&Value) -> bool| {
        let those = methods.iter().filter(|(_, operation)| what(operation));
        those.map(|(method, _)| method.to_uppercase()).collect()
    };
    Known {
        path,
        methods: those(&|_| true),
        bodies: those(&|operation| operation["requestBody"].is_object()),
        public: those(&|operation| operation["security"] == json!([])),
    }
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
    let mut methods = known.methods.clone();
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
    for known in routes.iter().filter(|known| known.methods.contains("GET")) {
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
        for method in &known.bodies {
            let what = format!("{method} {}", known.path);
            let text = [("content-type", "text/plain")];
            let wrong = walker.operate(method, &known.path, &text, "{}").await;
            wrong.assert_problem(415, &what);
            let accepts = if method == "PATCH" { "accept-patch" } else { "accept" };
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
    for known in &routes {
        for method in known.methods.difference(&known.public) {
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
    for known in &routes {
        if known.public.contains("GET") {
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
