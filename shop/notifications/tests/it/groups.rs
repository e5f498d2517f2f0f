//! The router and the three groups behind it.

use serde_json::json;
use shop_contracts::orders::{EVENTS as ORDERS, OrderStatus};
use shop_contracts::users::{EVENTS as USERS, UserChanged, UserDeleted};
use shop_notifications::routes::Destination;
use shop_notifications::topics;
use switchboard_message::Topic;

use crate::{Shop, changed, created, placed};

#[tokio::test(start_paused = true)]
async fn a_new_user_reaches_all_three_groups() {
    let mut shop = Shop::open().await;
    let running = shop.run();
    shop.publish(&created("ann"), 1).await;
    shop.until("a welcome", async || shop.notifications("ann").await == ["user.welcome"]).await;
    shop.until("a count", async || shop.count("users.created").await == 1).await;
    shop.until("a letter", async || shop.letters("ann").await.len() == 1).await;
    let letters = shop.letters("ann").await;
    assert_eq!(letters[0]["to"], "ann@example.org");
    assert_eq!(letters[0]["status"], "sent");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn rule_3_a_duplicate_of_every_message_changes_nothing() {
    let mut shop = Shop::open().await;
    let running = shop.run();
    shop.publish(&created("ann"), 3).await;
    shop.publish(&placed("o1", "ann"), 3).await;
    shop.publish(&changed("o1", "ann", OrderStatus::ShippingProcessing), 3).await;
    shop.publish(&changed("o1", "ann", OrderStatus::Completed), 3).await;
    shop.publish(&created("last"), 1).await;
    for group in ["email", "analytics", "notification"] {
        // The same again, as copies that the router did not make.
        let topic = Destination::parse(group).unwrap().topic();
        let copies = shop.bench.broker.clone();
        let user = shop.envelope(&created("bob")).with_header("event-id", "the same event");
        let copy = switchboard_core::Envelope { topic: topic.into(), ..user };
        for answer in switchboard_message::Broker::publish(&copies, vec![copy; 3]).await {
            answer.unwrap();
        }
    }
    shop.until("all counted", async || shop.count("users.created").await == 3).await;
    shop.until("the last letter", async || shop.letters("last").await.len() == 1).await;
    shop.until("the last welcome", async || shop.notifications("last").await.len() == 1).await;
    shop.until("bob's letter", async || shop.letters("bob").await.len() == 1).await;
    shop.until("revenue", async || shop.count("revenue.USD").await == 1_250).await;
    shop.until("three", async || shop.letters("ann").await.len() == 3).await;
    shop.until("four", async || shop.notifications("ann").await.len() == 4).await;
    running.end().await;
    assert_eq!((shop.count("orders.placed").await, shop.count("orders.completed").await), (1, 1));
    assert_eq!((shop.letters("bob").await.len(), shop.notifications("bob").await.len()), (1, 1));
}

/// For each of the three: while it fails, the two others are served; afterwards it catches up.
#[tokio::test(start_paused = true)]
async fn a_failing_group_does_not_delay_the_others() {
    for failing in Destination::ALL {
        let mut shop = Shop::open().await;
        let running = shop.run();
        shop.switch(failing.name(), json!({ "failing": true })).await;
        shop.publish(&created("ann"), 1).await;
        shop.publish(&placed("o1", "ann"), 1).await;
        let served = async |shop: &Shop, group: Destination| match group {
            Destination::Email => shop.letters("ann").await.len() == 2,
            Destination::Analytics => shop.count("orders.placed").await == 1,
            Destination::Notification => shop.notifications("ann").await.len() == 2,
        };
        for other in Destination::ALL.into_iter().filter(|other| *other != failing) {
            shop.until(other.name(), async || served(&shop, other).await).await;
        }
        assert!(!served(&shop, failing).await, "{failing:?} is failing");
        shop.switch(failing.name(), json!({ "failing": false })).await;
        shop.until(failing.name(), async || served(&shop, failing).await).await;
        running.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_group_does_not_delay_the_others_and_misses_nothing() {
    let mut shop = Shop::open().await;
    let running = shop.run();
    shop.switch("email", json!({ "running": false })).await;
    shop.publish(&created("ann"), 1).await;
    shop.until("a welcome", async || shop.notifications("ann").await.len() == 1).await;
    shop.until("a count", async || shop.count("users.created").await == 1).await;
    assert!(shop.letters("ann").await.is_empty());
    shop.switch("email", json!({ "running": true })).await;
    shop.until("the letter", async || shop.letters("ann").await.len() == 1).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_letter_waits_for_its_address() {
    let mut shop = Shop::open().await;
    let running = shop.run();
    shop.publish(&placed("o1", "ann"), 1).await;
    shop.until("a letter", async || shop.letters("ann").await.len() == 1).await;
    let waiting = shop.letters("ann").await;
    assert_eq!((&waiting[0]["status"], &waiting[0]["to"]), (&json!("waiting"), &json!(null)));
    shop.publish(&created("ann"), 1).await;
    shop.until("the welcome", async || shop.letters("ann").await.len() == 2).await;
    for letter in shop.letters("ann").await {
        assert_eq!((&letter["status"], &letter["to"]), (&json!("sent"), &json!("ann@example.org")));
    }

    let email = "ann@elsewhere.example".to_owned();
    let moved = UserChanged { user_id: "ann".to_owned(), name: "Ann".to_owned(), email };
    shop.publish(&moved, 1).await;
    // Another key may overtake: the order's letter is asked for when the new address is there.
    let contacts = &shop_notifications::tables::CONTACTS;
    shop.until("the new address", async || {
        let row = shop.bench.deps.store.row(contacts, "ann").await.unwrap();
        row.is_some_and(|row| row.text("email") == "ann@elsewhere.example")
    })
    .await;
    shop.publish(&changed("o1", "ann", OrderStatus::Completed), 1).await;
    shop.until("the third", async || shop.letters("ann").await.len() == 3).await;
    assert_eq!(shop.letters("ann").await[0]["to"], "ann@elsewhere.example");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_leaves_leaves_no_letters_behind_and_gets_none() {
    let mut shop = Shop::open().await;
    let running = shop.run();
    shop.publish(&created("ann"), 1).await;
    shop.until("a letter", async || shop.letters("ann").await.len() == 1).await;
    shop.until("a welcome", async || shop.notifications("ann").await.len() == 1).await;
    shop.publish(&UserDeleted { user_id: "ann".to_owned() }, 1).await;
    shop.until("no letter", async || shop.letters("ann").await.is_empty()).await;
    shop.until("no welcome", async || shop.notifications("ann").await.is_empty()).await;
    shop.publish(&changed("o1", "ann", OrderStatus::Completed), 1).await;
    shop.until("a notification", async || shop.notifications("ann").await.len() == 1).await;
    shop.publish(&created("bob"), 1).await;
    shop.until("bob's letter", async || shop.letters("bob").await.len() == 1).await;
    running.end().await;
    assert!(shop.letters("ann").await.is_empty());
}

/// No part dies silently: a group whose topic is not there says so, and begins when it is.
#[tokio::test(start_paused = true)]
async fn a_group_that_ends_by_itself_is_started_again() {
    let shop = Shop::without_topics();
    shop.bench.declare([Topic::new(USERS), Topic::new(ORDERS)]).await;
    let running = shop.run();
    let broken = |shop: &Shop| shop.app.switches().iter().all(|switch| switch.broken().is_some());
    shop.until("all are broken", async || broken(&shop)).await;
    shop.bench.declare(topics()).await;
    shop.until("none is broken", async || {
        shop.app.switches().iter().all(|switch| switch.broken().is_none())
    })
    .await;
    let mut shop = shop;
    shop.publish(&created("ann"), 1).await;
    shop.until("a letter", async || shop.letters("ann").await.len() == 1).await;
    running.end().await;
}
