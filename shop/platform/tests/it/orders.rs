//! Orders: the happy path, every way to fail, the same key twice, cancellation.

use http::{Method, StatusCode};
use serde_json::json;
use shop_platform::load::client::Call;

use crate::{Shop, eventually, history};

const HAPPY: [&str; 5] =
    ["started", "payment_processing", "inventory_reserved", "shipping_processing", "completed"];

#[tokio::test(flavor = "multi_thread")]
async fn an_order_completes_and_everything_agrees() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 1_000_000).await;
    let sku = shop.sku().await;
    let before = shop.stock(&sku).await;
    let placed = shop.order(&ada, "k", json!({ "items": [{ "sku": sku, "quantity": 3 }] })).await;
    let order = shop.end_of(&ada, &placed).await;
    assert_eq!(history(&order), HAPPY);
    let total = order["total"]["amount"].as_i64().unwrap();
    assert_eq!(shop.balance(&ada).await, 1_000_000 - total);
    assert_eq!(shop.stock(&sku).await, (before.0 - 3, before.1));
    let shipment = order["_links"]["shipment"]["href"].as_str().unwrap();
    let shipment = shop.get(shipment, Some(&ada.token)).await;
    assert_eq!(shipment.status, StatusCode::OK);
    assert!(shipment.body["tracking_number"].is_string(), "{}", shipment.body);
    let events = format!("/api/v1/orders/{}/events", order["id"].as_str().unwrap());
    let events = shop.get(&events, Some(&ada.token)).await.body;
    assert!(events["items"].as_array().unwrap().len() >= 5, "{events}");
    let told = eventually("a notification of the order", || async {
        let told = shop.get("/api/v1/notifications", Some(&ada.token)).await.body;
        told["items"].as_array().is_some_and(|items| items.len() >= 2).then_some(told)
    });
    told.await;
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_takes_its_own_path_and_leaves_nothing_behind() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 2_000_000_000).await;
    let bob = shop.somebody("bob@example.com", 1).await;
    let euros =
        shop.post("/api/v1/accounts", Some(&ada.token), json!({ "currency": "EUR" })).await.body;
    let sku = shop.sku().await;
    let before = shop.stock(&sku).await;
    let cancelled = ["started", "payment_processing", "payment_cancelled"];
    let undone = [
        "started",
        "payment_processing",
        "inventory_reserved",
        "shipping_processing",
        "compensate_inventory",
        "payment_cancelled",
    ];
    let to_the_ice = json!({ "name": "A", "address": "1", "city": "Pole", "country": "AQ" });
    for (name, who, wish, path) in [
        (
            "unknown product",
            &ada,
            json!({ "items": [{ "sku": "nothing", "quantity": 1 }] }),
            &["started", "failed"][..],
        ),
        ("unknown account", &ada, json!({ "account_id": "nobody" }), &["started", "failed"]),
        (
            "someone else's account",
            &ada,
            json!({ "account_id": bob.account }),
            &["started", "failed"],
        ),
        ("wrong currency", &ada, json!({ "account_id": euros["id"] }), &["started", "failed"]),
        ("too little money", &bob, json!({}), &cancelled),
        (
            "too many items",
            &ada,
            json!({ "items": [{ "sku": sku, "quantity": before.0 + 1 }] }),
            &cancelled,
        ),
        ("a country that is not served", &ada, json!({ "ship_to": to_the_ice }), &undone),
    ] {
        let money = shop.balance(who).await;
        let placed = shop.order(who, name, wish).await;
        let order = shop.end_of(who, &placed).await;
        assert_eq!(history(&order), path, "{name}");
        assert_eq!(shop.balance(who).await, money, "{name}");
        assert_eq!(shop.stock(&sku).await, before, "{name}");
        assert!(order["_links"]["shipment"].is_null(), "{name}");
        let last = order["history"].as_array().unwrap().last().unwrap();
        assert!(last["reason"].is_string(), "{name}: {last}");
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_order() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 1_000_000).await;
    let first = shop.order(&ada, "once", json!({})).await;
    shop.end_of(&ada, &first).await;
    let again = shop.order(&ada, "once", json!({})).await;
    assert_eq!((again.status, again.replayed), (StatusCode::CREATED, true));
    assert_eq!(again.body, first.body, "the stored body, not the order as it is now");

    let sku = shop.sku().await;
    let other = shop.order(&ada, "once", json!({ "items": [{ "sku": sku, "quantity": 2 }] })).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", other.body);

    let body = json!({ "account_id": ada.account });
    let call = Call { token: Some(&ada.token), body: Some(body), ..Call::default() };
    let keyless = shop.client.call(Method::POST, "/api/v1/orders", &call).await.unwrap();
    assert_eq!(keyless.status, StatusCode::BAD_REQUEST, "{}", keyless.body);
    let orders = shop.get("/api/v1/orders", Some(&ada.token)).await.body;
    assert_eq!(orders["items"].as_array().unwrap().len(), 1);
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_is_undone_and_a_shipped_one_is_not() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 1_000_000).await;
    // While the broker stands still nothing has been asked of anybody's hands yet.
    shop.operate("/api/v1/operator/broker", json!({ "running": false })).await;
    let placed = shop.order(&ada, "cancelled", json!({})).await;
    let path = format!("/api/v1/orders/{}/cancellation", placed.body["id"].as_str().unwrap());
    let asked = shop.post(&path, Some(&ada.token), json!({})).await;
    assert!(asked.status.is_success(), "{}", asked.body);
    shop.operate("/api/v1/operator/broker", json!({ "running": true })).await;
    let order = shop.end_of(&ada, &placed).await;
    let (last, past) = (order["history"].as_array().unwrap().last().unwrap(), history(&order));
    assert!(past == ["started", "failed"] || past.last() == Some(&"payment_cancelled"), "{order}");
    assert_eq!(last["reason"], "cancelled");
    assert_eq!(shop.balance(&ada).await, 1_000_000);

    let placed = shop.order(&ada, "shipped", json!({})).await;
    let order = shop.end_of(&ada, &placed).await;
    let path = format!("/api/v1/orders/{}/cancellation", order["id"].as_str().unwrap());
    let late = shop.post(&path, Some(&ada.token), json!({})).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.body);
    shop.end().await;
}
