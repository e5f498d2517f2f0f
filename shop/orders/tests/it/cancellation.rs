//! A cancellation at every moment of an order's life.

use shop_edge::testing::Call;

use crate::world::{DEPOSIT, PRICE, World, quiet};

const CANCELLED: [&str; 3] = ["started", "payment_processing", "payment_cancelled"];

#[tokio::test(start_paused = true)]
async fn before_payment_it_fails_and_no_money_has_moved() {
    let world = World::new().await;
    let id = world.place_up_to(2, "payments.verify_account").await;
    let link = world.order(&id).await["_links"]["cancellation"]["href"].clone();
    assert_eq!(link, format!("/api/v1/orders/{id}/cancellation"));
    assert_eq!(world.cancel(&id).await.status, 202);
    assert!(world.order(&id).await["_links"].get("cancellation").is_none(), "asked for once");
    world.release().await;
    assert_eq!(world.history(&id).await, ["started", "failed"]);
    assert_eq!(world.reason(&id).await, "cancelled");
    world.assert_untouched().await;
}

/// It waits for the step in flight, whose effect is then undone like every other.
#[tokio::test(start_paused = true)]
async fn during_payment_or_reservation_everything_is_undone() {
    for kind in ["payments.charge", "inventory.reserve"] {
        let world = World::new().await;
        let id = world.place_up_to(2, kind).await;
        let answer = world.cancel(&id).await;
        assert_eq!((answer.status, &answer.body["status"]), (202, &"payment_processing".into()));
        quiet().await;
        assert_eq!(world.history(&id).await, CANCELLED[..2], "{kind} is waited for");
        world.release().await;
        assert_eq!(world.history(&id).await, CANCELLED, "{kind}");
        assert_eq!(world.reason(&id).await, "cancelled", "{kind}");
        world.assert_untouched().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_in_flight_that_is_refused_is_the_reason() {
    let world = World::new().await;
    let id = world.place_up_to(200_000, "inventory.reserve").await;
    assert_eq!(world.cancel(&id).await.status, 202);
    world.release().await;
    assert_eq!(world.history(&id).await, CANCELLED);
    assert_eq!(world.reason(&id).await, "out_of_stock");
    world.assert_untouched().await;
}

#[tokio::test(start_paused = true)]
async fn once_shipping_has_been_asked_for_it_is_refused() {
    for kind in ["shipping.ship", "inventory.take_stock"] {
        let world = World::new().await;
        let id = world.place_up_to(2, kind).await;
        assert!(world.order(&id).await["_links"].get("cancellation").is_none());
        let refused = world.cancel(&id).await;
        assert_eq!(refused.status, 409, "{kind}");
        assert_eq!(refused.header("content-type"), "application/problem+json");
        world.release().await;
        assert_eq!(world.order(&id).await["status"], "completed");
        assert_eq!(world.balance().await, DEPOSIT - 2 * PRICE);
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_end_it_is_refused() {
    let world = World::new().await;
    let completed = world.place(world.wanted(1)).await;
    let refused = world.place(world.wanted(200_000)).await;
    quiet().await;
    assert_eq!(world.cancel(&completed).await.status, 409);
    assert_eq!(world.cancel(&refused).await.status, 409);
}

/// Whoever heard nothing of their cancellation may ask again, also when it is done by then.
#[tokio::test(start_paused = true)]
async fn asked_for_again_after_it_is_done_it_changes_nothing() {
    let world = World::new().await;
    let id = world.place_up_to(1, "payments.charge").await;
    world.cancel(&id).await;
    world.release().await;
    let again = world.cancel(&id).await;
    assert_eq!((again.status, &again.body["status"]), (202, &"payment_cancelled".into()));
    quiet().await;
    assert_eq!(world.history(&id).await, CANCELLED);
    world.assert_untouched().await;
}

#[tokio::test(start_paused = true)]
async fn asked_for_twice_it_happens_once() {
    let world = World::new().await;
    let id = world.place_up_to(1, "payments.charge").await;
    for _ in 0..3 {
        assert_eq!(world.cancel(&id).await.status, 202);
    }
    let events = world.get(&format!("/api/v1/orders/{id}/events")).await;
    let asked = events.items().iter().filter(|it| it["type"] == "CancellationRequested").count();
    assert_eq!(asked, 1);
    world.release().await;
    assert_eq!(world.history(&id).await, CANCELLED);
    world.assert_untouched().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_cancels_what_is_somebody_elses() {
    let world = World::new().await;
    let id = world.place_up_to(1, "payments.charge").await;
    let path = format!("/api/v1/orders/{id}/cancellation");
    let call = Call::post(path, serde_json::json!({})).of(&world.token("bob"));
    assert_eq!(world.send("orders", call).await.status, 404);
    world.release().await;
    assert_eq!(world.order(&id).await["status"], "completed");
}
