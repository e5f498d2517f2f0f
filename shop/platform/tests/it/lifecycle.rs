//! Starting, ending, starting again: nothing is lost, and nobody has to wait long.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;
use shop_platform::folder::{Folder, FolderError};
use shop_platform::load::client::Client;
use shop_platform::load::storm;
use shop_platform::platform::{Options, Platform, StartError};
use tokio_util::sync::CancellationToken;

use crate::{Shop, eventually, history};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything_tokens_included() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::start_in(folder.path()).await;
    let ada = shop.somebody("ada@example.com", 1_000_000).await;
    let first = shop.order(&ada, "before", json!({})).await;
    let first = shop.end_of(&ada, &first).await;
    // Accepted, and not even begun: the broker stands still until the end.
    shop.operate("/api/v1/operator/broker", json!({ "running": false })).await;
    let second = shop.order(&ada, "across", json!({})).await;
    let (operator, balance) = (shop.operator.clone(), shop.balance(&ada).await);
    shop.end().await;

    let shop = Shop::start_in(folder.path()).await;
    assert_eq!(shop.operator, operator);
    let path = format!("/api/v1/orders/{}", first["id"].as_str().unwrap());
    assert_eq!(shop.get(&path, Some(&ada.token)).await.body, first);
    let order = shop.end_of(&ada, &second).await;
    assert_eq!(history(&order).last(), Some(&"completed"));
    let total = order["total"]["amount"].as_i64().unwrap();
    assert_eq!(shop.balance(&ada).await, balance - total);
    let again = shop.order(&ada, "across", json!({})).await;
    assert_eq!((again.replayed, &again.body["id"]), (true, &second.body["id"]));
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_taken_while_the_broker_is_stopped_and_complete_when_it_is_back() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 10_000_000).await;
    shop.operate("/api/v1/operator/broker", json!({ "running": false })).await;
    let mut placed = Vec::new();
    for number in 0..5 {
        placed.push(shop.order(&ada, &format!("stopped-{number}"), json!({})).await);
    }
    assert!(placed.iter().all(|order| order.status == StatusCode::CREATED));
    assert_eq!(shop.get("/readyz", None).await.status, StatusCode::OK, "orders can be taken");
    shop.operate("/api/v1/operator/broker", json!({ "running": true })).await;
    for order in &placed {
        let order = shop.end_of(&ada, order).await;
        assert_eq!(order["status"], "completed");
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_5_thirty_seconds_without_a_broker_cost_no_order() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 100_000_000).await;
    let sku = shop.sku().await;
    let (on_hand, _) = shop.stock(&sku).await;
    shop.operate("/api/v1/operator/broker", json!({ "running": false })).await;
    // One order every half second, for as long as the broker is away.
    let mut pace = tokio::time::interval(Duration::from_millis(500));
    let mut placed = Vec::new();
    for number in 0..60 {
        pace.tick().await;
        let asked = Instant::now();
        let order = shop.order(&ada, &format!("away-{number}"), json!({})).await;
        assert_eq!(order.status, StatusCode::CREATED, "{}", order.body);
        assert!(asked.elapsed() < Duration::from_secs(2), "{number}: {:?}", asked.elapsed());
        placed.push(order);
    }
    for order in &placed {
        let order = shop.order_of(order.body["id"].as_str().unwrap()).await;
        assert_eq!(history(&order), ["started"], "nothing goes on without a broker");
    }
    shop.operate("/api/v1/operator/broker", json!({ "running": true })).await;
    let mut total = 0;
    for order in &placed {
        let order = shop.end_of(&ada, order).await;
        assert_eq!(order["status"], "completed");
        total += order["total"]["amount"].as_i64().unwrap();
    }
    assert_eq!(shop.balance(&ada).await, 100_000_000 - total);
    assert_eq!(shop.stock(&sku).await, (on_hand - 60, 0));
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_drains_under_load_and_what_was_accepted_is_final_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::start_in(folder.path()).await;
    let ada = shop.somebody("ada@example.com", 100_000_000).await;
    let mut placed = Vec::new();
    for number in 0..20 {
        placed.push(shop.order(&ada, &format!("drained-{number}"), json!({})).await);
    }
    let begun = Instant::now();
    shop.end().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    let shop = Shop::start_in(folder.path()).await;
    let ready = Instant::now();
    for order in &placed {
        let order = shop.end_of(&ada, order).await;
        assert_eq!(order["status"], "completed");
    }
    assert!(ready.elapsed() < Duration::from_secs(10), "{:?}", ready.elapsed());
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_1_a_mix_of_orders_conserves_money_stock_and_shipments() {
    let shop = Shop::start().await;
    let options =
        storm::Options { customers: 4, failing: 3, seed: 7, longest: Duration::from_secs(3) };
    let client = Client::new(&shop.url);
    let sums = storm::run(&client, &options, CancellationToken::new()).await.unwrap();
    assert_eq!(sums.faults, Vec::<String>::new());
    assert!(sums.by_status.len() >= 2, "some were meant to fail: {:?}", sums.by_status);
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_shop_on_the_same_folder_or_port_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::start_in(folder.path()).await;
    assert!(matches!(Folder::open(folder.path()), Err(FolderError::InUse { .. })));

    let taken = shop.url.trim_start_matches("http://").parse().unwrap();
    let other = Options::new(Folder::ephemeral().unwrap()).with_listen(taken);
    let refused = Platform::start(other).await.unwrap_err();
    assert!(matches!(refused, StartError::Listen { .. }), "{refused}");
    assert!(refused.to_string().contains("--listen"), "{refused}");

    let everywhere = "0.0.0.0:0".parse().unwrap();
    let other = Options::new(Folder::ephemeral().unwrap()).with_listen(everywhere);
    let refused = Platform::start(other).await.unwrap_err();
    assert!(matches!(refused, StartError::NotLoopback(_)), "{refused}");
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_named_and_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    Shop::start_in(folder.path()).await.end().await;
    let store = folder.path().join("payments.db");
    for file in ["payments.db", "payments.db-wal", "payments.db-shm"] {
        let path = folder.path().join(file);
        if path.exists() {
            let length = usize::try_from(std::fs::metadata(&path).unwrap().len()).unwrap();
            std::fs::write(&path, vec![0x5a; length]).unwrap();
        }
    }
    let options = Options::new(Folder::open(folder.path()).unwrap());
    let refused = Platform::start(options).await.unwrap_err();
    let said = switchboard_core::chain(&refused);
    assert!(said.contains("payments") && said.contains("backup"), "{said}");
    assert_eq!(std::fs::read(&store).unwrap()[..4], [0x5a; 4], "it was not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_shop_makes_no_traffic_of_its_own() {
    let shop = Shop::start().await;
    let records = async || {
        let metrics =
            shop.get("/api/v1/operator/records?topic=orders.events", Some(&shop.operator));
        metrics.await.body["items"].as_array().unwrap().len()
    };
    assert_eq!(records().await, 0);
    let users = eventually("the users", || async {
        let users = shop.get("/api/v1/users", Some(&shop.operator)).await.body;
        users["items"].as_array().cloned()
    });
    assert!(users.await.is_empty());
    shop.end().await;
}
