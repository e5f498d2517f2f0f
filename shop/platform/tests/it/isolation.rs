//! What customers see of a service that an operator holds back, and that it passes.

use http::{Method, StatusCode};
use serde_json::json;

use crate::Shop;

/// The names of the services that `/readyz` calls degraded.
async fn degraded(shop: &Shop) -> Vec<String> {
    let ready = shop.get("/readyz", None).await;
    assert_eq!(ready.status, StatusCode::OK, "degraded is not dead: {}", ready.body);
    let items = ready.body["degraded"].as_array().cloned().unwrap_or_default();
    items.iter().map(|it| it["policy"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_held_back_is_told_of_and_works_again_when_it_is_released() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 1_000_000).await;
    let policy = "/api/v1/resilience/orders/override";
    let operator = Some(&*shop.operator);
    let isolated = Some(json!({ "state": "isolated", "why": "a test" }));
    let taken = shop.call(Method::PUT, policy, operator, isolated).await;
    assert_eq!((taken.status, &taken.body["state"]), (StatusCode::OK, &json!("isolated")));
    let refused = head_of(&shop, "/api/v1/orders", &ada.token).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wait = refused.headers()["retry-after"].to_str().unwrap();
    assert!(wait.parse::<u64>().unwrap() >= 1, "{wait}");
    assert_eq!(degraded(&shop).await, ["orders"]);
    let beside = shop.get("/api/v1/accounts", Some(&ada.token)).await;
    assert_eq!(beside.status, StatusCode::OK, "the others do not notice");
    let released = shop.call(Method::DELETE, policy, operator, None).await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.body);
    assert_eq!(degraded(&shop).await, Vec::<String>::new());
    let placed = shop.order(&ada, "after", json!({})).await;
    assert_eq!(shop.end_of(&ada, &placed).await["status"], "completed");
    shop.end().await;
}

/// A read with the headers of its answer.
async fn head_of(shop: &Shop, path: &str, token: &str) -> http::Response<()> {
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    let client: Client<_, http_body_util::Empty<bytes::Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::get(format!("{}{path}", shop.url))
        .header("authorization", format!("Bearer {token}"))
        .body(http_body_util::Empty::new())
        .unwrap();
    client.request(request).await.unwrap().map(drop)
}
