//! Removing a post: at once for whoever reads, bit by bit for its comments; and the service as it runs.

use serde_json::{Value, json};
use shop_content::removals::AT_ONCE;
use shop_content::tables::{COMMENTS, THREADS};
use shop_content::{NAME, TABLES, run, topics};
use shop_contracts::users;
use shop_edge::testing::{Bench, until_ready};
use switchboard_message::Topic;
use switchboard_store::{Select, Unit, Value as Cell};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Shop;

impl Shop {
    /// How many rows of comments there are, a thousand at most.
    async fn comments_kept(&self) -> usize {
        self.bench.deps.store.select(Select::all(&COMMENTS).limit(1_000)).await.unwrap().len()
    }

    /// Comments in the store, without the way through the edge.
    async fn plant_comments(&self, post_id: &str, count: usize) {
        let cells = || [("post_id", Cell::from(post_id)), ("author_id", Cell::from("bob"))];
        let unit = (0..count).fold(Unit::new(), |unit, number| {
            unit.put(&COMMENTS, format!("planted-{number:05}"), cells())
        });
        self.bench.deps.store.commit(unit).await.unwrap();
    }
}

#[tokio::test]
async fn a_removed_post_and_its_comments_are_gone_at_once() {
    let shop = Shop::new();
    let path = shop.post("ann", "One", &["a"]).await;
    let id = path.trim_start_matches("/posts/");
    let comment = shop.comment(&path, "bob", "Nice.").await;
    assert_eq!(shop.call("DELETE", &path, "ann", Value::Null).await.status, 204);
    let comments = format!("{path}/comments");
    for gone in [&path, &comments, &comment] {
        shop.get(gone, "bob").await.assert_problem(404, "not-found");
    }
    let body = json!({ "content": "Too late." });
    for (method, at) in [("POST", &comments), ("PUT", &comment), ("PATCH", &comment)] {
        shop.call(method, at, "bob", body.clone()).await.assert_problem(404, "not-found");
    }
    shop.call("DELETE", &comment, "bob", Value::Null).await.assert_problem(404, "not-found");
    shop.call("DELETE", &path, "ann", Value::Null).await.assert_problem(404, "not-found");
    assert!(shop.all("/posts", "id", 9).await.is_empty());
    assert_eq!(shop.bench.deps.store.row(&THREADS, id).await.unwrap(), None);
    let told = shop.told().await;
    let event = json!({ "post_id": id, "author_id": "ann" });
    assert_eq!(told[2], ("content.post_removed".to_owned(), event));
}

#[tokio::test(start_paused = true)]
async fn the_comments_of_a_removed_post_are_deleted_bit_by_bit_and_no_others() {
    let shop = Shop::new();
    let running = shop.run().await;
    let path = shop.post("ann", "One", &[]).await;
    let kept = shop.post("ann", "Two", &[]).await;
    let comment = shop.comment(&kept, "bob", "Stays.").await;
    // As many as one unit deletes, and one more than that.
    shop.plant_comments(path.trim_start_matches("/posts/"), AT_ONCE + 1).await;
    shop.call("DELETE", &path, "ann", Value::Null).await;
    shop.until("one comment", async || shop.comments_kept().await == 1).await;
    assert_eq!(shop.get(&comment, "bob").await.text("content"), "Stays.");
    running.end().await;
}

/// The whole service, as a process runs it: ready, and ending when it is told to.
#[tokio::test]
async fn it_runs_until_shutdown() {
    let bench = Bench::new(NAME, TABLES);
    bench.declare(topics().into_iter().chain([Topic::new(users::EVENTS)])).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(run(listener, bench.deps.clone(), shutdown.clone()));
    until_ready(address).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
