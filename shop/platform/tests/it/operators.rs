//! What operators see and do: parked keys, sagas, the console's door, metrics.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use shop_platform::topology;
use switchboard_message::Topology;

use crate::{Shop, Somebody, eventually};

/// Publishes a message that no handler can read.
async fn poison(shop: &Shop, key: &str) {
    let record = json!({
        "topic": "inventory.commands", "kind": "inventory.reserve", "key": key, "payload": "{}",
    });
    let answer = shop.operate("/api/v1/operator/records", record).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
}

async fn parked(shop: &Shop, key: &str) -> Option<Value> {
    let page = shop.get("/api/v1/operator/inventory/dead", Some(&shop.operator)).await.body;
    page["items"].as_array().unwrap().iter().find(|item| item["key"] == key).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_4_a_poisoned_message_parks_only_its_key() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 10_000_000).await;
    poison(&shop, "poisoned").await;
    let item = eventually("the key to be parked", || parked(&shop, "poisoned")).await;
    assert_eq!((&item["state"], &item["depth"]), (&json!("parked"), &json!(1)));
    for number in 0..16 {
        let placed = shop.order(&ada, &format!("beside-{number}"), json!({})).await;
        assert_eq!(shop.end_of(&ada, &placed).await["status"], "completed");
    }
    poison(&shop, "poisoned").await;
    eventually("the second to wait behind", || async {
        parked(&shop, "poisoned").await.filter(|item| item["depth"] == 2)
    })
    .await;
    for _ in 0..2 {
        let item = eventually("the next head to be parked", || async {
            parked(&shop, "poisoned").await.filter(|item| item["state"] == "parked")
        })
        .await;
        let path = format!(
            "/api/v1/operator/inventory/dead/{}/poisoned/skip",
            item["group"].as_str().unwrap()
        );
        let body = json!({ "entry": item["head"]["entry"], "reason": "made by a test" });
        assert!(shop.operate(&path, body).await.status.is_success());
    }
    eventually("the key to open", || async {
        parked(&shop, "poisoned").await.is_none().then_some(())
    })
    .await;
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_calls_ask_for_the_operator() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 0).await;
    let mut paths =
        vec!["/api/v1/operator/sagas".to_owned(), "/api/v1/operator/records?topic=x".to_owned()];
    paths
        .extend(topology::services().iter().map(|it| format!("/api/v1/operator/{}/dead", it.name)));
    for path in paths {
        assert_eq!(shop.get(&path, None).await.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(shop.get(&path, Some(&ada.token)).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let switch =
        shop.post("/api/v1/operator/broker", Some(&ada.token), json!({ "running": false }));
    assert_eq!(switch.await.status, StatusCode::FORBIDDEN);
    for service in topology::services() {
        let path = format!("/api/v1/operator/{}/dead", service.name);
        let answer = shop.get(&path, Some(&shop.operator)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_is_listed_shown_and_drawn() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 1_000_000).await;
    let placed = shop.order(&ada, "drawn", json!({})).await;
    let order = shop.end_of(&ada, &placed).await;
    let id = order["id"].as_str().unwrap();
    let operator = Some(&*shop.operator);
    let listed = shop.get("/api/v1/operator/sagas?phase=completed", operator).await.body;
    assert_eq!(listed["items"][0]["instance"], id);
    let shown = shop.get(&format!("/api/v1/operator/sagas/{id}"), operator).await.body;
    assert_eq!(shown["phase"], "completed");
    let drawn = shop.get(&format!("/api/v1/operator/sagas/{id}/diagram.svg"), operator).await.body;
    assert!(drawn.as_str().unwrap().starts_with("<svg"), "{drawn}");
    let retried = shop.operate(&format!("/api/v1/operator/sagas/{id}/retry"), json!({})).await;
    assert_eq!(retried.status, StatusCode::CONFLICT, "nothing is stuck: {}", retried.body);
    shop.end().await;
}

/// An order whose parcel cannot be asked for yet, because its key in shipping is parked; with the
/// head that parks it. Whoever is faster wins, so it may take a few orders.
async fn order_held_before_shipping(shop: &Shop, who: &Somebody) -> (String, Value) {
    let to = json!({ "name": "A", "address": "1", "city": "Pole", "country": "AQ" });
    for number in 0..50 {
        let placed = shop.order(who, &format!("held-{number}"), json!({ "ship_to": to })).await;
        let id = placed.body["id"].as_str().unwrap().to_owned();
        let record = json!({
            "topic": "shipping.commands", "kind": "shipping.ship", "key": id, "payload": "{}",
        });
        shop.operate("/api/v1/operator/records", record).await;
        let held = eventually("the order to wait, or to end", || async {
            let order = shop.order_of(&id).await;
            if order["status"] == "payment_cancelled" {
                return Some(None);
            }
            let page = shop.get("/api/v1/operator/shipping/dead", Some(&shop.operator)).await.body;
            let items = page["items"].as_array().unwrap();
            let item = items.iter().find(|item| item["key"] == id && item["depth"] == 2);
            item.map(|item| Some(item.clone()))
        });
        if let Some(item) = held.await {
            return (id, item);
        }
    }
    panic!("fifty orders were faster than their poison");
}

/// An order of somebody who goes away meanwhile: its undo cannot be done. Answers its id.
pub(crate) async fn stuck_order(shop: &Shop, who: &Somebody) -> String {
    let (id, item) = order_held_before_shipping(shop, who).await;
    // Her account closes with her, so the money cannot be returned.
    let gone = format!("/api/v1/users/{}", who.id);
    let gone = shop.call(Method::DELETE, &gone, Some(&who.token), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.body);
    eventually("the account to close", || async {
        let deposit = format!("/api/v1/accounts/{}/deposits", who.account);
        let refused = shop.post(&deposit, Some(&who.token), json!({ "amount": 1 })).await;
        (!refused.status.is_success()).then_some(())
    })
    .await;
    let skip =
        format!("/api/v1/operator/shipping/dead/{}/{id}/skip", item["group"].as_str().unwrap());
    let body = json!({ "entry": item["head"]["entry"], "reason": "made by a test" });
    assert!(shop.operate(&skip, body).await.status.is_success());
    // Dropping a message leaves the rest of its key as it was: parked, until it is replayed.
    let replay =
        format!("/api/v1/operator/shipping/dead/{}/{id}/replay", item["group"].as_str().unwrap());
    assert!(shop.operate(&replay, json!({})).await.status.is_success());

    eventually("the order to be parked", || async {
        (shop.order_of(&id).await["status"] == "undo_failed").then_some(())
    })
    .await;
    id
}

/// Waits until a stuck order has been tried again, in vain.
pub(crate) async fn stuck_again(shop: &Shop, id: &str) {
    let path = format!("/api/v1/operator/sagas/{id}");
    eventually("it to be stuck again", || async {
        let saga = shop.get(&path, Some(&shop.operator)).await.body;
        let retried = saga["events"].as_array().unwrap().iter().any(|it| it["type"] == "Retried");
        (saga["phase"] == "stuck" && retried).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_cannot_be_done_waits_for_the_operator() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 10_000_000).await;
    let id = stuck_order(&shop, &ada).await;
    let stuck = shop.get("/api/v1/operator/sagas?phase=stuck", Some(&shop.operator)).await.body;
    assert_eq!(stuck["items"][0]["instance"], id, "{stuck}");
    let retried = shop.operate(&format!("/api/v1/operator/sagas/{id}/retry"), json!({})).await;
    assert!(retried.status.is_success(), "{}", retried.body);
    stuck_again(&shop, &id).await;
    let by_hand = json!({ "reason": "paid back by bank transfer" });
    let resolved = shop.operate(&format!("/api/v1/operator/sagas/{id}/resolution"), by_hand).await;
    assert!(resolved.status.is_success(), "{}", resolved.body);
    eventually("the order to end", || async {
        (shop.order_of(&id).await["status"] == "payment_cancelled").then_some(())
    })
    .await;
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_lets_nobody_in_without_the_token() {
    let shop = Shop::start().await;
    for path in ["/console", "/console/orders", "/console/parked"] {
        let answer = shop.get(path, None).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
    }
    assert_eq!(shop.get("/console/live/overview", None).await.status, StatusCode::UNAUTHORIZED);
    for path in ["/console/sign-in", "/console/style.css", "/console/script.js"] {
        assert_eq!(shop.get(path, None).await.status, StatusCode::OK, "{path}");
    }
    let forged = shop.call(Method::POST, "/console/sign-out", None, None).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "no page of ours has sent it");
    shop.end().await;
}

#[test]
fn every_topic_is_owned_by_one_service_and_nobody_publishes_elsewhere() {
    let services = topology::services();
    let owned: Vec<_> = services.iter().flat_map(|service| (service.topics)()).collect();
    let mut names: Vec<_> = owned.iter().map(|topic| topic.name.to_string()).collect();
    for service in &services {
        for topic in service.publishes {
            assert!(
                names.iter().any(|name| name == topic),
                "{} publishes to {topic}",
                service.name
            );
        }
    }
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    assert_eq!(Topology::of(owned).topics.len(), names.len());
}
