//! What customers still get while one service is away: both its processes are killed, and come back later.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use shop_platform::load::client::Call;
use shop_platform::load::sums::products;
use shop_platform::load::{Customer, Fate, Wish};

use crate::engine::{self, Engine};
use crate::eventually;
use crate::programs::Shop;

/// How long things may take when a service is back.
const PATIENCE: Duration = Duration::from_secs(90);
const ONE_USER: &str = "query($id: ID!) { user(id: $id) { id name posts { title } } }";

async fn read(shop: &Shop, path: &str, token: Option<&str>) -> (StatusCode, Value) {
    let call = Call { token, ..Call::default() };
    let answer = shop.view.client.call(Method::GET, path, &call).await.unwrap();
    (answer.status, answer.body)
}

/// The data and the errors of [`ONE_USER`].
async fn user_with_posts(shop: &Shop, who: &Customer) -> (Value, Value) {
    let body = json!({ "query": ONE_USER, "variables": { "id": who.id } });
    let call = Call { token: Some(&who.token), body: Some(body), ..Call::default() };
    let mut answer = shop.view.client.call(Method::POST, "/graphql", &call).await.unwrap().body;
    (answer["data"]["user"].take(), answer["errors"].take())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_missing_is_said_and_everything_else_is_answered() {
    let _engines = engine::shared().await;
    let mut shop = Shop::apart(Engine::Kafka).await;
    let grace = Customer::join(&shop.view.client, "Grace", "grace@example.com").await.unwrap();
    grace.deposit(10_000_000, "first").await.unwrap();
    let goods = products(&shop.view.client).await.unwrap();

    // Without content: a user still has a name, and no posts for a reason.
    shop.both("content", |program| program.kill());
    let (user, errors) = user_with_posts(&shop, &grace).await;
    assert_eq!((&user["name"], &user["posts"]), (&json!("Grace"), &Value::Null), "{errors}");
    assert_eq!(errors[0]["path"], json!(["user", "posts"]), "{errors}");
    shop.both("content", |program| program.again());
    eventually("posts", PATIENCE, || async {
        let (user, _) = user_with_posts(&shop, &grace).await;
        (user["posts"] == json!([])).then_some(())
    })
    .await;

    // Without payments: an order is taken and waits, and completes when they are back.
    shop.both("payments", |program| program.kill());
    let sku = goods[0].sku.clone();
    let wish = Wish { fate: Fate::Well, sku, quantity: 1, country: "DE" };
    let order = grace.order(&wish, "while payments are away").await.unwrap();
    let path = format!("/api/v1/orders/{order}");
    let (status, waiting) = read(&shop, &path, Some(&grace.token)).await;
    assert_eq!((status, &waiting["status"]), (StatusCode::OK, &json!("started")), "{waiting}");
    shop.both("payments", |program| program.again());
    let ended = grace.wait(&order, PATIENCE).await.unwrap().unwrap();
    assert_eq!(ended.status, "completed");

    // Without inventory: the products as they were last seen, and said to be so.
    let list = "/api/v1/products?limit=100";
    let (_, fresh) = read(&shop, list, None).await;
    shop.both("inventory", |program| program.kill());
    let (status, stale) = read(&shop, list, None).await;
    assert_eq!((status, &stale), (StatusCode::OK, &fresh));
    let (status, ready) = read(&shop, "/readyz", None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "orders need it: {ready}");
    shop.both("inventory", |program| program.again());
    shop.view.ready().await;
    shop.end();
}
