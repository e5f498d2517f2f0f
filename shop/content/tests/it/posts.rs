//! Posts: their contract, who may do what, and the same answer to the same key.

use std::time::Duration;

use serde_json::{Value, json};
use shop_content::app::Error;
use shop_content::domain::Edit;

use crate::Shop;

fn draft() -> Value {
    json!({ "title": " Hello ", "content": "One.\n\n\tTwo.", "tags": ["Rust", "web-2", "rust"] })
}

#[tokio::test]
async fn a_post_is_201_with_the_whole_resource_and_is_readable_there_by_all() {
    let shop = Shop::new();
    let made = shop.call("POST", "/users/ann/posts", "ann", draft()).await;
    let id = made.text("id");
    let own = format!("/api/v1/posts/{id}");
    assert_eq!((made.status, made.header("location")), (201, &*own));
    assert_eq!(
        made.body,
        json!({
            "id": id,
            "author_id": "ann",
            "author": { "id": "ann" },
            "title": "Hello",
            "content": "One.\n\n\tTwo.",
            "tags": ["rust", "web-2"],
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "_links": {
                "self": { "href": own },
                "author": { "href": "/api/v1/users/ann/posts" },
                "comments": { "href": format!("{own}/comments") },
                "comment": { "href": format!("{own}/comments"), "method": "POST" },
                "replace": { "href": own, "method": "PUT" },
                "edit": { "href": own, "method": "PATCH" },
                "delete": { "href": own, "method": "DELETE" },
            },
        })
    );
    for (reader, may) in [("ann", true), ("bob", false), ("operator", true)] {
        let mut read = shop.get(&format!("/posts/{id}"), reader).await;
        let mut expected = made.body.clone();
        for action in ["replace", "edit", "delete"] {
            let offered = read.body["_links"].as_object_mut().unwrap().remove(action);
            let allowed = expected["_links"].as_object_mut().unwrap().remove(action);
            assert_eq!(offered, allowed.filter(|_| may), "{reader} {action}");
        }
        assert_eq!((read.status, &read.body), (200, &expected), "{reader}");
    }
    let event = json!({
        "post_id": id, "author_id": "ann", "title": "Hello", "tags": ["rust", "web-2"]
    });
    assert_eq!(shop.told().await, [("content.post_published".to_owned(), event)]);
}

#[tokio::test]
async fn mistakes_are_422_with_all_of_them_and_nothing_is_written() {
    let shop = Shop::new();
    let body = json!({ "title": "", "content": 1, "tags": ["ok", "no space", 7], "draft": true });
    let answer = shop.call("POST", "/users/ann/posts", "ann", body).await;
    answer.assert_problem(422, "validation");
    let expected = ["#/title", "#/content", "#/tags/1", "#/tags/2", "#/draft"];
    assert_eq!(answer.pointers(), expected);
    let long = json!({
        "title": "t".repeat(201), "content": "c".repeat(20_001), "tags": vec!["t"; 11]
    });
    let answer = shop.call("POST", "/users/ann/posts", "ann", long).await;
    assert_eq!(answer.pointers(), ["#/title", "#/content", "#/tags"]);
    assert_eq!(shop.told().await, []);
    let longest = json!({
        "title": "é".repeat(200), "content": "é".repeat(20_000), "tags": vec!["t".repeat(32); 10]
    });
    assert_eq!(shop.call("POST", "/users/ann/posts", "ann", longest).await.status, 201);
}

#[tokio::test]
async fn nobody_writes_for_others_but_operators_and_nobody_reads_without_a_token() {
    let shop = Shop::new();
    let foreign = shop.call("POST", "/users/ann/posts", "bob", draft()).await;
    foreign.assert_problem(404, "not-found");
    let stranger = shop.call("POST", "/users/ann/posts", "", draft()).await;
    stranger.assert_problem(401, "unauthorized");
    // An id that the shop cannot have given out would be a broken link for ever.
    let nobody = shop.call("POST", "/users/a%08b/posts", "operator", draft()).await;
    nobody.assert_problem(404, "not-found");
    let made = shop.call("POST", "/users/ann/posts", "operator", draft()).await;
    assert_eq!((made.status, made.text("author_id")), (201, "ann"));
    let own = format!("/posts/{}", made.text("id"));
    for path in [&*own, "/posts", "/users/ann/posts", "/tags", &format!("{own}/comments")] {
        shop.get(path, "").await.assert_problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_post_is_changed_and_removed_by_its_author_and_operators_and_403_for_others() {
    let shop = Shop::new();
    let path = shop.post("ann", "One", &[]).await;
    for (method, body) in [("PUT", draft()), ("PATCH", json!({})), ("DELETE", Value::Null)] {
        shop.call(method, &path, "bob", body.clone()).await.assert_problem(403, "forbidden");
        shop.call(method, &path, "", body.clone()).await.assert_problem(401, "unauthorized");
        shop.call(method, "/posts/none", "bob", body).await.assert_problem(404, "not-found");
    }
    let patched = shop.call("PATCH", &path, "operator", json!({ "title": "Two" })).await;
    assert_eq!((patched.status, patched.text("title")), (200, "Two"));
    assert_eq!(shop.call("DELETE", &path, "operator", Value::Null).await.status, 204);
    shop.get(&path, "ann").await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_put_replaces_a_patch_merges_and_what_is_already_so_is_no_change() {
    let shop = Shop::new();
    let path = shop.post("ann", "One", &["a", "b"]).await;
    shop.bench.clock.advance(Duration::from_secs(1));
    let patched = shop.call("PATCH", &path, "ann", json!({ "title": "Two" })).await;
    assert_eq!((patched.text("title"), patched.text("content")), ("Two", "About One."));
    assert_eq!(patched.body["tags"], json!(["a", "b"]));
    assert_eq!(patched.text("updated_at"), "2026-01-01T00:00:01Z");
    assert_eq!(patched.text("created_at"), "2026-01-01T00:00:00Z");
    shop.bench.clock.advance(Duration::from_secs(1));
    let same = shop.call("PATCH", &path, "ann", json!({ "title": "Two" })).await;
    assert_eq!((same.status, &same.body), (200, &patched.body));
    let put = json!({ "title": "Three", "content": "Anew." });
    let put = shop.call("PUT", &path, "ann", put).await;
    assert_eq!((put.text("title"), put.text("content")), ("Three", "Anew."));
    assert_eq!(put.body["tags"], json!([]));
    let incomplete = shop.call("PUT", &path, "ann", json!({ "title": "Four" })).await;
    assert_eq!(incomplete.pointers(), ["#/content"]);
    let null = shop.call("PATCH", &path, "ann", json!({ "title": null, "tags": null })).await;
    assert_eq!(null.pointers(), ["#/title"], "tags may go, a title may not");
    let told = shop.told().await;
    let kinds: Vec<_> = told.iter().map(|(kind, _)| &**kind).collect();
    let changed = "content.post_changed";
    assert_eq!(kinds, ["content.post_published", changed, changed]);
    assert_eq!((&told[2].1["title"], &told[2].1["tags"]), (&json!("Three"), &json!([])));
}

#[tokio::test]
async fn the_same_key_is_the_same_post_and_another_body_is_422() {
    let shop = Shop::new();
    let first = shop.keyed("POST", "/users/ann/posts", "ann", "k", draft()).await;
    let again = shop.keyed("POST", "/users/ann/posts", "ann", "k", draft()).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    let replayed = [&first, &again].map(|answer| answer.header("idempotency-replayed"));
    assert_eq!(replayed, ["", "true"]);
    let other = json!({ "title": "Other", "content": "text" });
    let other = shop.keyed("POST", "/users/ann/posts", "ann", "k", other).await;
    other.assert_problem(422, "unprocessable");
    let bobs = shop.keyed("POST", "/users/bob/posts", "bob", "k", draft()).await;
    assert_eq!(bobs.status, 201, "a key belongs to its user");
    assert_eq!(shop.all("/posts", "id", 10).await.len(), 2);
    assert_eq!(shop.tags().await, [("rust".to_owned(), 2), ("web-2".to_owned(), 2)]);
}

#[tokio::test]
async fn posts_come_newest_first_page_by_page_of_all_or_of_one_author() {
    let shop = Shop::new();
    let mut expected = Vec::new();
    for number in 0..7 {
        // Two are of the same moment; then the id decides.
        shop.bench.clock.advance(Duration::from_secs(number % 2));
        let author = if number % 3 == 0 { "bob" } else { "ann" };
        let path = shop.post(author, &number.to_string(), &[]).await;
        expected.push((number.div_ceil(2), path.trim_start_matches("/posts/").to_owned(), author));
    }
    expected.sort();
    expected.reverse();
    let all: Vec<_> = expected.iter().map(|(_, id, _)| json!(id)).collect();
    let of = |author: &str| -> Vec<Value> {
        let of = expected.iter().filter(|(.., by)| *by == author);
        of.map(|(_, id, _)| json!(id)).collect()
    };
    for limit in [1, 2, 3, 10] {
        assert_eq!(shop.all("/posts", "id", limit).await, all, "{limit}");
        assert_eq!(shop.all("/users/ann/posts", "id", limit).await, of("ann"), "{limit}");
        assert_eq!(shop.all("/users/bob/posts", "id", limit).await, of("bob"), "{limit}");
    }
    assert!(shop.all("/users/nobody/posts", "id", 1).await.is_empty());
    let next = shop.get("/users/ann/posts?limit=1", "bob").await.text("next").to_owned();
    let foreign = shop.get(&format!("/users/bob/posts?cursor={next}"), "bob").await;
    foreign.assert_problem(400, "malformed");
}

#[tokio::test]
async fn a_change_that_expects_another_version_is_stale_and_changes_nothing() {
    let shop = Shop::new();
    let path = shop.post("ann", "One", &["a"]).await;
    let id = path.trim_start_matches("/posts/");
    let title = |title: &str| Edit { title: Some(title.to_owned()), ..Edit::default() };
    let context = || shop.context();
    assert_eq!(shop.app.post(id).await.unwrap().version, 1);
    let two = shop.app.change_post(context(), id, title("Two"), Some(1)).await.unwrap();
    assert_eq!((two.version, &two), (2, &shop.app.post(id).await.unwrap()));
    let late = shop.app.change_post(context(), id, title("Late"), Some(1)).await;
    assert!(matches!(late, Err(Error::Stale { version: 2 })), "{late:?}");
    let late = shop.app.remove_post(context(), id, Some(1)).await;
    assert!(matches!(late, Err(Error::Stale { version: 2 })), "{late:?}");
    // A comment is no change of the post.
    shop.comment(&path, "bob", "Nice.").await;
    assert_eq!(shop.app.post(id).await.unwrap(), two);
    let (one, other) = tokio::join!(
        shop.app.change_post(context(), id, title("Left"), None),
        shop.app.change_post(context(), id, title("Right"), None),
    );
    let mut versions = [one.unwrap().version, other.unwrap().version];
    versions.sort_unstable();
    assert_eq!(versions, [3, 4]);
    shop.app.remove_post(context(), id, Some(4)).await.unwrap();
    let gone = shop.app.change_post(context(), id, title("Gone"), Some(4)).await;
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
}
