//! The trials that every saga gets for free, on the order saga with its real participants.

use std::sync::Arc;

use futures_util::FutureExt;
use shop_contracts::Money;
use shop_contracts::inventory::Item;
use shop_contracts::shipping::ShipTo;
use shop_edge::{Auth, Deps, Process, Stored};
use shop_inventory::tables::STOCK;
use shop_orders::domain::order::OrderData;
use shop_orders::sagas::Fulfilment;
use shop_payments::app::Movement;
use shop_payments::tables::ACCOUNTS;
use shop_shipping::tables::SHIPMENTS;
use switchboard_core::{Context, Id};
use switchboard_store::{Select, Store, Table};
use switchboard_testkit::saga::{self, Seams, Stage};

use crate::world::{MUG, PRICE};

fn play(seams: &Seams) -> Stage<OrderData> {
    let auth = Arc::new(Auth::ephemeral(seams.clock.clone()).unwrap());
    let deps = |name: &'static str, tables: &[&'static Table]| Deps {
        store: seams.store(name, tables),
        broker: seams.broker.clone(),
        clock: seams.clock.clone(),
        rng: seams.rng(),
        auth: auth.clone(),
        process: Process::default(),
    };
    // The saga's own store comes first.
    let orders = deps(shop_orders::NAME, shop_orders::TABLES);
    let payments = deps(shop_payments::NAME, shop_payments::TABLES);
    let inventory = deps(shop_inventory::NAME, shop_inventory::TABLES);
    let shipping = deps(shop_shipping::NAME, shop_shipping::TABLES);

    let bank = shop_payments::App::new(&payments);
    let stock = shop_inventory::App::new(&inventory);
    // A store in memory never waits, so what is prepared there is there at once.
    let account_id = account(&bank).now_or_never().unwrap();
    stock.seed().now_or_never().unwrap().unwrap();
    let fulfilment = Fulfilment::new(&orders);
    let groups = [
        fulfilment.group(&orders),
        shop_payments::participant::saga(&bank, &payments),
        shop_inventory::participant::saga(&stock, &inventory),
        shop_shipping::participant::saga(&shop_shipping::App::new(&shipping), &shipping),
    ];
    let stores = [payments.store, inventory.store, shipping.store];
    Stage::new(fulfilment.saga().clone(), order(account_id), groups)
        .observing(move || observed(stores.clone()))
}

/// An account of ann's with enough on it.
async fn account(bank: &shop_payments::App) -> String {
    let context = || Context::of(Id::from_bytes([7; 16]));
    let id = bank.open(context(), "ann", "USD").await.unwrap().id;
    let deposit = Movement::Deposit;
    bank.move_money(context(), &id, deposit, 1_000_000, None, |_| {
        Stored::created("", serde_json::Value::Null)
    })
    .await
    .unwrap();
    id
}

fn order(account_id: String) -> OrderData {
    let text = str::to_owned;
    OrderData {
        order_id: text("o1"),
        user_id: text("ann"),
        account_id,
        items: vec![Item { sku: text(MUG), quantity: 2 }],
        total: Money::new(2 * PRICE, "USD"),
        ship_to: ShipTo {
            name: text("Ann"),
            address: text("1 Main St"),
            city: text("Bonn"),
            country: text("DE"),
        },
    }
}

/// Money, stock and parcels.
async fn observed([payments, inventory, shipping]: [Arc<dyn Store>; 3]) -> String {
    let balances = payments.select(Select::all(&ACCOUNTS)).await.unwrap();
    let balance: i64 = balances.iter().map(|row| row.integer("balance")).sum();
    let stock = inventory.row(&STOCK, MUG).await.unwrap().unwrap();
    let (on_hand, reserved) = (stock.integer("on_hand"), stock.integer("reserved"));
    let parcels = shipping.select(Select::all(&SHIPMENTS)).await.unwrap().len();
    format!("balance {balance}, on hand {on_hand}, reserved {reserved}, parcels {parcels}")
}

#[tokio::test(start_paused = true)]
async fn an_order_succeeds_when_everything_is_repeated() {
    saga::succeeds_when_repeated(play).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_unwinds_from_every_step() {
    saga::unwinds_from_every_step(play).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_unwinds_once_when_asked_twice() {
    saga::unwinds_twice(play).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_survives_silence() {
    saga::survives_silence(play).await;
}
