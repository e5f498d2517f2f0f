//! Money, stock and shipments add up, whatever is killed meanwhile: engines, and one of two copies of a service.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use shop_platform::load::client::Call;
use shop_platform::load::storm::{self, Options};
use shop_platform::load::sums::products;
use shop_platform::load::{Customer, Fate, Sums, Wish};
use switchboard_core::Rng;
use tokio_util::sync::CancellationToken;

use crate::engine::{self, Engine};
use crate::eventually;
use crate::programs::{Shop, View};

/// How long it may take until an order is through, or an outage shows, while everything comes back.
const PATIENCE: Duration = Duration::from_secs(90);

/// Lets customers order while something happens, then does the sums.
async fn conserved<F: Future>(shop: &View, meanwhile: F) -> Sums {
    let stop = CancellationToken::new();
    let options = Options {
        customers: 6,
        failing: 4,
        seed: Rng::from_entropy().u64(),
        longest: Duration::from_secs(600),
    };
    println!("seed {}", options.seed);
    let (client, stopped) = (shop.client.clone(), stop.clone());
    let load = tokio::spawn(async move {
        storm::run(&client, &options, stopped).await.map_err(|error| error.to_string())
    });
    meanwhile.await;
    stop.cancel();
    let sums = load.await.unwrap().unwrap();
    println!("{sums}");
    assert_eq!(sums.faults, Vec::<String>::new());
    assert!(sums.by_status["completed"] > 5, "{:?}", sums.by_status);
    sums
}

/// An order that is placed now comes to its end, through every service: everything flows again.
async fn flows(shop: &View, customer: &Customer) {
    let begun = Instant::now();
    let order = placed(shop, customer).await;
    ended(customer, &order).await;
    println!("flows again after {:?}", begun.elapsed());
}

/// Places an order that goes where nobody delivers to, so that all of it is undone and no sum knows
/// of it.
async fn placed(shop: &View, customer: &Customer) -> String {
    let sku = products(&shop.client).await.unwrap().remove(0).sku;
    let wish = Wish { fate: Fate::NotServed, sku, quantity: 1, country: "AQ" };
    let key = format!("flows-{:x}", Rng::from_entropy().u64());
    customer.order(&wish, &key).await.unwrap()
}

async fn ended(customer: &Customer, order: &str) {
    let ended = customer.wait(order, PATIENCE).await.unwrap();
    let ended = ended.unwrap_or_else(|| panic!("order {order} has not ended"));
    assert_eq!(ended.status, "payment_cancelled", "{ended:?}");
}

/// Waits until this call is answered with "later".
async fn later(shop: &View, method: Method, path: &str, body: Option<Value>) {
    let call = Call { body, ..Call::default() };
    eventually("a 503", PATIENCE, || async {
        let begun = Instant::now();
        let answer = shop.client.call(method.clone(), path, &call).await;
        let said = answer.as_ref().map(|answer| answer.status);
        println!("{method} {path}: {said:?} after {:?}", begun.elapsed());
        let answer = answer.ok()?;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE).then(|| {
            assert_eq!(answer.body["type"], "/problems/unavailable", "{}", answer.body);
        })
    })
    .await;
}

async fn somebody(shop: &View) -> Customer {
    let tag = format!("{:x}", Rng::from_entropy().u64());
    let grace = Customer::join(&shop.client, "Grace", &format!("{tag}@example.com")).await.unwrap();
    grace.deposit(100_000_000, &tag).await.unwrap();
    grace
}

/// Kills the broker: the shop says that it is away, and takes orders nevertheless. They come to
/// their ends when it is back.
async fn without_a_broker(shop: &View, broker: Engine, customer: &Customer) {
    println!("killing {broker:?}");
    broker.kill().await;
    shop.not_ready().await;
    let begun = Instant::now();
    let order = placed(shop, customer).await;
    println!("an order was taken in {:?} meanwhile", begun.elapsed());
    broker.start().await;
    shop.ready().await;
    ended(customer, &order).await;
    flows(shop, customer).await;
}

/// Kills the stores' server, for longer than any commit waits for it: reads and writes are answered
/// with "later", and everything goes on when it is back.
async fn without_a_store(shop: &View, customer: &Customer) {
    println!("killing PostgreSQL");
    Engine::Postgres.kill().await;
    shop.not_ready().await;
    later(shop, Method::GET, "/api/v1/products", None).await;
    let who = json!({
        "name": "Ann", "email": "ann@example.com", "password": "correct horse battery",
    });
    later(shop, Method::POST, "/api/v1/users", Some(who)).await;
    Engine::Postgres.start().await;
    shop.ready().await;
    flows(shop, customer).await;
}

/// In one process: the process is killed, either engine, and then both at once.
async fn in_one_process(broker: Engine) {
    let _engines = engine::alone().await;
    let mut shop = Shop::up(broker).await;
    let view = shop.view.clone();
    let grace = somebody(&view).await;
    conserved(&view, async {
        flows(&view, &grace).await;
        println!("killing the shop");
        shop.door.kill();
        shop.door.again();
        flows(&view, &grace).await;
        without_a_broker(&view, broker, &grace).await;
        without_a_store(&view, &grace).await;
        println!("killing both engines");
        broker.kill().await;
        Engine::Postgres.kill().await;
        Engine::Postgres.start().await;
        broker.start().await;
        view.ready().await;
        flows(&view, &grace).await;
    })
    .await;
    shop.end();
}

/// In many processes: one copy of every service is killed, the other is replaced in order, and
/// either engine is killed.
async fn in_many_processes(broker: Engine) {
    let _engines = engine::alone().await;
    let mut shop = Shop::apart(broker).await;
    let view = shop.view.clone();
    let grace = somebody(&view).await;
    conserved(&view, async {
        flows(&view, &grace).await;
        println!("killing one copy of every service");
        shop.services.chunks_mut(2).for_each(|pair| pair[0].kill());
        flows(&view, &grace).await;
        shop.services.chunks_mut(2).for_each(|pair| pair[0].again());
        println!("replacing the other copy of every service");
        for pair in shop.services.chunks_mut(2) {
            pair[1].end();
            pair[1].again();
        }
        flows(&view, &grace).await;
        without_a_broker(&view, broker, &grace).await;
        without_a_store(&view, &grace).await;
    })
    .await;
    shop.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sums_agree_on_kafka_and_postgresql_in_one_process() {
    in_one_process(Engine::Kafka).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sums_agree_on_rabbitmq_and_postgresql_in_one_process() {
    in_one_process(Engine::Rabbit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sums_agree_on_kafka_and_postgresql_in_many_processes() {
    in_many_processes(Engine::Kafka).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sums_agree_on_rabbitmq_and_postgresql_in_many_processes() {
    in_many_processes(Engine::Rabbit).await;
}
