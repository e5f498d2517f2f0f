//! Changes of what somebody has read, and of nothing else.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::{Answer, Shop};

impl Shop {
    /// Calls as somebody, with a condition.
    async fn if_match(
        &self,
        method: &str,
        path: &str,
        who: &str,
        tag: &str,
        body: Value,
    ) -> Answer {
        self.on_condition(method, path, who, ("if-match", tag), body).await
    }

    async fn on_condition(
        &self,
        method: &str,
        path: &str,
        who: &str,
        condition: (&str, &str),
        body: Value,
    ) -> Answer {
        let operator = || self.bench.operator();
        let token = if who == "operator" { operator() } else { self.bench.token(who) };
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header(condition.0, condition.1);
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).unwrap()).await
    }

    async fn tag(&self, path: &str, who: &str) -> String {
        self.get(path, who).await.header("etag").to_owned()
    }
}

#[tokio::test]
async fn e6_posts_and_comments_change_only_as_they_were_read() {
    let shop = Shop::new();
    let post = shop.post("ann", "One", &["tea"]).await;
    let comment = shop.comment(&post, "ann", "Yes.").await;
    for (path, change) in
        [(&comment, json!({ "content": "No." })), (&post, json!({ "title": "Two" }))]
    {
        let first = shop.tag(path, "ann").await;
        shop.bench.clock.advance(Duration::from_secs(1));
        let changed = shop.if_match("PATCH", path, "ann", &first, change.clone()).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let now = shop.tag(path, "ann").await;
        assert_eq!(changed.header("etag"), now);
        for (method, body) in [("PATCH", change), ("DELETE", Value::Null)] {
            let late = shop.if_match(method, path, "ann", &first, body).await;
            late.assert_problem(412, "precondition-failed");
            assert_eq!(late.header("etag"), now, "{method} {path}");
        }
        let any = ("if-none-match", "*");
        let there = shop.on_condition("DELETE", path, "ann", any, Value::Null).await;
        there.assert_problem(412, "precondition-failed");
        assert_eq!(there.header("etag"), now);
        // Who may change nothing learns nothing of versions.
        let other = shop.if_match("DELETE", path, "bob", &now, Value::Null).await;
        other.assert_problem(403, "forbidden");
        let gone = shop.if_match("DELETE", path, "ann", &now, Value::Null).await;
        assert_eq!(gone.status, 204);
        let again = shop.if_match("DELETE", path, "ann", "*", Value::Null).await;
        again.assert_problem(404, "not-found");
    }
}

#[tokio::test]
async fn e6_of_many_who_change_the_same_post_one_wins() {
    let shop = Shop::new();
    let post = shop.post("ann", "One", &[]).await;
    let tag = shop.tag(&post, "ann").await;
    let calls = ["a", "b", "c", "d"]
        .map(|title| shop.if_match("PATCH", &post, "ann", &tag, json!({ "title": title })));
    let answers = futures_util::future::join_all(calls).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412]);
    let now = shop.tag(&post, "ann").await;
    assert!(answers.iter().all(|answer| answer.header("etag") == now));
}

#[tokio::test]
async fn e8_posts_are_read_there_and_back_by_their_links() {
    let shop = Shop::new();
    for number in 0..5 {
        shop.bench.clock.advance(Duration::from_secs(1));
        shop.post("ann", &number.to_string(), &["tea"]).await;
    }
    let follow = async |page: &Answer, rel: &str| {
        let href = page.body["_links"][rel]["href"].as_str().unwrap();
        shop.get(href.strip_prefix("/api/v1").unwrap(), "bob").await
    };
    for start in ["/posts?limit=2", "/posts?tag=tea&limit=2", "/users/ann/posts?limit=2"] {
        let first = shop.get(start, "bob").await;
        let second = follow(&first, "next").await;
        assert_ne!(second.body["items"], first.body["items"]);
        let back = follow(&second, "prev").await;
        assert_eq!(back.body["items"], first.body["items"], "{start}");
        assert_eq!(back.body["_links"].get("prev"), None);
        assert_eq!(back.body["_links"]["publish"]["href"], "/api/v1/users/bob/posts");
    }
}
