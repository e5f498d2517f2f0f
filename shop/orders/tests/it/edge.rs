//! The contract of `/orders`: keys, mistakes, owners, pages.

use serde_json::{Value, json};
use shop_edge::testing::{Answer, Call};

use crate::world::{MUG, PRICE, World, quiet};

async fn post(world: &World, key: Option<&str>, body: Value) -> Answer {
    let call = Call::post("/api/v1/orders", body).of(&world.token("ann"));
    let call = match key {
        Some(key) => call.with("idempotency-key", key),
        None => call,
    };
    world.send("orders", call).await
}

#[tokio::test(start_paused = true)]
async fn a_201_carries_the_whole_order_which_is_there_at_its_location() {
    let world = World::new().await;
    let placed = post(&world, Some("k1"), world.wanted(2)).await;
    assert_eq!(placed.status, 201);
    let location = placed.header("location").to_owned();
    assert_eq!(location, format!("/api/v1/orders/{}", placed.body["id"].as_str().unwrap()));
    assert_eq!(placed.body["status"], "started");
    assert_eq!(placed.body["total"], json!({ "amount": 2 * PRICE, "currency": "USD" }));
    assert_eq!(placed.body["items"], world.wanted(2)["items"]);
    assert_eq!(placed.body["ship_to"], world.wanted(2)["ship_to"]);
    assert_eq!(placed.body["history"][0]["status"], "started");
    let there = world.get(&location).await;
    assert_eq!((there.status, &there.body["id"]), (200, &placed.body["id"]));
}

#[tokio::test(start_paused = true)]
async fn the_same_key_is_the_same_order_quoted_or_bare() {
    let world = World::new().await;
    let first = post(&world, Some("k1"), world.wanted(2)).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    quiet().await;
    for key in ["k1", "\"k1\""] {
        let again = post(&world, Some(key), world.wanted(2)).await;
        assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
        assert_eq!(again.body, first.body, "the stored answer, not the order as it is now");
    }
    assert_eq!(post(&world, Some("k1"), world.wanted(3)).await.status, 422);
    assert_eq!(world.get("/api/v1/orders").await.items().len(), 1);

    let bobs = Call::post("/api/v1/orders", world.wanted(2)).of(&world.token("bob"));
    let bobs = world.send("orders", bobs.with("idempotency-key", "k1")).await;
    assert_eq!((bobs.status, bobs.header("idempotency-replayed")), (201, ""), "a key of his own");
}

#[tokio::test(start_paused = true)]
async fn whatever_the_account_is_called_the_link_to_it_is_a_link() {
    let world = World::new().await;
    let mut wanted = world.wanted(1);
    wanted["account_id"] = "a/b\u{8}ö".into();
    assert_eq!(post(&world, Some("k1"), wanted.clone()).await.pointers(), ["#/account_id"]);
    wanted["account_id"] = "a/b ö".into();
    let placed = post(&world, Some("k2"), wanted).await;
    assert_eq!(placed.body["_links"]["account"]["href"], "/api/v1/accounts/a%2Fb%20%C3%B6");
}

#[tokio::test(start_paused = true)]
async fn a_key_outlives_the_process() {
    let mut world = World::new().await;
    let first = post(&world, Some("k1"), world.wanted(2)).await;
    world.crash().await;
    let again = post(&world, Some("k1"), world.wanted(2)).await;
    assert_eq!((again.status, again.body), (201, first.body));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_asked_for_and_has_a_length() {
    let world = World::new().await;
    assert_eq!(post(&world, None, world.wanted(1)).await.status, 400);
    assert_eq!(post(&world, Some(""), world.wanted(1)).await.status, 400);
    assert_eq!(post(&world, Some(&"k".repeat(256)), world.wanted(1)).await.status, 400);
    assert_eq!(post(&world, Some(&"k".repeat(255)), world.wanted(1)).await.status, 201);
}

/// Two calls with one key at the same time make one order; the other one is told that the first is
/// still running, or gets its answer.
#[tokio::test(start_paused = true)]
async fn two_calls_at_once_with_one_key_make_one_order() {
    let world = World::new().await;
    let calls = (0..4).map(|_| post(&world, Some("k1"), world.wanted(1)));
    let answers = futures_util::future::join_all(calls).await;
    let mut fresh = 0;
    for answer in &answers {
        assert!([201, 409].contains(&answer.status), "{}", answer.body);
        let replayed = answer.header("idempotency-replayed") == "true";
        fresh += i32::from(answer.status == 201 && !replayed);
    }
    assert_eq!(fresh, 1);
    assert_eq!(world.get("/api/v1/orders").await.items().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn mistakes_are_all_named_and_store_nothing() {
    let world = World::new().await;
    let item = |sku: &str, quantity: Value| json!({ "sku": sku, "quantity": quantity });
    let cases = [
        ("items", json!([]), "#/items"),
        ("items", json!([item(MUG, json!(0))]), "#/items/0/quantity"),
        ("items", json!([item(MUG, json!(-1))]), "#/items/0/quantity"),
        ("items", json!([item(MUG, json!(1.5))]), "#/items/0/quantity"),
        ("items", json!([item(MUG, json!(i64::MAX))]), "#/items/0/quantity"),
        ("items", json!([item(MUG, json!(1)), item(MUG, json!(2))]), "#/items"),
        ("items", json!(vec![item(MUG, json!(1)); 51]), "#/items"),
        ("account_id", json!(7), "#/account_id"),
        (
            "ship_to",
            json!({ "name": "A", "address": "B", "city": "C", "country": "germany" }),
            "#/ship_to/country",
        ),
        ("colour", json!("red"), "#/colour"),
    ];
    for (field, value, pointer) in cases {
        let mut body = world.wanted(1);
        body[field] = value;
        let refused = post(&world, Some("k1"), body.clone()).await;
        assert_eq!(refused.status, 422, "{body}");
        assert_eq!(refused.pointers(), [pointer], "{body}");
    }
    let all = post(&world, Some("k1"), json!({})).await;
    assert_eq!(all.pointers(), ["#/account_id", "#/items", "#/ship_to"]);
    assert_eq!(post(&world, Some("k1"), world.wanted(1)).await.status, 201, "the key is unused");
}

#[tokio::test(start_paused = true)]
async fn orders_are_their_owners_and_the_operators() {
    let world = World::new().await;
    let id = world.place(world.wanted(1)).await;
    let (bob, operator) = (world.token("bob"), world.operator());
    for path in [format!("/api/v1/orders/{id}"), format!("/api/v1/orders/{id}/events")] {
        assert_eq!(world.send("orders", Call::get(&*path).of(&bob)).await.status, 404);
        assert_eq!(world.send("orders", Call::get(&*path)).await.status, 401);
        assert_eq!(world.send("orders", Call::get(&*path).of(&operator)).await.status, 200);
    }
    let bobs = world.send("orders", Call::get("/api/v1/orders").of(&bob)).await;
    assert_eq!((bobs.status, bobs.items().len()), (200, 0));
    let unsigned = Call::post("/api/v1/orders", world.wanted(1)).with("idempotency-key", "k");
    assert_eq!(world.send("orders", unsigned).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn lists_come_a_page_at_a_time_newest_first() {
    let world = World::new().await;
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.push(world.place(world.wanted(1)).await);
        quiet().await;
    }
    placed.reverse();
    let (mut seen, mut path) = (Vec::new(), "/api/v1/orders?limit=2".to_owned());
    loop {
        let page = world.get(&path).await;
        seen.extend(page.items().iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next"].as_str() else { break };
        path = format!("/api/v1/orders?limit=2&cursor={next}");
    }
    assert_eq!(seen, placed);
}

#[tokio::test(start_paused = true)]
async fn links_offer_what_can_be_done_now_in_lists_too() {
    let world = World::new().await;
    let (mut seen, mut tags) = (Vec::new(), Vec::new());
    let id = world.place_up_to(2, "payments.charge").await;
    for _ in 0..2 {
        let list = world.get("/api/v1/orders").await;
        let place = json!({ "href": "/api/v1/orders", "method": "POST" });
        assert_eq!(list.body["_links"]["place"], place);
        let order = world.get(&format!("/api/v1/orders/{id}")).await;
        let cancellation = &order.body["_links"]["cancellation"];
        assert_eq!(&list.items()[0]["_links"]["cancellation"], cancellation);
        seen.push(cancellation["method"].clone());
        tags.push(order.header("etag").to_owned());
        world.release().await;
        quiet().await;
    }
    assert_eq!(seen, [json!("POST"), Value::Null], "what is completed offers no cancellation");
    assert_ne!(tags[0], tags[1]);
}
