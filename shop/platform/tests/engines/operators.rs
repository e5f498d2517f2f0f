//! What operators can ask on each broker, and what they are told when it cannot be had.

use std::process::Command;

use http::{Method, StatusCode};
use serde_json::Value;
use shop_platform::load::client::{Call, Client};

use crate::engine::{self, Engine};
use crate::programs::{PROGRAM, Shop};

async fn ask(shop: &Shop, path: &str) -> (StatusCode, Value) {
    let token = shop.operator_token();
    let call = Call { token: Some(&token), ..Call::default() };
    let answer = shop.view.client.call(Method::GET, path, &call).await.unwrap();
    (answer.status, answer.body)
}

/// A command of the program, as an operator of this shop would type it.
fn said(shop: &Shop, arguments: &[&str], broker: Engine) -> (bool, String) {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .arg("--data")
        .arg(shop.data())
        .env("SWITCHBOARD_BROKER", broker.url())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

const RECORDS: &str = "/api/v1/operator/records?topic=inventory.products&limit=500";

/// The records of all partitions.
async fn records(shop: &Shop) -> (StatusCode, Vec<Value>, String) {
    let mut all = Vec::new();
    for partition in 0..8 {
        let (status, page) = ask(shop, &format!("{RECORDS}&partition={partition}")).await;
        if status != StatusCode::OK {
            return (status, all, page["detail"].as_str().unwrap_or_default().to_owned());
        }
        all.extend(page["items"].as_array().unwrap().clone());
    }
    (StatusCode::OK, all, String::new())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_kafka_records_can_be_read_and_the_logs_files_cannot() {
    let _engines = engine::shared().await;
    let shop = Shop::up(Engine::Kafka).await;
    let (status, all, detail) = records(&shop).await;
    assert_eq!(status, StatusCode::OK, "{detail}");
    assert!(all.iter().any(|record| record["kind"] == "inventory.product_listed"), "{all:?}");
    let (status, positions) = ask(&shop, "/api/v1/operator/orders/positions").await;
    assert_eq!(status, StatusCode::OK, "{positions}");
    let (is_well, text) = said(&shop, &["log", "inspect"], Engine::Kafka);
    assert!(!is_well && text.contains("switchboard log read"), "{text}");
    let (is_well, text) = said(&shop, &["doctor"], Engine::Kafka);
    assert!(is_well && text.contains("can be taken"), "{text}");
    shop.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_rabbitmq_there_is_no_history_and_that_is_said() {
    let _engines = engine::shared().await;
    let shop = Shop::up(Engine::Rabbit).await;
    let (status, _, detail) = records(&shop).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(detail.contains("RabbitMQ keeps no history"), "{detail}");
    assert!(detail.contains("the embedded broker and Kafka"), "{detail}");
    let (status, positions) = ask(&shop, "/api/v1/operator/orders/positions").await;
    assert_eq!(status, StatusCode::OK, "{positions}");
    let (is_well, text) = said(&shop, &["log", "inspect"], Engine::Rabbit);
    assert!(!is_well && text.contains("keeps no history"), "{text}");
    shop.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gateway_that_knows_the_engines_brings_the_console() {
    let _engines = engine::shared().await;
    let shop = Shop::apart(Engine::Kafka).await;
    let (status, page) = ask(&shop, "/console/sign-in").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let (status, ready) = ask(&shop, "/readyz").await;
    assert_eq!((status, &ready["services"]["orders"]), (StatusCode::OK, &"ready".into()));
    let (is_well, text) = said(&shop, &["sagas", "list"], Engine::Kafka);
    assert!(is_well, "{text}");
    let (status, all, detail) = records(&shop).await;
    assert!(status == StatusCode::OK && !all.is_empty(), "{detail}");
    for service in &shop.services {
        let client = Client::new(&service.url);
        let answer = client.call(Method::GET, "/metrics", &Call::default()).await.unwrap();
        let text = answer.body.as_str().unwrap_or_default();
        // Of these the adapter has handles from the moment when it knows a topic.
        for name in ["switchboard_store_units", "switchboard_message_kafka_published"] {
            assert!(text.contains(name), "{}: {text}", service.url);
        }
    }
    shop.end();
}
