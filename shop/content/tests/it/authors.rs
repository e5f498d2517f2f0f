//! The names of authors, as they come from users.

use serde_json::{Value, json};
use shop_contracts::users::{EVENTS, UserChanged, UserCreated, UserDeleted};
use switchboard_message::Topic;

use crate::Shop;

fn created(user: &str, name: &str) -> UserCreated {
    let email = format!("{user}@example.org");
    UserCreated { user_id: user.to_owned(), name: name.to_owned(), email }
}

fn changed(user: &str, name: &str) -> UserChanged {
    let UserCreated { user_id, name, email } = created(user, name);
    UserChanged { user_id, name, email }
}

fn deleted(user: &str) -> UserDeleted {
    UserDeleted { user_id: user.to_owned() }
}

impl Shop {
    /// The author of something, as its answer shows it.
    async fn author_of(&self, path: &str) -> Value {
        self.get(path, "reader").await.body["author"].clone()
    }

    async fn until_author(&self, path: &str, expected: &Value) {
        self.until(&expected.to_string(), async || self.author_of(path).await == *expected).await;
    }

    /// Waits until the group has come past so many events.
    async fn until_heard(&self, events: u64) {
        let heard = async || {
            let mut heard = 0;
            for partition in 0..Topic::new(EVENTS).partitions {
                let progress =
                    self.bench.deps.store.progress("content.authors", EVENTS, partition).await;
                heard += progress.unwrap().map_or(0, |progress| progress.position.0);
            }
            heard == events
        };
        self.until("all events", heard).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_writes_before_their_sign_up_arrives_has_no_name_and_gets_it_with_it() {
    let mut shop = Shop::new();
    let running = shop.run().await;
    let post = shop.post("ann", "One", &[]).await;
    let comment = shop.comment(&post, "ann", "First!").await;
    assert_eq!(shop.author_of(&post).await, json!({ "id": "ann" }));
    shop.hears(&created("ann", "Ann"), 1).await;
    shop.until_author(&post, &json!({ "id": "ann", "name": "Ann" })).await;
    for (path, of) in [("/posts", "posts"), (&*format!("{post}/comments"), "comments")] {
        let author = json!([{ "id": "ann", "name": "Ann" }]);
        assert_eq!(json!(shop.all(path, "author", 9).await), author, "{of}");
    }
    assert_eq!(shop.author_of(&comment).await["name"], "Ann");
    shop.hears(&changed("ann", "Anna"), 1).await;
    shop.until_author(&comment, &json!({ "id": "ann", "name": "Anna" })).await;
    let made = json!({ "title": "Two", "content": "text" });
    let made = shop.call("POST", "/users/ann/posts", "ann", made).await;
    assert_eq!(made.body["author"]["name"], "Anna");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_wrote_who_has_left_stays_without_their_name() {
    let mut shop = Shop::new();
    let running = shop.run().await;
    shop.hears(&created("ann", "Ann"), 1).await;
    let post = shop.post("ann", "One", &["kept"]).await;
    let comment = shop.comment(&post, "ann", "First!").await;
    shop.until_author(&post, &json!({ "id": "ann", "name": "Ann" })).await;
    shop.hears(&deleted("ann"), 1).await;
    shop.until_author(&post, &json!({ "id": "ann" })).await;
    assert_eq!(shop.author_of(&comment).await, json!({ "id": "ann" }));
    assert_eq!(shop.get(&post, "bob").await.text("content"), "About One.");
    assert_eq!(shop.tags().await, [("kept".to_owned(), 1)]);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn duplicates_and_events_that_come_late_change_nothing() {
    let mut shop = Shop::new();
    let running = shop.run().await;
    let anns = shop.post("ann", "One", &[]).await;
    let bobs = shop.post("bob", "Two", &[]).await;
    shop.hears(&created("ann", "Ann"), 3).await;
    shop.hears(&changed("ann", "Anna"), 3).await;
    // Told once more, as another message: the name has changed since.
    shop.hears(&created("ann", "Ann"), 1).await;
    shop.hears(&created("bob", "Bob"), 1).await;
    shop.hears(&deleted("bob"), 2).await;
    shop.hears(&created("bob", "Bob"), 1).await;
    shop.hears(&changed("bob", "Bob"), 1).await;
    shop.until_heard(12).await;
    assert_eq!(shop.author_of(&anns).await, json!({ "id": "ann", "name": "Anna" }));
    assert_eq!(shop.author_of(&bobs).await, json!({ "id": "bob" }));
    running.end().await;
}
