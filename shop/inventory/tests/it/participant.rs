//! The service as the order saga meets it.

use serde_json::json;
use shop_contracts::inventory::{Item, Release, Reserve, TakeStock};
use shop_inventory::{participant, topics};
use switchboard_saga::{Outcome, Reply};
use switchboard_testkit::participant::{Asker, Question};

use crate::Shop;

const MUG: &str = "mug-slate";
const PEN: &str = "pen-quill";

async fn asker(shop: &Shop) -> Asker {
    shop.bench.declare(topics()).await;
    let (deps, group) = (&shop.bench.deps, participant::saga(&shop.app, &shop.bench.deps));
    Asker::new(deps.store.clone(), &shop.bench.broker, deps.clock.clone(), group)
}

fn items(items: &[(&str, i64)]) -> Vec<Item> {
    items
        .iter()
        .map(|(sku, quantity)| Item { sku: (*sku).to_owned(), quantity: *quantity })
        .collect()
}

fn reserve(order: &str, of: &[(&str, i64)]) -> Reserve {
    Reserve { order_id: order.to_owned(), items: items(of) }
}

fn release(order: &str, of: &[(&str, i64)]) -> Release {
    Release { order_id: order.to_owned(), items: items(of) }
}

fn take(order: &str, of: &[(&str, i64)]) -> TakeStock {
    TakeStock { order_id: order.to_owned(), items: items(of) }
}

fn told(reply: &Reply) -> (Outcome, Option<&str>) {
    (reply.outcome, reply.reason.as_deref())
}

#[tokio::test(start_paused = true)]
async fn every_command_repeated_changes_nothing_and_gets_the_same_answer() {
    let shop = Shop::open().await;
    shop.put("/api/v1/stock/mug-slate", json!({ "on_hand": 10 })).await;
    shop.put("/api/v1/stock/pen-quill", json!({ "on_hand": 10 })).await;
    let mut saga = asker(&shop).await;
    let order = [(MUG, 3), (PEN, 1)];

    for _ in 0..3 {
        let aside = saga.ask(Question::perform("o1", "reserve"), &reserve("o1", &order)).await;
        assert_eq!(told(&aside), (Outcome::Done, None));
        assert_eq!((shop.stock(MUG).await, shop.stock(PEN).await), ([10, 3, 7], [10, 1, 9]));
    }
    for _ in 0..3 {
        let sold = saga.ask(Question::perform("o1", "take"), &take("o1", &order)).await;
        assert_eq!(told(&sold), (Outcome::Done, None));
        assert_eq!((shop.stock(MUG).await, shop.stock(PEN).await), ([7, 0, 7], [9, 0, 9]));
    }
    saga.ask(Question::perform("o2", "reserve"), &reserve("o2", &order)).await;
    for _ in 0..3 {
        let back = saga.ask(Question::undo("o2", "reserve"), &release("o2", &order)).await;
        assert_eq!(told(&back), (Outcome::Done, None));
        assert_eq!((shop.stock(MUG).await, shop.stock(PEN).await), ([7, 0, 7], [9, 0, 9]));
    }
}

#[tokio::test(start_paused = true)]
async fn all_is_set_aside_or_nothing() {
    let shop = Shop::open().await;
    shop.put("/api/v1/stock/pen-quill", json!({ "on_hand": 2 })).await;
    let mut saga = asker(&shop).await;
    let before = shop.stock(MUG).await;
    let cases = [
        (reserve("o1", &[(MUG, 1), (PEN, 3)]), "out_of_stock"),
        (reserve("o2", &[(MUG, 1), ("moon", 1)]), "unknown_product"),
        (reserve("o3", &[(PEN, 2), (PEN, 1)]), "out_of_stock"),
        (reserve("o4", &[(MUG, -5)]), "invalid_quantity"),
    ];
    for (command, reason) in cases {
        for _ in 0..2 {
            let question = Question::perform(&command.order_id, "reserve");
            let no = saga.ask(question, &command).await;
            assert_eq!(told(&no), (Outcome::Rejected, Some(reason)));
        }
    }
    assert_eq!((shop.stock(MUG).await, shop.stock(PEN).await), (before, [2, 0, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_release_before_its_reservation_leaves_a_tombstone() {
    let shop = Shop::open().await;
    let mut saga = asker(&shop).await;
    let before = shop.stock(MUG).await;
    let back = saga.ask(Question::undo("o1", "reserve"), &release("o1", &[(MUG, 3)])).await;
    assert_eq!(back.outcome, Outcome::Done);
    let late = saga.ask(Question::perform("o1", "reserve"), &reserve("o1", &[(MUG, 3)])).await;
    assert_eq!((late.outcome, shop.stock(MUG).await), (Outcome::Rejected, before));
}

#[tokio::test(start_paused = true)]
async fn what_is_released_is_what_was_reserved_whatever_the_command_says() {
    let shop = Shop::open().await;
    let mut saga = asker(&shop).await;
    let before = shop.stock(MUG).await;
    saga.ask(Question::perform("o1", "reserve"), &reserve("o1", &[(MUG, 3)])).await;
    saga.ask(Question::undo("o1", "reserve"), &release("o1", &[(MUG, 99)])).await;
    assert_eq!(shop.stock(MUG).await, before);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_reserved_cannot_be_sold() {
    let shop = Shop::open().await;
    let mut saga = asker(&shop).await;
    let no = saga.ask(Question::perform("o1", "take"), &take("o1", &[(MUG, 1)])).await;
    assert_eq!(told(&no), (Outcome::Rejected, Some("nothing_reserved")));
}

#[tokio::test(start_paused = true)]
async fn the_count_cannot_fall_below_what_is_reserved() {
    let shop = Shop::open().await;
    let mut saga = asker(&shop).await;
    saga.ask(Question::perform("o1", "reserve"), &reserve("o1", &[(MUG, 3)])).await;
    let low = shop.put("/api/v1/stock/mug-slate", json!({ "on_hand": 2 })).await;
    assert_eq!((low.status, low.header("content-type")), (409, "application/problem+json"));
    let exact = shop.put("/api/v1/stock/mug-slate", json!({ "on_hand": 3 })).await;
    assert_eq!((exact.status, shop.stock(MUG).await), (200, [3, 3, 0]));
}

/// Many orders of one product at the same time: exactly as many succeed as there are pieces.
#[tokio::test(start_paused = true)]
async fn the_last_pieces_are_sold_once() {
    let shop = Shop::open().await;
    shop.put("/api/v1/stock/mug-slate", json!({ "on_hand": 5 })).await;
    let mut saga = asker(&shop).await;
    let mut done = 0;
    for number in 0..8 {
        let order = format!("o{number}");
        let question = Question::perform(&order, "reserve");
        let reply = saga.ask(question, &reserve(&order, &[(MUG, 1)])).await;
        done += u32::from(reply.outcome == Outcome::Done);
    }
    assert_eq!((done, shop.stock(MUG).await), (5, [5, 5, 0]));
}
