//! What cannot be undone waits for the operator, who tries again or resolves it by hand.

use serde_json::{Value, json};
use shop_edge::testing::{Answer, Call};

use crate::world::{World, quiet};

const SAGAS: &str = "/api/v1/operator/sagas";

/// An order whose money cannot come back, because ann has left in the middle of it.
async fn undo_failed() -> (World, String) {
    let mut world = World::new().await;
    let id = world.place_up_to(200_000, "inventory.reserve").await;
    world.ann_leaves().await;
    world.release().await;
    (world, id)
}

async fn look(world: &World, path: &str) -> Answer {
    world.send("orders", Call::get(format!("{SAGAS}{path}")).of(&world.operator())).await
}

async fn act(world: &World, path: &str, body: Value) -> Answer {
    let call = Call::post(format!("{SAGAS}{path}"), body).of(&world.operator());
    let answer = world.send("orders", call).await;
    quiet().await;
    answer
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_cannot_be_done_is_shown_and_waits() {
    let (world, id) = undo_failed().await;
    let expected = ["started", "payment_processing", "undo_failed"];
    assert_eq!(world.history(&id).await, expected);
    let stuck = look(&world, "?phase=stuck").await;
    assert_eq!(stuck.items().len(), 1);
    let listed = &stuck.items()[0];
    assert_eq!((&listed["instance"], &listed["step"]), (&json!(id), &json!("charge")));
    assert_eq!(look(&world, "?phase=lost").await.status, 400, "no run can stand so");
    let shown = look(&world, &format!("/{id}")).await.body;
    assert_eq!(shown["actions"], json!(["retry", "resolve"]));
    assert_eq!(world.cancel(&id).await.status, 409);
}

#[tokio::test(start_paused = true)]
async fn a_retry_asks_again_and_a_resolution_lets_it_end() {
    let (world, id) = undo_failed().await;
    assert_eq!(act(&world, &format!("/{id}/retry"), json!({})).await.status, 200);
    let expected = ["started", "payment_processing", "undo_failed"];
    assert_eq!(world.history(&id).await, expected, "ann is still gone, and no state is new");

    let path = format!("/{id}/resolution");
    assert_eq!(act(&world, &path, json!({})).await.status, 422, "a reason is asked for");
    let reason = json!({ "reason": "paid back in cash" });
    assert_eq!(act(&world, &path, reason).await.status, 200);
    assert_eq!(world.history(&id).await, [&expected[..], &["payment_cancelled"]].concat());
    let shown = look(&world, &format!("/{id}")).await.body;
    assert_eq!((&shown["phase"], &shown["actions"]), (&json!("undone"), &json!([])));
    assert!(shown.to_string().contains("paid back in cash"), "who and why are kept");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_stuck_can_neither_be_retried_nor_resolved() {
    let world = World::new().await;
    let id = world.place(world.wanted(1)).await;
    quiet().await;
    assert_eq!(act(&world, &format!("/{id}/retry"), json!({})).await.status, 409);
    let reason = json!({ "reason": "because" });
    assert_eq!(act(&world, &format!("/{id}/resolution"), reason).await.status, 409);
    assert_eq!(act(&world, "/nobody/retry", json!({})).await.status, 404);
    assert_eq!(look(&world, "/nobody").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn the_saga_draws_itself_as_it_is_and_as_it_stands() {
    let (world, id) = undo_failed().await;
    let mermaid = look(&world, "/diagram").await;
    let kind = mermaid.header("content-type");
    assert_eq!((mermaid.status, kind), (200, "text/plain; charset=utf-8"));
    for path in ["/diagram?format=svg".to_owned(), format!("/{id}/diagram.svg")] {
        let svg = look(&world, &path).await;
        assert_eq!((svg.status, svg.header("content-type")), (200, "image/svg+xml"), "{path}");
    }
    assert_eq!(look(&world, "/diagram?format=png").await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn nobody_but_the_operator_sees_or_moves_sagas() {
    let (world, id) = undo_failed().await;
    let ann = world.token("ann");
    for path in
        [String::new(), "/diagram".to_owned(), format!("/{id}"), format!("/{id}/diagram.svg")]
    {
        let call = Call::get(format!("{SAGAS}{path}"));
        assert_eq!(world.send("orders", call.of(&ann)).await.status, 403, "{path}");
        let call = Call::get(format!("{SAGAS}{path}"));
        assert_eq!(world.send("orders", call).await.status, 401, "{path}");
    }
    for (path, body) in [("retry", json!({})), ("resolution", json!({ "reason": "mine" }))] {
        let call = Call::post(format!("{SAGAS}/{id}/{path}"), body).of(&ann);
        assert_eq!(world.send("orders", call).await.status, 403, "{path}");
    }
    assert_eq!(world.order(&id).await["status"], "undo_failed");
}
