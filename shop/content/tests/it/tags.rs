//! Tags: how many posts have each, and which.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Shop;

fn counts(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(tag, posts)| ((*tag).to_owned(), *posts)).collect()
}

#[tokio::test]
async fn counts_follow_posts_as_they_are_written_changed_and_removed() {
    let shop = Shop::new();
    let one = shop.post("ann", "One", &["b", "a"]).await;
    let two = shop.post("bob", "Two", &["b"]).await;
    assert_eq!(shop.tags().await, counts(&[("a", 1), ("b", 2)]));
    let patch = |tags: Value| shop.call("PATCH", &one, "ann", json!({ "tags": tags }));
    patch(json!(["B", "c"])).await;
    assert_eq!(shop.tags().await, counts(&[("b", 2), ("c", 1)]), "a tag at 0 is not listed");
    // The same tags in another order are another list and the same counts.
    assert_eq!(patch(json!(["c", "b"])).await.body["tags"], json!(["c", "b"]));
    assert_eq!(shop.tags().await, counts(&[("b", 2), ("c", 1)]));
    patch(Value::Null).await;
    assert_eq!(shop.tags().await, counts(&[("b", 1)]));
    assert_eq!(shop.call("DELETE", &two, "bob", Value::Null).await.status, 204);
    assert_eq!(shop.tags().await, []);
    shop.post("ann", "Three", &["b"]).await;
    assert_eq!(shop.tags().await, counts(&[("b", 1)]));
}

#[tokio::test]
async fn changes_at_the_same_time_count_each_tag_once() {
    let shop = Shop::new();
    let path = shop.post("ann", "One", &["a"]).await;
    let tags = |tag: &str| shop.call("PATCH", &path, "ann", json!({ "tags": ["a", tag] }));
    let (b, c) = tokio::join!(tags("b"), tags("c"));
    assert_eq!((b.status, c.status), (200, 200));
    let last = shop.get(&path, "ann").await.body["tags"].clone();
    let expected = [("a".to_owned(), 1), (last[1].as_str().unwrap().to_owned(), 1)];
    assert_eq!(shop.tags().await, expected);
    // Whoever deletes second finds nothing.
    let (one, other) = tokio::join!(
        shop.call("DELETE", &path, "ann", Value::Null),
        shop.call("DELETE", &path, "operator", Value::Null),
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404]);
    assert_eq!(shop.tags().await, []);
}

#[tokio::test]
async fn tags_come_by_name_page_by_page() {
    let shop = Shop::new();
    shop.post("ann", "One", &["delta", "alpha", "10", "charlie", "bravo"]).await;
    let expected = ["10", "alpha", "bravo", "charlie", "delta"].map(Value::from);
    for limit in [1, 2, 5] {
        assert_eq!(shop.all("/tags", "name", limit).await, expected);
    }
    let first = shop.get("/tags?limit=1", "bob").await;
    assert_eq!(first.body["items"][0]["_links"]["posts"]["href"], "/api/v1/posts?tag=10");
}

#[tokio::test]
async fn posts_of_a_tag_come_newest_first_page_by_page() {
    let shop = Shop::new();
    let mut expected = Vec::new();
    for number in 0..5 {
        shop.bench.clock.advance(Duration::from_secs(1));
        let tags: &[&str] = if number % 2 == 0 { &["even", "all"] } else { &["all"] };
        shop.post("ann", &number.to_string(), tags).await;
        expected.insert(0, json!(number.to_string()));
    }
    for limit in [1, 2, 5] {
        assert_eq!(shop.all("/posts?tag=all", "title", limit).await, expected);
        let even = shop.all("/posts?tag=Even", "title", limit).await;
        assert_eq!(even, ["4", "2", "0"].map(Value::from));
    }
    assert!(shop.all("/posts?tag=none", "title", 1).await.is_empty());
    shop.get("/posts?tag=a%20b", "bob").await.assert_problem(400, "malformed");
    let path = shop.get("/posts?tag=all&limit=1", "ann").await;
    let path = format!("/posts/{}", path.body["items"][0]["id"].as_str().unwrap());
    shop.call("PATCH", &path, "ann", json!({ "tags": ["even"] })).await;
    assert_eq!(shop.all("/posts?tag=all", "title", 9).await, expected[1..]);
    shop.call("DELETE", &path, "ann", Value::Null).await;
    let even = shop.all("/posts?tag=even", "title", 9).await;
    assert_eq!(even, ["2", "0"].map(Value::from));
}
