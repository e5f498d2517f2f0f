//! The only paths that an order can take, and that a state is visible only when its effects are.

use serde_json::{Value, json};
use shop_edge::testing::Call;

use crate::world::{DEPOSIT, MUG, ON_HAND, PRICE, World, quiet};

const TO_SHIPPING: [&str; 4] =
    ["started", "payment_processing", "inventory_reserved", "shipping_processing"];

fn with(mut wanted: Value, field: &str, value: Value) -> Value {
    wanted[field] = value;
    wanted
}

#[tokio::test(start_paused = true)]
async fn a_good_order_is_paid_reserved_shipped_and_completed() {
    let world = World::new().await;
    let id = world.place(world.wanted(3)).await;
    quiet().await;
    let order = world.order(&id).await;
    assert_eq!(world.history(&id).await, [&TO_SHIPPING[..], &["completed"]].concat());
    assert_eq!(order["total"], json!({ "amount": 3 * PRICE, "currency": "USD" }));
    assert_eq!(order["items"][0]["sku"], MUG);
    assert_eq!(order["account_id"], *world.account);
    assert_eq!(world.balance().await, DEPOSIT - 3 * PRICE);
    assert_eq!((world.stock().await, world.shipments().await), ((ON_HAND - 3, 0), 1));
    assert!(order["_links"].get("cancellation").is_none(), "nothing to cancel any more");

    let shipment = format!("/api/v1/shipments/{}", order["shipment_id"].as_str().unwrap());
    assert_eq!(order["_links"]["shipment"]["href"], shipment);
    let shown = world.send("shipping", Call::get(shipment).of(&world.token("ann"))).await;
    assert_eq!((shown.status, &shown.body["order_id"]), (200, &json!(id)));
}

#[tokio::test(start_paused = true)]
async fn the_audit_trail_tells_the_whole_story() {
    let world = World::new().await;
    let id = world.place(world.wanted(1)).await;
    quiet().await;
    let events = world.get(&format!("/api/v1/orders/{id}/events")).await;
    let kinds: Vec<_> = events.items().iter().map(|it| it["type"].as_str().unwrap()).collect();
    let entered = "Entered";
    assert_eq!(kinds, ["Placed", entered, entered, entered, "Shipped", entered]);
    let seqs: Vec<_> = events.items().iter().map(|it| it["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
}

/// Both shipping states are entered in the unit that asks for shipping; by then the money is taken
/// and the items are set aside.
#[tokio::test(start_paused = true)]
async fn a_state_is_visible_only_when_its_effects_are() {
    let world = World::new().await;
    let id = world.place_up_to(3, "payments.verify_account").await;
    assert_eq!(world.history(&id).await, ["started"]);
    world.assert_untouched().await;
    world.release().await;
    assert_eq!(world.order(&id).await["status"], "completed");

    let id = world.place_up_to(2, "inventory.reserve").await;
    assert_eq!(world.history(&id).await, ["started", "payment_processing"]);
    assert_eq!(world.balance().await, DEPOSIT - 5 * PRICE);
    assert_eq!(world.stock().await, (ON_HAND - 3, 0));
    world.release().await;

    let id = world.place_up_to(4, "shipping.ship").await;
    assert_eq!(world.history(&id).await, TO_SHIPPING);
    assert_eq!(world.balance().await, DEPOSIT - 9 * PRICE);
    assert_eq!(world.stock().await, (ON_HAND - 5, 4));
    world.release().await;

    let id = world.place_up_to(1, "inventory.take_stock").await;
    assert_eq!(world.history(&id).await, TO_SHIPPING, "shipped, and not completed yet");
    assert_eq!((world.stock().await, world.shipments().await), ((ON_HAND - 9, 1), 4));
    world.release().await;
    assert_eq!(world.order(&id).await["status"], "completed");
    assert_eq!(world.stock().await, (ON_HAND - 10, 0));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_may_not_pay_fails_before_any_money_moves() {
    let world = World::new().await;
    let (bobs, euros) = (
        world.open_account("bob", "USD", 500_000).await,
        world.open_account("ann", "EUR", 1).await,
    );
    for (account, reason) in
        [("0190-nobody", "unknown_account"), (&*bobs, "not_the_owner"), (&*euros, "wrong_currency")]
    {
        let id = world.place(with(world.wanted(1), "account_id", json!(account))).await;
        quiet().await;
        assert_eq!(world.history(&id).await, ["started", "failed"], "{reason}");
        assert_eq!(world.reason(&id).await, reason);
    }
    world.assert_untouched().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_product_is_accepted_and_fails() {
    let world = World::new().await;
    let items = json!([{ "sku": MUG, "quantity": 1 }, { "sku": "no-such-thing", "quantity": 1 }]);
    let id = world.place(with(world.wanted(1), "items", items)).await;
    assert_eq!(world.history(&id).await, ["started", "failed"], "in the very same unit");
    assert_eq!(world.reason(&id).await, "unknown_product");
    quiet().await;
    assert_eq!(world.history(&id).await, ["started", "failed"]);
    world.assert_untouched().await;
}

#[tokio::test(start_paused = true)]
async fn a_charge_above_the_balance_cancels_the_payment() {
    let world = World::new().await;
    let desks = json!([{ "sku": "desk-alder", "quantity": 50_000 }]);
    let id = world.place(with(world.wanted(1), "items", desks)).await;
    quiet().await;
    let expected = ["started", "payment_processing", "payment_cancelled"];
    assert_eq!(world.history(&id).await, expected);
    assert_eq!(world.reason(&id).await, "insufficient_funds");
    world.assert_untouched().await;
}

/// The money is returned first, and only then the state says so.
#[tokio::test(start_paused = true)]
async fn more_than_there_is_returns_the_money_and_then_cancels_the_payment() {
    let world = World::new().await;
    let id = world.place_up_to(ON_HAND + 1, "payments.refund").await;
    assert_eq!(world.history(&id).await, ["started", "payment_processing"]);
    assert_eq!(world.balance().await, DEPOSIT - (ON_HAND + 1) * PRICE);
    world.release().await;
    let expected = ["started", "payment_processing", "payment_cancelled"];
    assert_eq!(world.history(&id).await, expected);
    assert_eq!(world.reason(&id).await, "out_of_stock");
    world.assert_untouched().await;
}

#[tokio::test(start_paused = true)]
async fn a_country_that_is_not_served_releases_the_stock_and_then_returns_the_money() {
    let world = World::new().await;
    let to = json!({ "name": "Ann", "address": "Ice", "city": "Pole", "country": "AQ" });
    world.broker.hold("payments.refund");
    let id = world.place(with(world.wanted(2), "ship_to", to)).await;
    quiet().await;
    let compensating = [&TO_SHIPPING[..], &["compensate_inventory"]].concat();
    assert_eq!(world.history(&id).await, compensating);
    assert_eq!((world.stock().await, world.balance().await), ((ON_HAND, 0), DEPOSIT - 2 * PRICE));
    world.release().await;
    assert_eq!(world.history(&id).await, [&compensating[..], &["payment_cancelled"]].concat());
    assert_eq!(world.reason(&id).await, "country_not_served");
    world.assert_untouched().await;
}
