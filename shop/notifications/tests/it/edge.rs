//! The public contract of notifications and letters, and what operators see.

use serde_json::json;
use shop_contracts::orders::OrderStatus;
use shop_edge::testing::Call;

use crate::{Shop, changed, created, placed, strings};

#[tokio::test(start_paused = true)]
async fn people_see_their_own_newest_first() {
    let mut shop = Shop::open().await;
    let running = shop.run();
    shop.publish(&created("ann"), 1).await;
    shop.until("welcome", async || shop.notifications("ann").await.len() == 1).await;
    shop.publish(&placed("o1", "ann"), 1).await;
    shop.until("placed", async || shop.notifications("ann").await.len() == 2).await;
    shop.publish(&created("bob"), 1).await;
    shop.until("bob", async || shop.notifications("bob").await.len() == 1).await;
    shop.until("letters", async || shop.letters("ann").await.len() == 2).await;
    shop.until("bob's letter", async || shop.letters("bob").await.len() == 1).await;
    running.end().await;

    assert_eq!(shop.notifications("ann").await, ["order.placed", "user.welcome"]);
    let (ann, bob) = (shop.bench.token("ann"), shop.bench.token("bob"));
    let first = shop.get("/api/v1/notifications?limit=1", &ann).await;
    let item = &first.items()[0];
    assert_eq!((&item["order_id"], item["body"].is_string()), (&json!("o1"), true));
    assert!(item["created_at"].as_str().unwrap().starts_with("2026-01-01T00:00:00"));
    let next = first.body["next"].as_str().unwrap();
    let second = shop.get(&format!("/api/v1/notifications?limit=1&cursor={next}"), &ann).await;
    assert_eq!(strings(second.items(), "type"), ["user.welcome"]);
    assert!(second.items()[0].get("order_id").is_none());

    let letter = shop.letters("ann").await[0].clone();
    for href in [&item["_links"]["self"]["href"], &letter["_links"]["self"]["href"]] {
        let path = href.as_str().unwrap();
        assert_eq!(shop.get(path, &ann).await.status, 200, "{path}");
        assert_eq!(shop.get(path, &bob).await.status, 404, "{path}");
        assert_eq!(Call::get(path).send(&shop.routes).await.status, 401, "{path}");
    }
    let all = shop.get("/api/v1/operator/notifications/mailbox", &shop.bench.operator()).await;
    let mut owners = strings(all.items(), "user_id");
    owners.sort();
    assert_eq!(owners, ["ann", "ann", "bob"]);
}

#[tokio::test(start_paused = true)]
async fn the_operator_sees_the_table_the_groups_and_the_counters() {
    let mut shop = Shop::open().await;
    let running = shop.run();
    shop.publish(&changed("o1", "ann", OrderStatus::Completed), 1).await;
    shop.publish(&changed("o2", "ann", OrderStatus::PaymentCancelled), 1).await;
    shop.publish(&changed("o3", "ann", OrderStatus::PaymentProcessing), 1).await;
    shop.until("counted", async || shop.count("orders.payment_cancelled").await == 1).await;
    shop.until("counted", async || shop.count("orders.completed").await == 1).await;
    running.end().await;

    let operator = shop.bench.operator();
    let base = "/api/v1/operator/notifications";
    let counters = shop.get(&format!("{base}/analytics"), &operator).await.body;
    let expected =
        json!({ "orders.completed": 1, "orders.payment_cancelled": 1, "revenue.USD": 1_250 });
    assert_eq!(counters["totals"], expected);
    assert_eq!(counters["days"], json!([{ "day": "2026-01-01", "counts": expected }]));

    let table = shop.get(&format!("{base}/routes"), &operator).await;
    let line = table.items().iter().find(|line| line["type"] == "users.created").unwrap();
    let all = ["notifications.email", "notifications.analytics", "notifications.notification"];
    assert_eq!((&line["topic"], &line["to"]), (&json!("users.events"), &json!(all)));
    let groups = shop.get(&format!("{base}/groups"), &operator).await;
    assert_eq!(strings(groups.items(), "name"), ["email", "analytics", "notification"]);
    assert_eq!(shop.get(&format!("{base}/dead"), &operator).await.status, 200);

    let ann = shop.bench.token("ann");
    for path in ["routes", "groups", "groups/email", "analytics", "mailbox", "dead"] {
        let path = format!("{base}/{path}");
        assert_eq!(shop.get(&path, &ann).await.status, 403, "{path}");
        assert_eq!(Call::get(&*path).send(&shop.routes).await.status, 401, "{path}");
    }
}
