//! Comments: their contract, their order, who may change them, and how many there may be.

use std::time::Duration;

use serde_json::{Value, json};
use shop_content::app::Error;
use shop_content::domain::comment::COMMENTS_MAX;
use shop_content::tables::THREADS;
use switchboard_store::{Unit, Value as Cell};

use crate::Shop;

#[tokio::test]
async fn a_comment_is_201_with_the_whole_resource_and_is_readable_there() {
    let shop = Shop::new();
    let post = shop.post("ann", "One", &[]).await;
    let path = format!("{post}/comments");
    let made = shop.call("POST", &path, "bob", json!({ "content": " Nice.\nReally. " })).await;
    let id = made.text("id");
    let own = format!("/api/v1{path}/{id}");
    assert_eq!((made.status, made.header("location")), (201, &*own));
    assert_eq!(
        made.body,
        json!({
            "id": id,
            "post_id": post.trim_start_matches("/posts/"),
            "author_id": "bob",
            "author": { "id": "bob" },
            "content": "Nice.\nReally.",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "_links": {
                "self": { "href": own },
                "post": { "href": format!("/api/v1{post}") },
                "author": { "href": "/api/v1/users/bob/posts" },
                "replace": { "href": own, "method": "PUT" },
                "edit": { "href": own, "method": "PATCH" },
                "delete": { "href": own, "method": "DELETE" },
            },
        })
    );
    for (reader, may) in [("ann", false), ("bob", true), ("eve", false), ("operator", true)] {
        let mut read = shop.get(&format!("{path}/{id}"), reader).await;
        let mut expected = made.body.clone();
        for action in ["replace", "edit", "delete"] {
            let offered = read.body["_links"].as_object_mut().unwrap().remove(action);
            let allowed = expected["_links"].as_object_mut().unwrap().remove(action);
            assert_eq!(offered, allowed.filter(|_| may), "{reader} {action}");
        }
        assert_eq!((read.status, &read.body), (200, &expected), "{reader}");
    }
    let told = shop.told().await;
    let event = json!({ "post_id": made.text("post_id"), "comment_id": id, "author_id": "bob" });
    assert_eq!(told[1], ("content.comment_added".to_owned(), event));
}

#[tokio::test]
async fn a_comment_needs_a_post_a_token_and_something_to_say() {
    let shop = Shop::new();
    let body = json!({ "content": "Nice." });
    let nowhere = shop.call("POST", "/posts/none/comments", "bob", body.clone()).await;
    nowhere.assert_problem(404, "not-found");
    shop.get("/posts/none/comments", "bob").await.assert_problem(404, "not-found");
    let post = shop.post("ann", "One", &[]).await;
    let path = format!("{post}/comments");
    shop.call("POST", &path, "", body).await.assert_problem(401, "unauthorized");
    let empty = json!({ "content": " ", "author_id": "eve" });
    let empty = shop.call("POST", &path, "bob", empty).await;
    empty.assert_problem(422, "validation");
    assert_eq!(empty.pointers(), ["#/content", "#/author_id"]);
    let long = shop.call("POST", &path, "bob", json!({ "content": "c".repeat(5_001) })).await;
    assert_eq!(long.pointers(), ["#/content"]);
    assert_eq!(shop.told().await.len(), 1, "the post");
}

#[tokio::test]
async fn comments_come_oldest_first_page_by_page() {
    let shop = Shop::new();
    let post = shop.post("ann", "One", &[]).await;
    let other = shop.post("ann", "Two", &[]).await;
    let mut expected = Vec::new();
    for number in 0..5 {
        shop.bench.clock.advance(Duration::from_secs(1));
        shop.comment(&post, "bob", &number.to_string()).await;
        shop.comment(&other, "bob", "elsewhere").await;
        expected.push(json!(number.to_string()));
    }
    for limit in [1, 2, 5] {
        assert_eq!(shop.all(&format!("{post}/comments"), "content", limit).await, expected);
    }
    let next = shop.get(&format!("{post}/comments?limit=1"), "bob").await.text("next").to_owned();
    let foreign = shop.get(&format!("{other}/comments?cursor={next}"), "bob").await;
    foreign.assert_problem(400, "malformed");
}

#[tokio::test]
async fn a_comment_is_changed_and_deleted_by_its_author_and_operators_and_403_for_others() {
    let shop = Shop::new();
    let post = shop.post("ann", "One", &[]).await;
    let path = shop.comment(&post, "bob", "First.").await;
    let body = json!({ "content": "Second." });
    for (method, body) in [("PUT", &body), ("PATCH", &body), ("DELETE", &Value::Null)] {
        // Not even the author of the post.
        shop.call(method, &path, "ann", body.clone()).await.assert_problem(403, "forbidden");
        shop.call(method, &path, "", body.clone()).await.assert_problem(401, "unauthorized");
        let none = format!("{post}/comments/none");
        shop.call(method, &none, "bob", body.clone()).await.assert_problem(404, "not-found");
    }
    shop.bench.clock.advance(Duration::from_secs(1));
    let put = shop.call("PUT", &path, "bob", body.clone()).await;
    assert_eq!((put.status, put.text("content")), (200, "Second."));
    assert_eq!(put.text("updated_at"), "2026-01-01T00:00:01Z");
    let same = shop.call("PATCH", &path, "bob", json!({})).await;
    assert_eq!((same.status, &same.body), (200, &put.body));
    let patch = shop.call("PATCH", &path, "operator", json!({ "content": "Third." })).await;
    assert_eq!(patch.text("content"), "Third.");
    let incomplete = shop.call("PUT", &path, "bob", json!({})).await;
    assert_eq!(incomplete.pointers(), ["#/content"]);
    assert_eq!(shop.call("DELETE", &path, "bob", Value::Null).await.status, 204);
    shop.get(&path, "bob").await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_comment_is_found_under_its_own_post_only() {
    let shop = Shop::new();
    let (one, two) = (shop.post("ann", "One", &[]).await, shop.post("ann", "Two", &[]).await);
    let path = shop.comment(&one, "bob", "Nice.").await;
    let moved = path.replace(&one, &two);
    for (method, body) in [("GET", Value::Null), ("DELETE", Value::Null), ("PUT", json!({}))] {
        shop.call(method, &moved, "bob", body).await.assert_problem(404, "not-found");
    }
}

#[tokio::test]
async fn the_same_key_is_the_same_comment() {
    let shop = Shop::new();
    let post = shop.post("ann", "One", &[]).await;
    let path = format!("{post}/comments");
    let body = json!({ "content": "Nice." });
    let first = shop.keyed("POST", &path, "bob", "k", body.clone()).await;
    let again = shop.keyed("POST", &path, "bob", "k", body.clone()).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = shop.post("ann", "Two", &[]).await;
    let elsewhere = shop.keyed("POST", &format!("{other}/comments"), "bob", "k", body).await;
    assert_eq!(elsewhere.header("idempotency-replayed"), "", "a key belongs to its post");
    assert_eq!(shop.all(&path, "id", 10).await.len(), 1);
}

#[tokio::test]
async fn a_full_post_refuses_until_a_comment_is_deleted_and_the_refusal_is_kept_by_its_key() {
    let shop = Shop::new();
    let post = shop.post("ann", "One", &[]).await;
    let path = format!("{post}/comments");
    let id = post.trim_start_matches("/posts/");
    let almost = Unit::new().add(&THREADS, id, "room", 1 - COMMENTS_MAX);
    shop.bench.deps.store.commit(almost).await.unwrap();
    let body = json!({ "content": "Nice." });
    let (one, other) = tokio::join!(
        shop.call("POST", &path, "bob", body.clone()),
        shop.call("POST", &path, "eve", body.clone()),
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "there is room for one");
    shop.keyed("POST", &path, "bob", "k", body.clone()).await.assert_problem(409, "conflict");
    let last = if one.status == 201 { ("bob", one) } else { ("eve", other) };
    let last_path = format!("{path}/{}", last.1.text("id"));
    assert_eq!(shop.call("DELETE", &last_path, last.0, Value::Null).await.status, 204);
    let kept = shop.keyed("POST", &path, "bob", "k", body.clone()).await;
    assert_eq!((kept.status, kept.header("idempotency-replayed")), (409, "true"));
    assert_eq!(shop.keyed("POST", &path, "bob", "anew", body).await.status, 201);
    let thread = shop.bench.deps.store.row(&THREADS, id).await.unwrap().unwrap();
    assert_eq!(thread.get("room"), &Cell::Integer(0));
}

#[tokio::test]
async fn a_change_that_expects_another_version_is_stale_and_changes_nothing() {
    let shop = Shop::new();
    let post = shop.post("ann", "One", &[]).await;
    let path = shop.comment(&post, "bob", "First.").await;
    let post_id = post.trim_start_matches("/posts/");
    let id = path.rsplit('/').next().unwrap();
    let change = |content: &'static str, expected| {
        shop.app.change_comment(shop.context(), post_id, id, content, expected)
    };
    assert_eq!(shop.app.comment_of(post_id, id).await.unwrap().version, 1);
    assert_eq!(change("Second.", Some(1)).await.unwrap().version, 2);
    let late = change("Late.", Some(1)).await;
    assert!(matches!(late, Err(Error::Stale { version: 2 })), "{late:?}");
    let late = shop.app.remove_comment(shop.context(), post_id, id, Some(1)).await;
    assert!(matches!(late, Err(Error::Stale { version: 2 })), "{late:?}");
    let now = shop.app.comment_of(post_id, id).await.unwrap();
    assert_eq!((&*now.content, now.version), ("Second.", 2));
    shop.app.remove_comment(shop.context(), post_id, id, Some(2)).await.unwrap();
    let gone = change("Gone.", None).await;
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
}
