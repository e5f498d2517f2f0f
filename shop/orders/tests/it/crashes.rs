//! All processes die at once, at every moment of an order: it goes on from what the stores had committed.

use serde_json::json;

use crate::world::{DEPOSIT, ON_HAND, PRICE, World};

const FORWARD: [&str; 5] = [
    "payments.verify_account",
    "payments.charge",
    "inventory.reserve",
    "shipping.ship",
    "inventory.take_stock",
];

#[tokio::test(start_paused = true)]
async fn an_order_that_was_accepted_is_completed_wherever_it_was_interrupted() {
    for kind in FORWARD.into_iter().chain(["saga.reply"]) {
        let mut world = World::new().await;
        let id = world.place_up_to(2, kind).await;
        world.crash().await;
        world.release().await;
        assert_eq!(world.order(&id).await["status"], "completed", "interrupted at {kind}");
        assert_eq!(world.history(&id).await.len(), 5, "interrupted at {kind}");
        assert_eq!(world.balance().await, DEPOSIT - 2 * PRICE, "interrupted at {kind}");
        let goods = (world.stock().await, world.shipments().await);
        assert_eq!(goods, ((ON_HAND - 2, 0), 1), "interrupted at {kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_on_its_way_back_comes_back_wherever_it_was_interrupted() {
    for kind in ["inventory.release", "payments.refund"] {
        let mut world = World::new().await;
        let mut wanted = world.wanted(2);
        wanted["ship_to"]["country"] = json!("AQ");
        world.broker.hold(kind);
        let id = world.place(wanted).await;
        crate::world::quiet().await;
        assert!(world.broker.holds(kind));
        world.crash().await;
        world.release().await;
        assert_eq!(world.order(&id).await["status"], "payment_cancelled", "{kind}");
        world.assert_untouched().await;
    }
}

/// A cancellation that was accepted is not forgotten.
#[tokio::test(start_paused = true)]
async fn a_cancellation_outlives_the_process() {
    let mut world = World::new().await;
    let id = world.place_up_to(2, "payments.charge").await;
    assert_eq!(world.cancel(&id).await.status, 202);
    world.crash().await;
    world.release().await;
    assert_eq!(world.order(&id).await["status"], "payment_cancelled");
    assert_eq!(world.reason(&id).await, "cancelled");
    world.assert_untouched().await;
}

/// Nothing is lost when the broker has lost a command for good: the question is asked again.
#[tokio::test(start_paused = true)]
async fn a_command_that_never_arrives_is_sent_again() {
    let world = World::new().await;
    let id = world.place_up_to(2, "inventory.reserve").await;
    assert_eq!(world.order(&id).await["status"], "payment_processing");
    world.broker.forget();
    tokio::time::sleep(std::time::Duration::from_secs(90)).await;
    assert_eq!(world.order(&id).await["status"], "completed");
    assert_eq!(world.stock().await, (ON_HAND - 2, 0));
}
