//! GraphQL over HTTP: forms, statuses, bounds, prices, documents by their hash, and who may ask.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use shop_contracts::rpc::inventory::{BatchGetProductsRequest, ListProductsRequest};
use shop_contracts::rpc::inventory::{ListProductsResponse, Product};
use shop_gateway::graphql::options::{Allowance, Limits};
use shop_gateway::graphql::persisted::Documents;
use shop_gateway::graphql::{HttpProfile, Options, Trust};

use super::Shop;

const RESPONSE: (&str, &str) = ("accept", "application/graphql-response+json");
const JSON: (&str, &str) = ("accept", "application/json");
const TYPENAME: &str = r#"{"query":"{ __typename }"}"#;

/// Headers, body; status and form.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[tokio::test]
async fn g1_the_form_and_the_status_are_those_that_are_asked_for() {
    let shop = Shop::development();
    let unknown = r#"{"query":"{ nothing }"}"#;
    let cases: [Case<'_>; 7] = [
        (&[], TYPENAME, 200, "application/json; charset=utf-8"),
        (&[JSON], TYPENAME, 200, "application/json; charset=utf-8"),
        (&[RESPONSE], TYPENAME, 200, "application/graphql-response+json; charset=utf-8"),
        (&[JSON], unknown, 200, "application/json; charset=utf-8"),
        (&[RESPONSE], unknown, 400, "application/graphql-response+json; charset=utf-8"),
        (&[JSON], "{", 400, "application/graphql-response+json; charset=utf-8"),
        (&[JSON], "{}", 400, "application/graphql-response+json; charset=utf-8"),
    ];
    for (headers, body, status, kind) in cases {
        let answer = shop.post(headers, body).await;
        let seen = (answer.status, answer.header("content-type"));
        assert_eq!(seen, (status, kind), "{headers:?} {body}");
        assert_eq!(answer.json.get("errors").is_some(), body != TYPENAME, "{body}");
    }
    let draft = Shop::open(Options { profile: HttpProfile::Draft2026, ..Options::development() });
    for (body, status) in [(unknown, 422), ("{}", 422), ("{", 400), (TYPENAME, 200)] {
        assert_eq!(draft.post(&[JSON], body).await.status, status, "{body}");
    }
}

#[tokio::test]
async fn g1_what_the_transport_refuses_is_a_problem_of_the_shop() {
    let shop = Shop::development();
    let huge = json!({ "query": "x".repeat(1 << 20) }).to_string();
    let text = ("content-type", "text/plain");
    for (headers, body, status) in [
        (&[text][..], TYPENAME, 415),
        (&[("content-encoding", "gzip")], TYPENAME, 415),
        (&[("accept", "text/csv")], TYPENAME, 406),
        (&[], &huge, 413),
    ] {
        let answer = shop.post(headers, body.to_owned()).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, "application/problem+json")
        );
    }
    let wrong = http::Request::put("/graphql").body(Body::empty()).unwrap();
    let wrong = shop.send(wrong).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "GET, HEAD, POST, OPTIONS"));
}

#[tokio::test]
async fn g1_a_get_asks_and_changes_nothing() {
    let shop = Shop::development();
    let answer = shop.get("?query=%7B__typename%7D", &[]).await;
    assert_eq!((answer.status, &answer.json["data"]["__typename"]), (200, &json!("Query")));
    let mutation = shop.get("?query=mutation%7B__typename%7D", &[RESPONSE]).await;
    assert_eq!((mutation.status, mutation.header("allow")), (405, "POST"));
    let operation = shop.get("?query=query%20a%7B__typename%7D&operationName=b", &[RESPONSE]).await;
    assert_eq!((operation.status, operation.code()), (400, "GRAPHQL_VALIDATION_FAILED"));
}

#[tokio::test]
async fn g2_where_nothing_was_run_there_is_no_data() {
    let shop = Shop::development();
    for body in [
        r#"{"query":"{"}"#,
        r#"{"query":"{ nothing }"}"#,
        r#"{"query":"query a($id: ID!) { __typename user(id: $id) { id } }","variables":{"id":null}}"#,
        "{",
    ] {
        let answer = shop.post(&[RESPONSE], body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json.get("data").is_none(), "{}", answer.text);
        assert!(!answer.code().is_empty(), "{}", answer.text);
    }
}

#[tokio::test]
async fn g3_documents_beyond_a_limit_are_told_which() {
    let shop = Shop::development();
    let fields = |count: usize| -> String {
        (0..count).map(|number| format!("a{number}: __typename ")).collect()
    };
    let deep = format!("{{ product(sku: \"a\") {}{} }}", "{ x ".repeat(15), "} ".repeat(15));
    let lists = "users(first: 100) { nodes { posts { comments { id } } } }";
    for (query, limit) in [
        (format!("{{ {} }}", fields(21)), "root_fields"),
        (format!("{{ product(sku: \"a\") {{ {} }} }}", fields(31)), "aliases"),
        (deep, "depth"),
        (format!("{{ {lists} }}"), "complexity"),
        (format!("{{ {} }}", "a ".repeat(2_001)), "tokens"),
    ] {
        let answer = shop.post(&[RESPONSE], json!({ "query": query }).to_string()).await;
        let found = &answer.json["errors"][0]["extensions"]["limit"]["name"];
        assert_eq!((answer.status, answer.code()), (400, "LIMIT_EXCEEDED"), "{}", answer.text);
        assert_eq!(found, limit);
    }
    let batch = shop.post(&[], format!("[{TYPENAME}]")).await;
    assert_eq!(
        (batch.status, &batch.json["errors"][0]["extensions"]["errors"][0]["code"]),
        (400, &json!("batch"))
    );
    assert!(shop.fake.calls().is_empty(), "nobody was bothered");
}

#[tokio::test]
async fn g3_outside_of_development_the_schema_is_not_shown_and_nothing_is_suggested() {
    let (inside, outside) = (Shop::development(), Shop::open(Options::default()));
    let schema = r#"{"query":"{ __schema { types { name } } }"}"#;
    let typo = r#"{"query":"{ prodict(sku: \"a\") { sku } }"}"#;
    assert_eq!(inside.post(&[], schema).await.json["errors"], Value::Null);
    assert!(inside.post(&[], typo).await.text.contains("Did you mean"));
    assert_eq!(outside.post(&[], schema).await.json["data"], Value::Null);
    assert!(!outside.post(&[], typo).await.text.contains("Did you mean"));
    assert_eq!(outside.post(&[], TYPENAME).await.json["data"]["__typename"], "Query");
}

#[tokio::test(start_paused = true)]
async fn g3_an_operation_has_its_time_and_takes_its_calls_with_it() {
    let shop = Shop::development();
    let given_up = Arc::new(());
    let held = given_up.clone();
    shop.fake.on_stream::<BatchGetProductsRequest>(
        "inventory.InventoryService/BatchGetProducts",
        move |_| {
            let held = held.clone();
            futures_util::stream::once(async move {
                let _held = held;
                std::future::pending().await
            })
            .boxed()
        },
    );
    let body = r#"{"query":"{ product(sku: \"a\") { sku } }"}"#;
    let answer = shop.post(&[RESPONSE, ("x-request-timeout-ms", "300")], body).await;
    assert_eq!((answer.status, answer.code()), (504, "TIMEOUT"), "{}", answer.text);
    assert!(answer.json.get("data").is_none());
    let timeout = shop.fake.headers()["grpc-timeout"].to_str().unwrap().to_owned();
    let micros: u64 = timeout.trim_end_matches(char::is_alphabetic).parse().unwrap();
    assert!(timeout.ends_with('u') && micros <= 300_000, "{timeout}");
    // One is ours, one the handler's: the call itself is gone.
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&given_up), 2);
}

fn products(shop: &Shop, count: usize) {
    shop.fake.on("inventory.InventoryService/ListProducts", move |_: ListProductsRequest| {
        let products = (0..count).map(|it| Product { sku: it.to_string(), ..Product::default() });
        Ok(ListProductsResponse { products: products.collect(), ..Default::default() })
    });
}

#[tokio::test]
async fn g4_an_operation_is_charged_what_it_may_come_to_and_pays_for_what_there_was() {
    let limits = Limits { complexity: 1_000, ..Limits::default() };
    let allowance = Allowance { capacity: 1_000, per_second: 1, mutation: 0, callers: 10 };
    let shop = Shop::open(Options { limits, allowance, ..Options::development() });
    products(&shop, 3);
    let query = |first: u32| json!({ "query": format!("{{ products(first: {first}) {{ nodes {{ sku }} }} }}") });
    let answer = shop.post(&[], query(100).to_string()).await;
    let cost = &answer.json["extensions"]["cost"];
    assert_eq!(cost["requested"], 201);
    assert_eq!(cost["actual"], 5, "products, nodes, and three times a sku");
    assert_eq!(cost["remaining"], 995);
    // Somebody who has asked for much in parallel has nothing left for a while.
    let all = join_all((0..6).map(|_| shop.post(&[], query(100).to_string()))).await;
    assert!(all.iter().all(|answer| answer.status == 200), "each was given back");
    let spent = Shop::open(Options {
        allowance: Allowance { capacity: 100, per_second: 1, mutation: 0, callers: 10 },
        ..Options::development()
    });
    let refused = spent.post(&[], query(100).to_string()).await;
    assert_eq!((refused.status, refused.code()), (429, "TOO_MANY_REQUESTS"));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn g3_a_hundred_ordinary_requests_at_once_are_nobodys_attack() {
    let shop = Shop::open(Options::default());
    products(&shop, 100);
    let body = r#"{"query":"{ products(first: 100) { edges { cursor node { sku name price { amount currency } } } } }"}"#;
    let all = join_all((0..100).map(|_| shop.post(&[], body))).await;
    assert!(all.iter().all(|answer| answer.status == 200 && answer.json["errors"].is_null()));
}

#[tokio::test]
async fn g6_a_document_is_asked_for_by_its_hash_also_over_get() {
    let shop = Shop::development();
    let hash = "7f56e67dd21ab3f30d1ff8b7bed08893f0a0db86449836189b361dd1e56ddb4b";
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let unknown = json!({ "extensions": extensions }).to_string();
    let first = shop.post(&[], unknown.clone()).await;
    assert_eq!(first.json["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!(first.code(), "PERSISTED_QUERY_NOT_FOUND");
    let forged = json!({ "query": "{ __typename a: __typename }", "extensions": extensions });
    assert_eq!(shop.post(&[], forged.to_string()).await.json["data"], Value::Null);
    let along = json!({ "query": "{ __typename }", "extensions": extensions }).to_string();
    assert_eq!(shop.post(&[], along).await.json["data"]["__typename"], "Query", "its hash");
    assert_eq!(shop.post(&[], unknown).await.json["data"]["__typename"], "Query");
    let query = format!(
        "?extensions=%7B%22persistedQuery%22%3A%7B%22version%22%3A1%2C%22sha256Hash%22%3A%22{hash}%22%7D%7D"
    );
    assert_eq!(shop.get(&query, &[]).await.json["data"]["__typename"], "Query");
}

#[tokio::test]
async fn g6_with_trusted_documents_nothing_else_runs() {
    let documents = Documents::read(br#"{"typename": "{ __typename }"}"#).unwrap();
    let options =
        Options { documents: Arc::new(documents), trust: Trust::Manifest, ..Options::default() };
    let shop = Shop::open(options);
    let known = shop.post(&[], r#"{"documentId":"typename"}"#).await;
    assert_eq!(known.json["data"]["__typename"], "Query");
    let other = shop.post(&[RESPONSE], r#"{"query":"{ a: __typename }"}"#).await;
    assert_eq!((other.status, other.code()), (400, "PERSISTED_QUERY_ONLY"));
}

#[tokio::test]
async fn g7_a_token_that_is_not_good_is_401_whatever_is_asked() {
    let shop = Shop::development();
    let answer = shop.post(&[("authorization", "Bearer nonsense")], TYPENAME).await;
    assert_eq!((answer.status, answer.code()), (401, "UNAUTHORIZED"));
    assert!(answer.header("www-authenticate").contains("invalid_token"));
    let nobody = shop.ask("", "{ me { id } }", Value::Null).await;
    assert_eq!(nobody["data"]["me"], Value::Null);
    assert_eq!(nobody["errors"][0]["extensions"]["code"], "UNAUTHORIZED");
    assert_eq!(nobody["errors"][0]["path"], json!(["me"]));
    assert!(shop.fake.calls().is_empty());
}

#[tokio::test]
async fn g7_pages_of_other_origins_cannot_ask() {
    let shop = Shop::development();
    let query = "?query=%7B__typename%7D";
    let foreign = ("sec-fetch-site", "cross-site");
    assert_eq!(shop.get(query, &[foreign]).await.status, 403);
    assert_eq!(shop.get(query, &[foreign, ("graphql-require-preflight", "1")]).await.status, 200);
    let form = ("content-type", "application/x-www-form-urlencoded");
    assert_eq!(shop.post(&[form], "query=%7B__typename%7D").await.status, 415);
}

#[tokio::test]
async fn people_get_a_page_that_needs_nothing_from_elsewhere() {
    let shop = Shop::development();
    let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let page = shop.get("", &[html]).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(
        !page.text.contains("http://") && !page.text.contains("https://")
            || page.text.contains("www.w3.org")
    );
    assert!(!page.text.contains(" style=") && !page.text.contains(" onclick="));
    for file in ["explorer.css", "explorer.js"] {
        let at = page.text.split('"').find(|part| part.contains(file)).unwrap();
        let asset = shop.send(http::Request::get(at).body(Body::empty()).unwrap()).await;
        assert_eq!(asset.status, 200, "{at}");
        assert!(asset.header("cache-control").contains("immutable"));
    }
    let closed = Shop::open(Options::default());
    let answer = closed.get("?query=%7B__typename%7D", &[html]).await;
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn e10_a_body_that_does_not_come_is_408() {
    let shop = Shop::development();
    tokio::time::pause();
    let body = Body::from_stream(futures_util::stream::pending::<std::io::Result<&str>>());
    let answer = tokio::time::timeout(Duration::from_secs(60), shop.post(&[], body)).await;
    assert_eq!(answer.unwrap().status, 408);
}
