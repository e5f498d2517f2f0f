//! The whole shop in memory, on paused time, from a seed: crashes, lost acks, duplicates, reordering and outages at any boundary.
//!
//! A run that fails prints its seed. `SIM_SEED=7` repeats one run, `SIM_SEEDS=1000` makes many.
#![allow(clippy::unwrap_used, reason = "a test ends where its world is not as it must be")]

mod world;

use std::time::Duration;

use serde_json::{Value, json};
use switchboard_core::Rng;
use switchboard_store::Rows;
use world::{Service, World};

/// Runs in the suite.
const SEEDS: u64 = 40;
/// Customers, and orders of each.
const CUSTOMERS: u64 = 4;
const ORDERS: u64 = 6;
/// What each customer pays in.
const DEPOSIT: i64 = 50_000_000;

/// A customer's own record of what was asked for.
struct Customer {
    user: String,
    account: String,
    orders: Vec<String>,
}

#[test]
fn conservation_holds_whatever_fails() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| simulate(seed));
        if let Err(panic) = outcome {
            eprintln!("the run with SIM_SEED={seed} failed");
            std::panic::resume_unwind(panic);
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn simulate(seed: u64) {
    runtime().block_on(async move {
        let world = World::boot(seed).await;
        let mut rng = Rng::from_seed(seed);
        let stop = tokio_util::sync::CancellationToken::new();
        let trouble = tokio::spawn(make_trouble(world.clone(), rng.fork(), stop.clone()));
        let shopping = (0..CUSTOMERS).map(|number| shop(world.clone(), number, rng.fork()));
        let customers = futures_util::future::join_all(shopping).await;
        stop.cancel();
        trouble.await.unwrap();
        world.heal().await;
        for customer in &customers {
            for order in &customer.orders {
                wait_final(&world, &customer.user, order).await;
            }
        }
        audit(&world, &customers).await;
    });
}

/// Injects a fault every few milliseconds.
async fn make_trouble(world: World, mut rng: Rng, stop: tokio_util::sync::CancellationToken) {
    while !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(5 + rng.below(60))).await;
        world.trouble(&mut rng).await;
    }
}

async fn shop(world: World, number: u64, mut rng: Rng) -> Customer {
    let user = format!("user-{number}");
    let open = json!({ "currency": "USD" });
    let account = world.post(Service::Payments, &user, "/api/v1/accounts", None, open).await;
    let account = text(&account["id"]);
    let path = format!("/api/v1/accounts/{account}/deposits");
    let key = format!("deposit-{number}");
    world.post(Service::Payments, &user, &path, Some(&key), json!({ "amount": DEPOSIT })).await;
    let mut orders = Vec::new();
    for order in 0..ORDERS {
        tokio::time::sleep(Duration::from_millis(rng.below(40))).await;
        let body = order_body(&account, &mut rng);
        let key = format!("order-{number}-{order}");
        let placed =
            world.post(Service::Orders, &user, "/api/v1/orders", Some(&key), body.clone()).await;
        let id = text(&placed["id"]);
        if rng.below(6) == 0 {
            let path = format!("/api/v1/orders/{id}/cancellation");
            world.try_post(Service::Orders, &user, &path, json!({})).await;
        }
        let again = world.post(Service::Orders, &user, "/api/v1/orders", Some(&key), body).await;
        assert_eq!(placed["id"], again["id"], "the same key is the same order");
        orders.push(id);
    }
    Customer { user, account, orders }
}

/// Mostly good orders; some for too much, to nowhere, or of nothing.
fn order_body(account: &str, rng: &mut Rng) -> Value {
    let sku = world::SKUS[usize::try_from(rng.below(3)).unwrap()];
    let (sku, quantity, country) = match rng.below(8) {
        // Cheap enough to be paid for, and more than there are.
        0 => (world::SKUS[0], 200_000, "DE"),
        1 => (sku, 1, "AQ"),
        2 => ("no-such-product", 1, "DE"),
        _ => (sku, 1 + i64::try_from(rng.below(3)).unwrap(), "DE"),
    };
    json!({
        "account_id": account,
        "items": [{ "sku": sku, "quantity": quantity }],
        "ship_to": { "name": "A", "address": "B", "city": "C", "country": country },
    })
}

const FINAL: [&str; 3] = ["completed", "failed", "payment_cancelled"];

async fn wait_final(world: &World, user: &str, order: &str) -> Value {
    for _ in 0..5_000 {
        let view = world.get(Service::Orders, user, &format!("/api/v1/orders/{order}")).await;
        if FINAL.contains(&view["status"].as_str().unwrap_or_default()) {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.revive().await;
    }
    let view = world.get(Service::Orders, user, &format!("/api/v1/orders/{order}")).await;
    panic!("order {order} has not ended: {view}");
}

/// Money, stock and shipments agree with what became of the orders.
async fn audit(world: &World, customers: &[Customer]) {
    let (mut spent, mut completed) = (0, 0);
    let mut sold = std::collections::BTreeMap::<String, i64>::new();
    for customer in customers {
        for order in &customer.orders {
            let view = wait_final(world, &customer.user, order).await;
            check_history(&view);
            if view["status"] == "completed" {
                completed += 1;
                spent += view["total"]["amount"].as_i64().unwrap();
                let item = &view["items"][0];
                *sold.entry(text(&item["sku"])).or_default() += item["quantity"].as_i64().unwrap();
            }
        }
    }
    let mut balances = 0;
    for customer in customers {
        let path = format!("/api/v1/accounts/{}", customer.account);
        let account = world.get(Service::Payments, &customer.user, &path).await;
        balances += account["balance"]["amount"].as_i64().unwrap();
    }
    let deposits = DEPOSIT * i64::try_from(CUSTOMERS).unwrap();
    assert_eq!(deposits - spent, balances, "deposits less completed totals are the balances");
    let inventory = world.store(Service::Inventory);
    for sku in world::SKUS {
        let row = inventory.row(&shop_inventory::tables::STOCK, sku).await.unwrap().unwrap();
        let gone = sold.get(sku).copied().unwrap_or_default();
        assert_eq!(row.integer("reserved"), 0, "nothing stays reserved of {sku}");
        assert_eq!(row.integer("on_hand"), world.seeded(sku) - gone, "stock of {sku}");
        assert_eq!(row.integer("available"), row.integer("on_hand"), "availability of {sku}");
    }
    assert_eq!(world.shipments().await, completed, "one shipment for each completed order");
}

/// Only the declared paths are shown.
fn check_history(view: &Value) {
    let path: Vec<_> = view["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|past| past["status"].as_str().unwrap())
        .collect();
    let allowed: [&[&str]; 4] = [
        &[
            "started",
            "payment_processing",
            "inventory_reserved",
            "shipping_processing",
            "completed",
        ],
        &["started", "failed"],
        &["started", "payment_processing", "payment_cancelled"],
        &[
            "started",
            "payment_processing",
            "inventory_reserved",
            "shipping_processing",
            "compensate_inventory",
            "payment_cancelled",
        ],
    ];
    assert!(allowed.contains(&&*path), "not a declared path: {path:?}");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// Point 3 of what must hold: a participant's store that is put back to an older copy takes what
/// the broker still has, repeats no effect of others and loses none.
#[test]
fn an_older_copy_of_a_store_catches_up_and_repeats_nothing() {
    for service in [Service::Payments, Service::Inventory, Service::Shipping, Service::Orders] {
        runtime().block_on(async move {
            let world = World::boot(11).await;
            let mut customer = shop(world.clone(), 0, Rng::from_seed(5)).await;
            for order in &customer.orders {
                wait_final(&world, &customer.user, order).await;
            }
            let older = world.image(service);
            if service == Service::Orders {
                // What only its edge knew since the copy would be lost, as documented: so there
                // is nothing of the kind here.
                world.restore(service, older).await;
            } else {
                for number in 0..4 {
                    let body = order_body(&customer.account, &mut Rng::from_seed(number));
                    let key = format!("later-{number}");
                    let path = "/api/v1/orders";
                    let placed =
                        world.post(Service::Orders, &customer.user, path, Some(&key), body).await;
                    customer.orders.push(text(&placed["id"]));
                }
                for order in &customer.orders {
                    wait_final(&world, &customer.user, order).await;
                }
                world.restore(service, older).await;
            }
            world.settle().await;
            let customers = [customer];
            audit_one(&world, &customers).await;
        });
    }
}

/// The same sums for a single customer.
async fn audit_one(world: &World, customers: &[Customer]) {
    let mut others = Vec::new();
    for number in 1..CUSTOMERS {
        others.push(shop_nothing(world, number).await);
    }
    let all: Vec<_> = customers
        .iter()
        .map(|customer| Customer {
            user: customer.user.clone(),
            account: customer.account.clone(),
            orders: customer.orders.clone(),
        })
        .chain(others)
        .collect();
    audit(world, &all).await;
}

async fn shop_nothing(world: &World, number: u64) -> Customer {
    let user = format!("user-{number}");
    let open = json!({ "currency": "USD" });
    let account = world.post(Service::Payments, &user, "/api/v1/accounts", None, open).await;
    let account = text(&account["id"]);
    let path = format!("/api/v1/accounts/{account}/deposits");
    world.post(Service::Payments, &user, &path, None, json!({ "amount": DEPOSIT })).await;
    Customer { user, account, orders: Vec::new() }
}
