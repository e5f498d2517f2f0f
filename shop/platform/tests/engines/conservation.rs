//! Money, stock and shipments add up, whatever is killed meanwhile: engines, and one of two copies of a service.

use std::time::Duration;

use shop_platform::load::storm::{self, Options};
use shop_platform::load::sums::products;
use shop_platform::load::{Customer, Fate, Sums, Wish};
use switchboard_core::Rng;
use tokio_util::sync::CancellationToken;

use crate::engine::{ENGINES, Engine};
use crate::programs::{Shop, View};

/// How long an order may take that is placed while everything comes back.
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

/// An order that is placed now comes to its end, through every service: everything flows again. It
/// goes where nobody delivers to, so that all of it is undone and no sum knows of it.
async fn flows(shop: &View, customer: &Customer) {
    let begun = std::time::Instant::now();
    let sku = products(&shop.client).await.unwrap().remove(0).sku;
    let wish = Wish { fate: Fate::NotServed, sku, quantity: 1, country: "AQ" };
    let key = format!("flows-{:x}", Rng::from_entropy().u64());
    let order = customer.order(&wish, &key).await.unwrap();
    let ended = customer.wait(&order, PATIENCE).await.unwrap();
    let ended = ended.unwrap_or_else(|| panic!("order {order} has not ended"));
    assert_eq!(ended.status, "payment_cancelled", "{ended:?}");
    println!("flows again after {:?}", begun.elapsed());
}

async fn somebody(shop: &View) -> Customer {
    let tag = format!("{:x}", Rng::from_entropy().u64());
    let grace = Customer::join(&shop.client, "Grace", &format!("{tag}@example.com")).await.unwrap();
    grace.deposit(100_000_000, &tag).await.unwrap();
    grace
}

/// Kills an engine, sees that the shop says so, starts it again, and sees that orders flow.
async fn struck(shop: &View, engine: Engine, customer: &Customer) {
    println!("killing {engine:?}");
    engine.kill().await;
    shop.not_ready().await;
    engine.start().await;
    shop.ready().await;
    flows(shop, customer).await;
}

/// In one process: either engine is killed, and then both at once.
async fn in_one_process(broker: Engine) {
    let _all_of_them = ENGINES.write().await;
    let shop = Shop::up(broker).await;
    let view = &shop.view;
    let grace = somebody(view).await;
    conserved(view, async {
        flows(view, &grace).await;
        struck(view, broker, &grace).await;
        struck(view, Engine::Postgres, &grace).await;
        println!("killing both");
        broker.kill().await;
        Engine::Postgres.kill().await;
        Engine::Postgres.start().await;
        broker.start().await;
        view.ready().await;
        flows(view, &grace).await;
    })
    .await;
    shop.end();
}

/// In many processes: a copy of every service is killed and comes back, and either engine.
async fn in_many_processes(broker: Engine) {
    let _all_of_them = ENGINES.write().await;
    let mut shop = Shop::apart(broker).await;
    let view = shop.view.clone();
    let grace = somebody(&view).await;
    conserved(&view, async {
        flows(&view, &grace).await;
        println!("killing one copy of every service");
        for pair in shop.services.chunks_mut(2) {
            pair[0].kill();
        }
        flows(&view, &grace).await;
        for pair in shop.services.chunks_mut(2) {
            pair[0].again();
        }
        flows(&view, &grace).await;
        struck(&view, broker, &grace).await;
        struck(&view, Engine::Postgres, &grace).await;
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
